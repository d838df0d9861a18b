//! Starting a pod: all but the fork, if there is one, and the exec.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::sys::signal::SigSet;
use pod::activation::ActivationSockets;
use pod::stage1::{
    ENV_CLIENT_FD, ENV_HINT, ENV_MACHINED, ENV_PREPARED, ENV_READY_FD, ENV_SERVICE, Stage1,
};
use pod::{LockedPod, Phase};
use systemd::ServiceManager;

use super::entry_point::{self, Called};
use super::folder::discard;
use crate::config::directories::Directories;
use crate::error::Error;
pub use crate::sys::InheritingCommand;

/// What an isolator is handed beside its pod.
#[derive(Debug, Clone, Copy)]
pub struct Handover<'a> {
    /// Sockets for the apps. They are announced to this very process: with sockets, it must become the isolator itself.
    pub sockets: &'a ActivationSockets,
    /// Where the isolator tells that the pod is up, or why it is not.
    pub ready: Option<BorrowedFd<'a>>,
    /// The isolator's end of a connection as those to its control socket are, with a client that is there before any app
    /// runs. The isolator has to offer `attach` for that.
    pub client: Option<BorrowedFd<'a>>,
    /// The signals that are blocked from the beginning.
    pub blocked: SigSet,
    /// The service manager that looks after the isolator, if one does.
    pub service: Option<&'a ServiceManager>,
    /// Whether the pod is to be registered with systemd-machined.
    pub machined: bool,
    /// What to say if the pod fails at once as one whose program was called in a wrong way.
    pub hint: Option<&'a str>,
}

/// A pod in phase `run` whose isolator is about to be executed. Where this is dropped before
/// [`Launch::started`], the pod does not start: one that was prepared by an earlier call can be started again, one of
/// this call goes.
#[derive(Debug)]
pub struct Launch<'a> {
    program: PathBuf,
    arguments: &'a [String],
    directories: &'a Directories,
    handover: Handover<'a>,
    pod: LockedPod,
    before: Phase,
    started: bool,
}

impl<'a> Launch<'a> {
    /// Moves the pod to phase `run`.
    ///
    /// # Errors
    /// If the isolator has no usable entry point, or the pod can't be moved; it does not start then.
    pub fn new(
        mut pod: LockedPod,
        stage1: &'a Stage1,
        directories: &'a Directories,
        handover: Handover<'a>,
    ) -> Result<Self, Error> {
        let before = pod.phase();
        let begun = stage1.run_command().map_err(Error::from);
        let begun = begun.and_then(|command| Ok((pod.move_to(Phase::Run)?, command)));
        match begun {
            Ok(((), (program, arguments))) => Ok(Self {
                program,
                arguments,
                directories,
                handover,
                pod,
                before,
                started: false,
            }),
            Err(error) => {
                back_to(before, &mut pod);
                Err(error)
            }
        }
    }

    /// The command that becomes the monitor: to be executed in the place of this process, or spawned. It inherits the
    /// pod's lock and what is handed over.
    pub fn command(&self) -> InheritingCommand<'_> {
        let Handover {
            sockets,
            ready,
            client,
            blocked,
            service,
            machined,
            hint,
        } = self.handover;
        let hint = hint.map(|hint| (ENV_HINT, hint.into()));
        let prepared =
            (self.before == Phase::Prepared).then(|| (ENV_PREPARED, OsString::from("1")));
        let numbered = |name, fd: Option<BorrowedFd<'_>>| {
            fd.map(|fd| (name, OsString::from(fd.as_raw_fd().to_string())))
        };
        let is_service = service.is_some_and(|service| service.is_main);
        let is_service = is_service.then(|| (ENV_SERVICE, OsString::from("1")));
        let of_service = service.into_iter().flat_map(ServiceManager::variables);
        let machined = machined.then(|| (ENV_MACHINED, OsString::from("1")));
        let of_service = of_service.chain(is_service).chain(machined);
        let announcement = sockets.announcement().into_iter();
        let readiness = numbered(ENV_READY_FD, ready);
        entry_point::command(
            (&self.program, self.arguments),
            &Called::locked(&self.pod),
            self.directories,
            sockets
                .iter()
                .map(|socket| socket.fd.as_fd())
                .chain(ready)
                .chain(client),
            readiness
                .into_iter()
                .chain(numbered(ENV_CLIENT_FD, client))
                .chain(hint)
                .chain(prepared)
                .chain(of_service)
                .chain(announcement.map(|(name, value)| (name, value.into()))),
            Some(blocked),
        )
    }

    /// The isolator's program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The command has been spawned: the pod is its monitor's from now on.
    pub fn started(mut self) {
        self.started = true;
    }
}

impl Drop for Launch<'_> {
    fn drop(&mut self) {
        if !self.started {
            back_to(self.before, &mut self.pod);
        }
    }
}

/// A pod that is not started after all: one that was prepared by an earlier call can be started again, one of this call
/// goes.
pub fn give_up(mut pod: LockedPod) {
    back_to(pod.phase(), &mut pod);
}

fn back_to(before: Phase, pod: &mut LockedPod) {
    if before != Phase::Prepared || pod.move_to(before).is_err() {
        discard(pod);
    }
}
