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
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use pod::activation::ActivationSockets;
use pod::control::SOCKET_FILE;
use pod::exit::FailureKind;
use pod::manifest::PodManifest;
use pod::pods_dir::LockedPod;
use pod::seqpacket::{DESCRIPTORS_MAX, Listener, SeqPacket};
use pod::stage1::Readiness;
use pod::{AppName, Phase, PodError};

use crate::failure::StartFailure;
use crate::protocol::{AppSpec, CgroupFds, FromInit, Names, Setup, ToInit};

use self::peers::PeerNames;

pub use self::names::PodNetwork;

/// What only the isolator knows: where the pod runs.
pub trait Isolator {
    /// Makes what the pod needs outside of it before anything runs: cgroups.
    ///
    /// # Errors
    /// What failed, on what.
    fn prepare(&mut self, manifest: &PodManifest) -> Result<(), StartFailure>;

    /// The descriptors by which pod init puts an app into its cgroup.
    ///
    /// # Errors
    /// What failed, on what.
    fn cgroup(&mut self, app: &AppName) -> Result<(CgroupFds, Vec<OwnedFd>), StartFailure>;

    /// Starts pod init with its end of the connection. The process must die when the monitor does.
    ///
    /// # Errors
    /// What failed, on what.
    fn start(&mut self, manifest: &PodManifest, init_end: OwnedFd)
    -> Result<OwnedFd, StartFailure>;

    /// Makes the pod's network and joins what it is to join.
    ///
    /// # Errors
    /// What failed, on what.
    fn network(&mut self, manifest: &PodManifest) -> Result<PodNetwork, StartFailure>;

    /// How often the kernel killed a process of this app because its memory limit was reached.
    fn oom_kills(&self, app: &AppName) -> u64;

    /// Removes what [`Isolator::prepare`] and [`Isolator::network`] made. Nothing of the pod runs any more.
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
    /// The folder of unpacked layers.
    pub layers_dir: PathBuf,
    /// Where readiness is reported, if anybody waits for it.
    pub ready: Option<OwnedFd>,
    /// What a service manager hands to the pod's apps.
    pub sockets: ActivationSockets,
}

/// Runs a pod to its end. The result is the exit code of the `run` entry point.
pub fn run(pod: LockedPod, place: Place, isolator: &mut dyn Isolator) -> i32 {
    let Place {
        run_dir,
        layers_dir,
        mut ready,
        sockets,
    } = place;
    let folders = (run_dir.as_path(), layers_dir.as_path());
    let result = start_and_serve(&pod, folders, sockets, &mut ready, isolator);
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
    (run_dir, layers_dir): (&Path, &Path),
    sockets: ActivationSockets,
    ready: &mut Option<OwnedFd>,
    isolator: &mut dyn Isolator,
) -> Result<records::PodEnd, StartFailure> {
    let manifest = PodManifest::load(pod.path())?;
    block_signals()?;
    make_run_dir(run_dir)?;
    isolator.prepare(&manifest)?;
    let (monitor_end, init_end) = SeqPacket::pair()?;
    let init = isolator.start(&manifest, init_end.into())?;
    // From here on beside pod init, which takes one message after the other as it comes.
    let mut streams = streams::Streams::new(&manifest, pod.path())?;
    let place = (pod.path(), layers_dir);
    let peers = tell_init(
        &monitor_end,
        &manifest,
        place,
        sockets,
        &mut streams,
        isolator,
    )
    .map_err(|failure| last_words(&monitor_end).unwrap_or(failure))?;
    let listener = Listener::bind(&run_dir.join(SOCKET_FILE))?;
    event_loop::Monitor::new(manifest, (monitor_end, init), listener, streams, peers)?
        .run(isolator, ready)
}

/// Sends pod init all that it needs; the result is who tells of changes of what it was sent. The sockets are the apps' from then on, and closed here: the service manager
/// has its own, by which it hands them to the next start.
fn tell_init(
    init: &SeqPacket,
    manifest: &PodManifest,
    (pod_dir, layers_dir): (&Path, &Path),
    sockets: ActivationSockets,
    streams: &mut streams::Streams,
    isolator: &mut dyn Isolator,
) -> Result<Option<PeerNames>, StartFailure> {
    init.send(&ToInit::Setup(setup(manifest, pod_dir, layers_dir)), &[])?;
    let names: Vec<&AppName> = manifest.apps.iter().map(|app| &app.name).collect();
    for (app, sockets) in manifest.apps.iter().zip(sockets.assign(&names)) {
        let (kind, mut fds) = streams.for_app(app)?;
        let (cgroup, cgroup_fds) = isolator.cgroup(&app.name)?;
        fds.extend(cgroup_fds);
        let size = app.execution.terminal.then(terminal::window_size).flatten();
        let spec = AppSpec {
            app: app.clone(),
            streams: kind,
            cgroup,
            size,
            sockets: sockets.iter().map(|socket| socket.name.clone()).collect(),
        };
        let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        init.send(&ToInit::App(Box::new(spec)), &borrowed)?;
        for some in sockets.chunks(DESCRIPTORS_MAX) {
            let borrowed: Vec<_> = some.iter().map(|socket| socket.fd.as_fd()).collect();
            init.send(&ToInit::Sockets, &borrowed)?;
        }
    }
    let mut network = isolator.network(manifest)?;
    let mut peers = network.peers.take().map(PeerNames::new);
    let others = peers.as_mut().map_or_else(Vec::new, PeerNames::begin);
    let names = Names {
        hosts: names::hosts(manifest, &network, others),
        resolv_conf: names::resolv_conf(manifest, &network),
    };
    let namespace: Vec<_> = network.namespace.iter().map(AsFd::as_fd).collect();
    init.send(&ToInit::Start(names), &namespace)?;
    Ok(peers)
}

/// Why pod init is gone before it was told everything, if it said so.
fn last_words(init: &SeqPacket) -> Option<StartFailure> {
    loop {
        let mut fds = [PollFd::new(init.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).ok()?;
        let [fd] = fds;
        if !fd.any().unwrap_or(false) {
            return None;
        }
        if let FromInit::Failed(failure) = init.recv().ok()??.0 {
            return Some(failure);
        }
    }
}

fn setup(manifest: &PodManifest, pod_dir: &Path, layers_dir: &Path) -> Setup {
    Setup {
        hostname: manifest.hostname.clone(),
        layers_dir: layers_dir.to_path_buf(),
        pod_dir: pod_dir.to_path_buf(),
        discard_changes: manifest.remove_on_exit,
        grace_period_ms: manifest.grace_period_ms,
        insecure_options: manifest.insecure_options.clone(),
    }
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
