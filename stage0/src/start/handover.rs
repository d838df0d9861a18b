//! Handing a pod over to its isolator: this process becomes the monitor, or a child of it does.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, OwnedFd};

use engine::Error;
use engine::config::directories::Directories;
use engine::config::files::Config;
use engine::pods::background::clear;
use engine::pods::ending::wait_for_lock;
use engine::pods::removal::remove_left;
use engine::pods::start::{Handover, Launch, give_up};
use engine::pods::stop::end_remains;
use nix::fcntl::OFlag;
use nix::sys::signal::SigSet;
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, pipe2, setsid};
use pod::activation::ActivationSockets;
use pod::exit::FailureKind;
use pod::seqpacket::SeqPacket;
use pod::stage1::{Readiness, Stage1};
use pod::{LockedPod, Phase, PodUuid};
use systemd::ServiceManager;

use super::background::{self, Forked};
use super::readiness::{HeldSignals, Outcome, await_readiness};
use super::service;
use crate::console::output;
use crate::context::Context;
use crate::sys;
use crate::wording::failure::Failure;

/// Takes over what a service manager has started this command with: sockets for the apps, and what the command itself is
/// told and has to tell. To be called before anything is opened.
///
/// # Errors
/// [`Failure::Usage`] if what is announced makes no sense: that is the doing of who started this command.
pub(crate) fn take_sockets() -> Result<ActivationSockets, Failure> {
    service::take();
    ActivationSockets::from_environment().map_err(|error| Failure::Usage(error.to_string()))
}

/// Hands the pod over to its isolator, with these sockets for its apps: in the background, or in the place of this
/// process.
///
/// # Errors
/// Why the pod did not start; nothing of it is left then.
pub(crate) fn hand_over(
    pod: LockedPod,
    stage1: &Stage1,
    context: &Context,
    sockets: ActivationSockets,
    in_background: bool,
) -> Result<u8, Failure> {
    if in_background {
        let uuid = pod.uuid().to_string();
        let by_manager = service::manager();
        let handed = Handed {
            sockets,
            client: None,
            service: by_manager,
            machined: registers(&context.engine.directories),
        };
        let (_signals, monitor) = detach(pod, stage1, context, handed)?;
        service::hand_over_to(monitor);
        // Otherwise nobody would know what to call it.
        output::line(&uuid).inspect_err(|_| output::warn(&format!("pod {uuid} runs")))?;
        return Ok(0);
    }
    let directories = &context.engine.directories;
    let handover = Handover {
        sockets: &sockets,
        ready: None,
        client: None,
        blocked: SigSet::empty(),
        service: service::manager(),
        machined: registers(directories),
        hint: context.doubt.as_deref(),
    };
    Err(become_monitor(pod, stage1, directories, handover))
}

/// Starts the pod in the background without sockets. Somebody may be connected to its monitor before any app runs: this is
/// the monitor's end. Signals are held when this returns.
///
/// # Errors
/// As [`hand_over`].
pub(crate) fn in_background(
    pod: LockedPod,
    stage1: &Stage1,
    context: &Context,
    client: Option<SeqPacket>,
) -> Result<HeldSignals, Failure> {
    let handed = Handed {
        sockets: ActivationSockets::default(),
        client,
        service: None,
        machined: false,
    };
    let (signals, _) = detach(pod, stage1, context, handed)?;
    Ok(signals)
}

/// Moves the pod to phase `run` and becomes its monitor. Returns only if that fails; then nothing of the pod is
/// left, or what there was before.
fn become_monitor(
    pod: LockedPod,
    stage1: &Stage1,
    directories: &Directories,
    handover: Handover<'_>,
) -> Failure {
    match Launch::new(pod, stage1, directories, handover) {
        Ok(launch) => {
            let error = launch.command().exec();
            Failure::io("execute", launch.program())(error)
        }
        Err(error) => error.into(),
    }
}

/// What a monitor in the background is handed.
struct Handed {
    sockets: ActivationSockets,
    client: Option<SeqPacket>,
    service: Option<&'static ServiceManager>,
    machined: bool,
}

/// Whether the pod is to be registered with systemd-machined: if it is a service, and nobody has said otherwise.
fn registers(directories: &Directories) -> bool {
    // Who prepared the pod has read the same.
    let may_be = || Config::read(directories).is_ok_and(|config| config.machined());
    service::manager().is_some_and(|manager| manager.is_main) && may_be()
}

/// Starts the pod in the background, in a session of its own, and waits until it is up. A signal until then gives the
/// start up, and nothing of the pod is left. The result has the process that has become its monitor.
///
/// # Errors
/// Why it did not come up.
fn detach(
    pod: LockedPod,
    stage1: &Stage1,
    context: &Context,
    handed: Handed,
) -> Result<(HeldSignals, Pid), Failure> {
    let Between {
        null,
        reader,
        writer,
        signals,
    } = match Between::new() {
        Ok(between) => between,
        Err(failure) => {
            give_up(pod);
            return Err(failure);
        }
    };
    let before = pod.phase();
    let directories = &context.engine.directories;
    let is_notified = |manager: &ServiceManager| manager.notify_socket.is_some();
    let forked = match handed.service.is_some_and(is_notified) {
        true => background::adopted(),
        false => background::child(),
    };
    match forked {
        Err(errno) => {
            give_up(pod);
            Err(Failure::Other(format!("cannot fork: {errno}")))
        }
        Ok(Forked::Monitor) => {
            drop(reader);
            let failure = match leave_session(&null) {
                Ok(()) => {
                    let handover = Handover {
                        sockets: &handed.sockets,
                        ready: Some(writer.as_fd()),
                        client: handed.client.as_ref().map(AsFd::as_fd),
                        blocked: signals.held(),
                        service: handed.service,
                        machined: handed.machined,
                        // Nobody would see it.
                        hint: None,
                    };
                    become_monitor(pod, stage1, directories, handover)
                }
                Err(failure) => {
                    give_up(pod);
                    failure
                }
            };
            report(writer, &failure);
            std::process::exit(i32::from(failure.exit_code()));
        }
        Ok(Forked::Command(monitor)) => {
            drop(writer);
            let uuid = pod.uuid();
            // The child holds the lock and the sockets by descriptors of its own.
            drop((pod, handed));
            match await_readiness(monitor, reader, signals) {
                Outcome::Up(signals, monitor) => Ok((signals, monitor)),
                Outcome::Failed(failure) => {
                    if let Failure::Engine(Error::Monitor(_)) = &failure {
                        // It was killed, and has undone nothing. What made it fail is to be told of; `gc` repeats this.
                        let _ = undo(uuid, before, context);
                    }
                    Err(failure)
                }
                Outcome::GivenUp {
                    failure,
                    killed: true,
                } => Err(failure),
                Outcome::GivenUp {
                    failure,
                    killed: false,
                } => {
                    remove_left(uuid, &context.engine, &context.console)?;
                    Err(failure)
                }
            }
        }
    }
}

/// Clears up after a monitor that was killed before its pod was up. A pod that an earlier command has made stays.
fn undo(uuid: PodUuid, before: Phase, context: &Context) -> Result<(), Error> {
    if before == Phase::Prepare {
        return clear(uuid, &context.engine, &context.console);
    }
    if let Some(entry) = context.engine.pods().by_uuid(uuid)? {
        wait_for_lock(&entry)?;
        end_remains(&entry, &context.engine, &context.console)?;
    }
    Ok(())
}

/// What a command and the monitor that it starts in the background have between them.
struct Between {
    null: File,
    reader: OwnedFd,
    writer: OwnedFd,
    signals: HeldSignals,
}

impl Between {
    fn new() -> Result<Self, Failure> {
        let null = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map_err(Failure::io("open", "/dev/null"))?;
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC)
            .map_err(|errno| Failure::Other(format!("cannot make a pipe: {errno}")))?;
        Ok(Self {
            null,
            reader,
            writer,
            signals: HeldSignals::hold()?,
        })
    }
}

fn leave_session(null: &File) -> Result<(), Failure> {
    setsid()
        .map(drop)
        .and_then(|()| dup2_stdin(null))
        .and_then(|()| dup2_stdout(null))
        .and_then(|()| dup2_stderr(null))
        // What the caller left open, such as a pipe or a lock, would stay so for as long as the pod
        // runs. What the isolator needs is let through after this.
        .and_then(|()| sys::keep_descriptors_from_exec())
        .map_err(|errno| Failure::Other(format!("cannot leave the session: {errno}")))
}

fn report(writer: OwnedFd, failure: &Failure) {
    let readiness = Readiness::Failed {
        kind: FailureKind::Other,
        message: failure.line(),
    };
    // If the parent is gone there is nobody to tell.
    let _ = serde_json::to_writer(File::from(writer), &readiness);
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use pod::stage1::{CONTRACT_VERSION, Entrypoints, Stage1Manifest};

    use super::*;

    /// An isolator that says which of some descriptors it has.
    fn isolator(folder: &std::path::Path, numbers: &[i32]) -> Stage1 {
        let program = folder.join("run");
        let tests = numbers
            .iter()
            .map(|number| format!("test -e /proc/self/fd/{number} && echo {number}\n"));
        let script: String = std::iter::once("#!/bin/sh\n".to_owned())
            .chain(tests)
            .collect();
        std::fs::write(&program, script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        let entrypoint = || vec!["run".to_owned()];
        Stage1 {
            path: folder.to_path_buf(),
            manifest: Stage1Manifest {
                name: "echo".to_owned(),
                version: "1".to_owned(),
                contract_version: CONTRACT_VERSION,
                features: [].into(),
                isolates: true,
                entrypoints: Entrypoints {
                    run: entrypoint(),
                    gc: entrypoint(),
                    copy: Vec::new(),
                },
            },
        }
    }

    #[test]
    fn the_isolator_inherits_the_lock_and_nothing_that_the_caller_left_open() {
        let dir = tempfile::tempdir().unwrap();
        let pod = pod::PodsDir::new(dir.path())
            .create(pod::PodUuid::random())
            .unwrap();
        // Without the flag, as a careless caller's are.
        let (stray, ready) = nix::unistd::pipe().unwrap();
        sys::keep_descriptors_from_exec().unwrap();
        let lock = pod.lock().as_fd().as_raw_fd();
        let (stray, ready_fd) = (stray.as_raw_fd(), ready.as_raw_fd());
        let stage1 = isolator(dir.path(), &[lock, ready_fd, stray]);
        let directories = Directories {
            data: dir.path().to_path_buf(),
            run: dir.path().join("run.d"),
            local_config: dir.path().join("etc"),
            system_config: dir.path().join("usr"),
            isolators: None,
        };
        let handover = Handover {
            sockets: &ActivationSockets::default(),
            ready: Some(ready.as_fd()),
            client: None,
            blocked: SigSet::empty(),
            service: None,
            machined: false,
            hint: None,
        };
        let launch = Launch::new(pod, &stage1, &directories, handover).unwrap();
        let said = launch.command().output().unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert_eq!(said, format!("{lock}\n{ready_fd}\n"));
    }
}
