//! The entry points of an isolator: how they are called, and those that are called for pods that don't run.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::SigSet;
use pod::activation::VARIABLES;
use pod::control::CopyRequest;
use pod::stage1::{
    ENV_CLIENT_FD, ENV_DIR, ENV_ENTRY_POINT, ENV_HINT, ENV_LAYERS_DIR, ENV_LOCAL_CONFIG,
    ENV_LOCK_FD, ENV_MACHINED, ENV_PREPARED, ENV_READY_FD, ENV_RUN, ENV_RUN_DIR, ENV_SERVICE,
    ENV_SYSTEM_CONFIG, Stage1,
};
use pod::{LockedPod, PodEntry, PodError, PodUuid};

use systemd::manager;

use crate::config::directories::Directories;
use crate::error::{Clearing, Error, MonitorError};
use crate::observer::{Observer, Warning};
use crate::sys::InheritingCommand;

/// A pod that the isolator is called for.
pub(super) struct Called<'a> {
    /// Its directory.
    path: &'a Path,
    uuid: PodUuid,
    /// Its lock, if it is held.
    lock: Option<BorrowedFd<'a>>,
}

impl<'a> Called<'a> {
    /// One whose lock is held.
    pub(super) fn locked(pod: &'a LockedPod) -> Self {
        Self {
            path: pod.path(),
            uuid: pod.uuid(),
            lock: Some(pod.lock().as_fd()),
        }
    }

    /// One that has ended.
    pub(super) fn ended(entry: &'a PodEntry) -> Self {
        Self {
            path: &entry.path,
            uuid: entry.uuid,
            lock: None,
        }
    }
}

/// A command of the isolator for a pod: in its directory, with its lock, these descriptors, and these variables.
pub(super) fn command<'fd>(
    (program, arguments): (&Path, &[String]),
    pod: &Called<'fd>,
    directories: &Directories,
    descriptors: impl IntoIterator<Item = BorrowedFd<'fd>>,
    variables: impl IntoIterator<Item = (&'static str, OsString)>,
    blocked: Option<SigSet>,
) -> InheritingCommand<'fd> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(pod.path)
        .env_remove(ENV_ENTRY_POINT)
        .env_remove(ENV_LOCK_FD)
        .env(ENV_RUN_DIR, directories.pod_run(pod.uuid))
        .env(ENV_LAYERS_DIR, directories.layers())
        .env(ENV_DIR, &directories.data)
        .env(ENV_RUN, &directories.run)
        .env(ENV_LOCAL_CONFIG, &directories.local_config)
        .env(ENV_SYSTEM_CONFIG, &directories.system_config)
        .env_remove(ENV_READY_FD)
        .env_remove(ENV_CLIENT_FD)
        .env_remove(ENV_HINT)
        .env_remove(ENV_PREPARED)
        .env_remove(ENV_SERVICE)
        .env_remove(ENV_MACHINED);
    for variable in VARIABLES.iter().chain(&manager::VARIABLES) {
        command.env_remove(variable);
    }
    command.envs(variables);
    if let Some(lock) = pod.lock {
        command.env(ENV_LOCK_FD, lock.as_raw_fd().to_string());
    }
    let descriptors: Vec<_> = descriptors.into_iter().chain(pod.lock).collect();
    InheritingCommand::new(command, &descriptors, blocked)
}

/// Runs the isolator's `gc` entry point for a pod that doesn't run.
///
/// # Errors
/// If it can't be run or does not succeed.
pub(super) fn run_gc(
    pod: &LockedPod,
    stage1: &Stage1,
    directories: &Directories,
    clearing: Clearing,
    observer: &dyn Observer,
) -> Result<(), Error> {
    let (program, arguments) = stage1.gc_command()?;
    let ended = command(
        (&program, arguments),
        &Called::locked(pod),
        directories,
        [],
        [(ENV_ENTRY_POINT, OsString::from("gc"))],
        None,
    )
    .stdin(Stdio::null())
    .stdout(Stdio::null())
    .stderr(Stdio::piped())
    .output()
    .map_err(Error::io("execute", &program))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    let lines = said.lines().filter(|line| !line.trim().is_empty());
    if ended.status.success() {
        for line in lines {
            observer.warning(Warning::Isolator(line.to_owned()));
        }
        return Ok(());
    }
    Err(Error::Monitor(MonitorError::Gc {
        uuid: pod.uuid(),
        clearing,
        program: program
            .file_name()
            .unwrap_or(OsStr::new("stage1"))
            .to_owned(),
        status: ended.status,
        said: lines
            .map(|line| line.strip_prefix("fairing: ").unwrap_or(line))
            .collect::<Vec<_>>()
            .join("; "),
    }))
}

/// Has the isolator copy files out of a pod that doesn't run, or into it: a process whose standard streams are pipes.
///
/// # Errors
/// If the isolator does not do that, or can't be run.
pub(super) fn run_copy(
    pod: &Called<'_>,
    stage1: &Stage1,
    directories: &Directories,
    request: &CopyRequest,
) -> Result<Child, Error> {
    let (program, arguments) = stage1.copy_command()?;
    let request = request.to_argument().map_err(PodError::Protocol)?;
    let arguments: Vec<String> = arguments.iter().cloned().chain([request]).collect();
    let named = [(ENV_ENTRY_POINT, OsString::from("copy"))];
    command((&program, &arguments), pod, directories, [], named, None)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::io("execute", &program))
}
