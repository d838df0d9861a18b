//! The monitor: the host side of a running pod, and the process that the user started.
//!
//! One thread, one poll loop. It owns the pod's lock for as long as anything of the pod lives.

mod cri_log;
mod event_loop;
mod exec;
mod names;
mod peers;
mod pump;
mod records;
mod streams;
mod terminal;

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use pod::activation::ActivationSockets;
use pod::control::SOCKET_FILE;
use pod::exit::FailureKind;
use pod::manifest::{App, PodManifest};
use pod::pods_dir::LockedPod;
use pod::seqpacket::Listener;
use pod::stage1::Readiness;
use pod::{AppName, Phase, PodError};

use crate::failure::StartFailure;
use crate::link::{HandedOver, InitLink};
use crate::protocol::{AppSpec, FromInit, Names, Protections, Setup, ToInit};

use self::peers::PeerNames;

pub use self::names::PodNetwork;

/// Pod init, as the isolator has started it.
#[derive(Debug)]
pub struct StartedInit {
    /// The pidfd of the process that ends with the pod: pod init itself, or the machine that it runs in.
    pub process: OwnedFd,
    /// How to talk to it.
    pub link: Box<dyn InitLink>,
}

/// What only the isolator knows: where the pod runs.
///
/// The order of the calls is that of this list. It leaves room for a pod with a user namespace: pod init's process brings
/// that namespace with it, and only what is made afterwards can belong to it or be mapped by it.
pub trait Isolator {
    /// Makes what the pod needs outside of it before anything runs: cgroups.
    ///
    /// # Errors
    /// What failed, on what.
    fn prepare(&mut self, manifest: &PodManifest) -> Result<(), StartFailure>;

    /// Starts pod init in the pod's namespaces. The process must die when the monitor does.
    ///
    /// # Errors
    /// What failed, on what.
    fn start(&mut self, manifest: &PodManifest) -> Result<StartedInit, StartFailure>;

    /// Makes what an app stands on, where pod init doesn't make it itself: its root filesystem and its seat in its
    /// cgroup. `sockets` are what a service manager hands to it.
    ///
    /// # Errors
    /// What failed, for which app.
    fn hand_over(
        &mut self,
        manifest: &PodManifest,
        app: &App,
        sockets: Vec<OwnedFd>,
    ) -> Result<HandedOver, StartFailure>;

    /// Makes the pod's network and joins what it is to join.
    ///
    /// # Errors
    /// What failed, on what.
    fn network(&mut self, manifest: &PodManifest) -> Result<PodNetwork, StartFailure>;

    /// Why pod init's process ended before it said anything, from its exit code.
    fn explain_end(&self, exit_code: i32) -> StartFailure;

    /// Removes what the isolator has made outside of the pod. Nothing of the pod runs any more.
    ///
    /// # Errors
    /// What failed, on what.
    fn clean_up(&mut self) -> Result<(), StartFailure>;
}

/// Where things are, from the environment that the stage1 contract defines.
#[derive(Debug)]
pub struct Place {
    /// The pod's runtime folder.
    pub run_dir: PathBuf,
    /// Where readiness is reported, if anybody waits for it.
    pub ready: Option<OwnedFd>,
    /// What a service manager hands to the pod's apps.
    pub sockets: ActivationSockets,
}

/// Runs a pod to its end. The result is the exit code of the `run` entry point.
pub fn run(pod: LockedPod, place: Place, isolator: &mut dyn Isolator) -> i32 {
    let Place {
        run_dir,
        mut ready,
        sockets,
    } = place;
    let result = start_and_serve(&pod, &run_dir, sockets, &mut ready, isolator);
    let cleaned = isolator.clean_up().and_then(|()| remove_run_dir(&run_dir));
    if let Err(failure) = &cleaned {
        warn(&failure.message);
    }
    let exit = match result {
        Ok(exit) => exit,
        Err(failure) => {
            // A pod that never ran is no pod: nothing of it stays, and whoever waits to hear of it finds
            // nothing.
            discard(pod, cleaned.is_ok());
            report_failure(ready, &failure);
            return failure.kind.exit_code();
        }
    };
    if exit.manifest.remove_on_exit {
        discard(pod, cleaned.is_ok());
    } else if let Err(error) = exit.store(pod.path()) {
        warn(&error.to_string());
    }
    if let Some(failure) = &exit.failure {
        warn(failure);
    }
    exit.exit_code
}

/// Removes a pod, or leaves it to `gc` if something of it is left outside of its folder.
fn discard(mut pod: LockedPod, clean: bool) {
    let gone = if clean {
        pod.remove()
    } else {
        pod.move_to(Phase::Garbage)
    };
    if let Err(error) = gone {
        warn(&error.to_string());
    }
}

fn start_and_serve(
    pod: &LockedPod,
    run_dir: &Path,
    sockets: ActivationSockets,
    ready: &mut Option<OwnedFd>,
    isolator: &mut dyn Isolator,
) -> Result<records::PodEnd, StartFailure> {
    let manifest = PodManifest::load(pod.path())?;
    block_signals()?;
    make_run_dir(run_dir)?;
    isolator.prepare(&manifest)?;
    let StartedInit { process, mut link } = isolator.start(&manifest)?;
    // From here on beside pod init, which takes one message after the other as it comes.
    let mut streams = streams::Streams::new(&manifest, pod.path());
    let peers = tell_init(&mut *link, &manifest, sockets, &mut streams, isolator)
        .map_err(|failure| last_words(&mut *link).unwrap_or(failure))?;
    let listener = Listener::bind(&run_dir.join(SOCKET_FILE))?;
    event_loop::Monitor::new(manifest, (link, process), listener, streams, peers)?
        .run(isolator, ready)
}

/// Sends pod init all that it needs; the result is who tells of changes of what it was sent. The sockets are the apps'
/// from then on, and closed here: the service manager has its own, by which it hands them to the next start.
fn tell_init(
    link: &mut dyn InitLink,
    manifest: &PodManifest,
    sockets: ActivationSockets,
    streams: &mut streams::Streams,
    isolator: &mut dyn Isolator,
) -> Result<Option<PeerNames>, StartFailure> {
    let setup = Setup {
        hostname: manifest.hostname.clone(),
        grace_period_ms: manifest.grace_period_ms,
    };
    link.send(&ToInit::Setup(setup), HandedOver::Nothing)?;
    let names: Vec<&AppName> = manifest.apps.iter().map(|app| &app.name).collect();
    for (app, sockets) in manifest.apps.iter().zip(sockets.assign(&names)) {
        let (names, sockets) = sockets
            .into_iter()
            .map(|socket| (socket.name, socket.fd))
            .unzip();
        let handed_over = isolator.hand_over(manifest, app, sockets)?;
        let spec = AppSpec {
            name: app.name.clone(),
            execution: app.execution.clone(),
            stop_signal: app.stop_signal,
            streams: streams.for_app(app, link)?,
            protections: Protections::without(&manifest.insecure_options, &app.insecure_options),
            sockets: names,
        };
        link.send(&ToInit::App(Box::new(spec)), handed_over)?;
    }
    let mut network = isolator.network(manifest)?;
    let mut peers = network.peers.take().map(PeerNames::new);
    let others = peers.as_mut().map_or_else(Vec::new, PeerNames::begin);
    let names = Names {
        hosts: names::hosts(manifest, &network, others),
        resolv_conf: names::resolv_conf(manifest, &network),
    };
    let namespace = network.namespace.take();
    let handed_over = namespace.map_or(HandedOver::Nothing, HandedOver::Network);
    link.send(&ToInit::Start(names), handed_over)?;
    Ok(peers)
}

/// Why pod init is gone before it was told everything, if it said so.
fn last_words(link: &mut dyn InitLink) -> Option<StartFailure> {
    let all = link.last_words().ok()?;
    all.into_iter().find_map(|heard| match heard.message {
        FromInit::Failed(failure) => Some(failure),
        _ => None,
    })
}

/// Signals that the monitor handles; they wait in its signal descriptor.
fn handled_signals() -> SigSet {
    let handled = [
        // Another pod came or went.
        Signal::SIGIO,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGWINCH,
    ];
    handled
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

fn block_signals() -> Result<(), StartFailure> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&handled_signals()), None)
        .map_err(StartFailure::os("block signals"))
}

fn make_run_dir(run_dir: &Path) -> Result<(), StartFailure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(run_dir)
        .map_err(|error| PodError::io("create", run_dir)(error).into())
}

/// Removes the runtime folder with whatever is in it.
///
/// # Errors
/// If it is there and can't be removed.
pub fn remove_run_dir(run_dir: &Path) -> Result<(), StartFailure> {
    match std::fs::remove_dir_all(run_dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(StartFailure::os(format_args!(
            "remove {}",
            run_dir.display()
        ))(e)),
        _ => Ok(()),
    }
}

/// Reports that every app runs.
fn report_started(ready: &mut Option<OwnedFd>) {
    report(ready.take(), &Readiness::Started);
}

/// Reports a failure to whoever waits, or else on standard error.
pub fn report_failure(ready: Option<OwnedFd>, failure: &StartFailure) {
    let StartFailure { kind, message } = failure.clone();
    match ready {
        Some(_) => report(ready, &Readiness::Failed { kind, message }),
        None => warn(&message),
    }
}

fn report(ready: Option<OwnedFd>, readiness: &Readiness) {
    if let (Some(fd), Ok(text)) = (ready, serde_json::to_vec(readiness)) {
        // Nobody may be waiting any more, which is their choice.
        let _ = std::fs::File::from(fd).write_all(&text);
    }
}

/// One line on standard error, as the CLI prints its own.
fn warn(message: &str) {
    let _ = writeln!(std::io::stderr(), "fairing: {message}");
}

/// The failure of a pod whose pid 1 was killed from outside.
fn init_was_killed() -> StartFailure {
    StartFailure {
        kind: FailureKind::Other,
        message: "pod init was killed".into(),
    }
}
