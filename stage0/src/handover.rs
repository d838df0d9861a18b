//! Handing a pod over to its isolator: this process becomes the monitor.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::signal::SigSet;
use nix::unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, pipe2, setsid};
use pod::activation::{self, ActivationSockets};
use pod::exit::FailureKind;
use pod::stage1::{
    ENV_DIR, ENV_LAYERS_DIR, ENV_LOCAL_CONFIG, ENV_LOCK_FD, ENV_READY_FD, ENV_RUN, ENV_RUN_DIR,
    ENV_SYSTEM_CONFIG, Readiness, Stage1,
};
use pod::{LockedPod, Phase, PodUuid};

use crate::activation::refused;
use crate::context::Context;
use crate::failure::Failure;
use crate::paths::Directories;
use crate::prepare::discard;
use crate::readiness::{HeldSignals, Outcome, await_readiness};
use crate::{output, pod_removal, sys};

/// A command of the isolator for a pod: in its folder, with its lock.
///
/// # Errors
/// If the isolator has no such entry point or the lock can't be handed on.
pub(crate) fn entry_point(
    program: &std::path::Path,
    arguments: &[String],
    pod: &LockedPod,
    directories: &Directories,
) -> Result<Command, Failure> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(pod.path())
        .env(ENV_LOCK_FD, pod.lock().pass_on()?.to_string())
        .env(ENV_RUN_DIR, directories.pod_run(pod.uuid()))
        .env(ENV_LAYERS_DIR, directories.layers())
        .env(ENV_DIR, &directories.data)
        .env(ENV_RUN, &directories.run)
        .env(ENV_LOCAL_CONFIG, &directories.local_config)
        .env(ENV_SYSTEM_CONFIG, &directories.system_config)
        .env_remove(ENV_READY_FD);
    for variable in activation::VARIABLES {
        command.env_remove(variable);
    }
    Ok(command)
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
    match in_background {
        true => detach(pod, stage1, context, sockets),
        false => Err(become_monitor(pod, stage1, &context.directories, &sockets)),
    }
}

/// Moves the pod to phase `run` and becomes its monitor, with these sockets for its apps. Returns only if that
/// fails; then nothing of the pod is left.
fn become_monitor(
    pod: LockedPod,
    stage1: &Stage1,
    directories: &Directories,
    sockets: &ActivationSockets,
) -> Failure {
    match start(pod, stage1, directories, sockets, None, &SigSet::empty()) {
        Ok(never) => match never {},
        Err(failure) => failure,
    }
}

enum Never {}

fn start(
    mut pod: LockedPod,
    stage1: &Stage1,
    directories: &Directories,
    sockets: &ActivationSockets,
    ready: Option<&OwnedFd>,
    blocked: &SigSet,
) -> Result<Never, Failure> {
    let before = pod.phase();
    let result = exec(&mut pod, stage1, directories, sockets, ready, blocked);
    if result.is_err() {
        give_up(pod, before);
    }
    result
}

/// A pod that was prepared by an earlier command can be started again; one of this command goes.
fn give_up(mut pod: LockedPod, before: Phase) {
    if before != Phase::Prepared || pod.move_to(before).is_err() {
        discard(pod);
    }
}

fn exec(
    pod: &mut LockedPod,
    stage1: &Stage1,
    directories: &Directories,
    sockets: &ActivationSockets,
    ready: Option<&OwnedFd>,
    blocked: &SigSet,
) -> Result<Never, Failure> {
    let (program, arguments) = stage1.run_command()?;
    pod.move_to(Phase::Run)?;
    let mut command = entry_point(&program, arguments, pod, directories)?;
    if let Some(ready) = ready {
        fcntl(ready, FcntlArg::F_SETFD(FdFlag::empty()))
            .map_err(|errno| Failure::Other(format!("cannot hand a pipe on: {errno}")))?;
        command.env(ENV_READY_FD, ready.as_raw_fd().to_string());
    }
    command.envs(sockets.pass_on().map_err(refused)?);
    blocked
        .thread_set_mask()
        .map_err(|errno| Failure::Other(format!("cannot unblock signals: {errno}")))?;
    Err(Failure::io("execute", &program)(command.exec()))
}

/// Starts the pod in the background, in a session of its own. Gives the exit code once the pod is up:
/// its UUID has been printed. A signal until then gives the start up, and nothing of the pod is left.
///
/// # Errors
/// Why it did not come up.
fn detach(
    pod: LockedPod,
    stage1: &Stage1,
    context: &Context,
    sockets: ActivationSockets,
) -> Result<u8, Failure> {
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(Failure::io("open", "/dev/null"))?;
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)
        .map_err(|errno| Failure::Other(format!("cannot make a pipe: {errno}")))?;
    let signals = HeldSignals::hold()?;
    let directories = &context.directories;
    match sys::fork_single_threaded() {
        Err(errno) => {
            let before = pod.phase();
            give_up(pod, before);
            Err(Failure::Other(format!("cannot fork: {errno}")))
        }
        Ok(ForkResult::Child) => {
            drop(reader);
            let failure = match leave_session(&null) {
                Ok(()) => {
                    let blocked = signals.held();
                    match start(pod, stage1, directories, &sockets, Some(&writer), &blocked) {
                        Ok(never) => match never {},
                        Err(failure) => failure,
                    }
                }
                Err(failure) => {
                    let before = pod.phase();
                    give_up(pod, before);
                    failure
                }
            };
            report(writer, &failure);
            std::process::exit(i32::from(failure.exit_code()));
        }
        Ok(ForkResult::Parent { child }) => {
            drop(writer);
            let uuid = pod.uuid();
            // The child holds the lock and the sockets by descriptors of its own.
            drop((pod, sockets));
            match await_readiness(child, reader, signals) {
                Outcome::Up => {
                    output::line(&uuid.to_string())?;
                    Ok(0)
                }
                Outcome::Failed(failure) => Err(failure),
                Outcome::GivenUp {
                    failure,
                    killed: true,
                } => Err(failure),
                Outcome::GivenUp {
                    failure,
                    killed: false,
                } => {
                    clear(uuid, context)?;
                    Err(failure)
                }
            }
        }
    }
}

/// Removes what a monitor has left of a pod that nobody heard of, such as the records of apps that had begun.
fn clear(uuid: PodUuid, context: &Context) -> Result<(), Failure> {
    let pods = context.pods();
    let Some(entry) = pods.by_uuid(uuid)? else {
        return Ok(());
    };
    match pods.lock(&entry) {
        Ok(pod) => pod_removal::remove(pod, context),
        // Another command removes it.
        Err(error) if pod_removal::lost_race(&error) => Ok(()),
        Err(error) => Err(error.into()),
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

/// Runs the isolator's `gc` entry point for a pod in phase `garbage`.
///
/// # Errors
/// If it can't be run or does not succeed.
pub(crate) fn run_gc(
    pod: &LockedPod,
    stage1: &Stage1,
    directories: &Directories,
) -> Result<(), Failure> {
    let (program, arguments) = stage1.gc_command()?;
    let ended = entry_point(&program, arguments, pod, directories)?
        .stdin(Stdio::null())
        .stdout(Stdio::inherit())
        .stderr(Stdio::piped())
        .output()
        .map_err(Failure::io("execute", &program))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    if ended.status.success() {
        output::error(&said);
        return Ok(());
    }
    let lines = said.lines().filter(|line| !line.trim().is_empty());
    let reason = lines
        .map(|line| line.strip_prefix("fairing: ").unwrap_or(line))
        .collect::<Vec<_>>()
        .join("; ");
    Err(Failure::Other(match reason.as_str() {
        "" => format!(
            "pod {} can't be removed: the gc entry point of {} failed: {}",
            pod.uuid(),
            program
                .file_name()
                .unwrap_or(OsStr::new("stage1"))
                .display(),
            ended.status
        ),
        reason => format!("pod {} can't be removed: {reason}", pod.uuid()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_isolator_inherits_the_lock_and_nothing_that_the_caller_left_open() {
        let dir = tempfile::tempdir().unwrap();
        let pod = pod::PodsDir::new(dir.path())
            .create(pod::PodUuid::random())
            .unwrap();
        // Without the flag, as a careless caller's are.
        let (stray, ready) = nix::unistd::pipe().unwrap();
        sys::keep_descriptors_from_exec().unwrap();
        let lock = pod.lock().pass_on().unwrap();
        fcntl(&ready, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let is_open = |number: i32| {
            let test = format!("test -e /proc/self/fd/{number}");
            let status = Command::new("/bin/sh").args(["-c", &test]).status();
            status.unwrap().success()
        };
        assert!(is_open(lock));
        assert!(is_open(ready.as_raw_fd()));
        assert!(!is_open(stray.as_raw_fd()));
    }
}
