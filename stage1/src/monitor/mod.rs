//! The monitor: the host side of a running pod, and the process that the user started.
//!
//! One thread, one poll loop. It owns the pod's lock for as long as anything of the pod lives.

pub(crate) mod app_notify;
mod apps;
mod attachments;
mod budget;
mod caller;
mod check_output;
mod checking;
mod checks;
mod clients;
mod cri_log;
mod descriptors;
mod diagnostics;
mod ended_input;
mod event_loop;
mod events;
mod in_machine;
mod interrupts;
mod isolator;
mod joining;
mod journal;
mod last_words;
mod limits;
mod line_names;
mod lines;
mod log_file;
mod log_pump;
mod logs;
mod machined;
mod names;
mod notifications;
mod peers;
mod privileges;
mod progress;
mod pump;
mod questions;
mod records;
mod report;
mod requests;
mod rlimits;
mod sharing;
mod signal_actions;
mod signals;
mod start;
mod stopping;
mod streams;
mod stuck_start;
mod supervising;
mod supervision;
mod terminal;
mod turns;

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pod::activation::ActivationSockets;
use pod::control::SOCKET_FILE;
use pod::exit::FailureKind;
use pod::manifest::{CRI_ANNOTATION, CRI_STOPPING_FILE, PodManifest};
use pod::pods_dir::LockedPod;
use pod::seqpacket::{Listener, SeqPacket};
use pod::{Phase, PodError, app_dir};

use crate::failure::StartFailure;
use crate::link::InitLink;
use crate::protocol::FromInit;

pub use self::caller::Caller;
pub use self::isolator::{Isolator, StartedAgain, StartedInit};
pub use self::names::PodNetwork;
pub use self::report::report_failure;
pub use self::signals::ending_signals;

use self::app_notify::AppNotify;
use self::diagnostics::Diagnostics;
use self::signals::block_signals;
use self::supervision::Supervision;

/// Where things are, from the environment that the stage1 contract defines.
#[derive(Debug)]
pub struct Place {
    /// The pod's runtime directory.
    pub run_dir: PathBuf,
    /// Who has started this process, and is told how the pod fares.
    pub caller: Caller,
    /// Who is connected before any app runs, if anybody is.
    pub client: Option<SeqPacket>,
    /// What to say where the pod fails at once as one whose program was called in a wrong way.
    pub hint: Option<String>,
    /// Whether an earlier call prepared the pod.
    pub was_prepared: bool,
    /// What a service manager hands to the pod's apps.
    pub sockets: ActivationSockets,
}

/// Runs a pod to its end. The result is the exit code of the `run` entry point.
pub fn run(pod: LockedPod, place: Place, isolator: &mut dyn Isolator) -> i32 {
    let Place {
        run_dir,
        mut caller,
        client,
        hint,
        was_prepared,
        sockets,
    } = place;
    let begun = Instant::now();
    let result = start_and_serve(&pod, &run_dir, (sockets, client), &mut caller, isolator);
    let cleaned = isolator.clean_up().and_then(|()| remove_run_dir(&run_dir));
    // Told when all else is done, since whoever should read it may not.
    let mut wrong: Vec<String> = Vec::new();
    let is_clean = cleaned.is_ok();
    wrong.extend(cleaned.err().map(|failure| failure.message));
    let (mut exit, diagnostics) = match result {
        Ok(end) => end,
        Err(failure) => {
            // A pod that never ran is no pod: nothing of it stays, and whoever waits to hear of it finds
            // nothing. One that somebody prepared is theirs.
            let gone = match was_prepared && is_clean {
                true => go_back(pod),
                // What is left of a sandbox its kubelet sees, and has it ended again.
                false if !is_clean && is_sandbox(&pod) => Ok(()),
                false => discard(pod, is_clean),
            };
            wrong.extend(gone.err().map(|error| error.to_string()));
            let code = failure.kind.exit_code();
            let hint = hint.filter(|_| !caller.waits() && may_be_misunderstood(failure.kind));
            wrong.extend(caller.failed(failure));
            wrong.extend(hint);
            Diagnostics::default().conclude(wrong.iter().map(String::as_str));
            return code;
        }
    };
    let stored = match exit.manifest.remove_on_exit {
        true => discard(pod, is_clean),
        false => {
            let stored = exit.store(pod.path());
            // Who hears of the end may remove the pod at once.
            drop(pod);
            stored
        }
    };
    wrong.extend(stored.err().map(|error| error.to_string()));
    exit.tell();
    if caller.waits() {
        // A pod that is up only when its apps are ready has ended before they were.
        caller.failed(exit.before_ready());
    }
    let exit_code = match exit.was_asked && caller.is_service() {
        // That is how services end that are stopped, and no failure: a service manager would take it for one.
        true => 0,
        false => exit.exit_code,
    };
    caller.ended(exit_code, exit.failure.as_deref());
    wrong.extend(exit.failure);
    let is_at_once = begun.elapsed() < AT_ONCE;
    wrong.extend(hint.filter(|_| is_at_once && CALLED_WRONG.contains(&exit.exit_code)));
    diagnostics.conclude(wrong.iter().map(String::as_str));
    exit_code
}

/// Exit codes by which programs say that they were called in a wrong way.
const CALLED_WRONG: [i32; 4] = [2, 64, 126, 127];

/// A program that looks at its command line ends sooner than this.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Whether words of the command line that were meant otherwise may be why there was no start.
fn may_be_misunderstood(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::NotFound | FailureKind::NotExecutable | FailureKind::UnknownUser
    )
}

/// Whether a pod was made for a kubelet.
fn is_sandbox(pod: &LockedPod) -> bool {
    let manifest = PodManifest::load(pod.path());
    manifest.is_ok_and(|manifest| manifest.annotations.contains_key(CRI_ANNOTATION))
}

/// Removes a pod, or leaves it to `gc` if something of it is left outside of its directory.
fn discard(mut pod: LockedPod, clean: bool) -> Result<(), PodError> {
    if clean { pod.remove() } else { pod.discard() }
}

/// Takes a pod back to where an earlier call had prepared it, to be started as if it had never been.
fn go_back(mut pod: LockedPod) -> Result<(), PodError> {
    let manifest = PodManifest::load(pod.path())?;
    for app in &manifest.apps {
        app_dir::mark_started(pod.path(), &app.name)?;
        // The overlay may have been mounted.
        app_dir::renew_work(pod.path(), &app.name)?;
    }
    app_dir::empty_removed(pod.path())?;
    pod.move_to(Phase::Prepared)
}

fn start_and_serve(
    pod: &LockedPod,
    run_dir: &Path,
    (sockets, client): (ActivationSockets, Option<SeqPacket>),
    caller: &mut Caller,
    isolator: &mut dyn Isolator,
) -> Result<(records::PodEnd, Diagnostics), StartFailure> {
    let manifest = PodManifest::load(pod.path())?;
    block_signals()?;
    make_run_dir(run_dir)?;
    rlimits::raise_for(&manifest.apps)?;
    // Before anything of the pod is there that could say something.
    let app_notify = AppNotify::listen(&manifest, run_dir)?;
    let StartedInit { process, mut link } = isolator.start(&manifest)?;
    // From here on beside pod init, which takes one message after the other as it comes.
    let mut streams = streams::Streams::new(&manifest, pod.path());
    let supervision = Supervision::of(&manifest);
    let (apps, supervision) = match supervision {
        None => (start::Apps::AtStart(sockets), None),
        Some(supervision) => {
            mark_all_created(&manifest, pod.path())?;
            let supervision = supervision.with_sockets(&manifest, sockets);
            (start::Apps::Supervised, Some(Box::new(supervision)))
        }
    };
    let peers = start::tell_init(&mut *link, &manifest, apps, &mut streams, isolator).map_err(
        |failure| {
            let told = told_at_last(&mut *link).or_else(|| isolator.explain_early_end());
            told.unwrap_or(failure)
        },
    )?;
    let listener = Listener::bind(&run_dir.join(SOCKET_FILE))?;
    let is_sandbox = is_sandbox(pod);
    records::reserve(&manifest, pod.path())?;
    let end = event_loop::Monitor::new(
        manifest,
        pod.path(),
        (link, process, isolator.companions()),
        (listener, client),
        (streams, app_notify),
        peers,
        supervision,
    )?
    .run(isolator, caller);
    if is_sandbox {
        // It isn't ready while it leaves its networks. A disk without room keeps none from ending.
        let _ = mark(pod.path(), CRI_STOPPING_FILE);
    }
    end
}

fn mark(pod_dir: &Path, name: &str) -> Result<(), PodError> {
    let path = pod_dir.join(name);
    match File::create(&path) {
        Ok(_) => Ok(()),
        Err(error) => Err(PodError::io("create", path)(error)),
    }
}

/// An app whose turn has not come has not run, whoever looks.
fn mark_all_created(manifest: &PodManifest, pod_dir: &Path) -> Result<(), PodError> {
    manifest
        .apps
        .iter()
        .try_for_each(|app| app_dir::mark_created(pod_dir, &app.name))
}

/// Why pod init is gone before it was told everything, if it said so.
fn told_at_last(link: &mut dyn InitLink) -> Option<StartFailure> {
    let all = link.last_words().ok()?;
    all.into_iter()
        .find_map(|notification| match notification.message {
            FromInit::Failed(failure) => Some(failure),
            _ => None,
        })
}

fn make_run_dir(run_dir: &Path) -> Result<(), StartFailure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(run_dir)
        .map_err(|error| PodError::io("create", run_dir)(error).into())
}

/// Removes the runtime directory with whatever is in it.
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
