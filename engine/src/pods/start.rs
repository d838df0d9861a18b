//! Starting a pod: all but the fork, if there is one, and the exec.

use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::SigSet;
use pod::activation::ActivationSockets;
use pod::stage1::{ENV_READY_FD, Stage1};
use pod::{LockedPod, Phase};

use super::entry_point;
use super::folder::discard;
use crate::config::directories::Directories;
use crate::error::Error;

/// What an isolator is handed beside its pod.
#[derive(Debug, Clone, Copy)]
pub struct Handover<'a> {
    /// Sockets for the apps. They are announced to this very process: with sockets, it must become the isolator itself.
    pub sockets: &'a ActivationSockets,
    /// Where the isolator tells that the pod is up, or why it is not.
    pub ready: Option<BorrowedFd<'a>>,
    /// The signals that are blocked from the beginning.
    pub blocked: SigSet,
}

/// A pod in phase `run` whose isolator is about to be executed. Where this is dropped before
/// [`Launch::started`], the pod does not start: one that was prepared by an earlier call can be started again, one of
/// this call goes.
#[derive(Debug)]
pub struct Launch<'a> {
    command: Command,
    program: PathBuf,
    pod: Option<LockedPod>,
    before: Phase,
    /// What the command inherits stays open for as long as it is.
    _inherited: PhantomData<Handover<'a>>,
}

impl<'a> Launch<'a> {
    /// Moves the pod to phase `run`.
    ///
    /// # Errors
    /// If the isolator has no usable entry point, or the pod can't be moved; it does not start then.
    #[expect(
        unsafe_code,
        reason = "the pod and the descriptors live as long as the command"
    )]
    pub fn new(
        mut pod: LockedPod,
        stage1: &Stage1,
        directories: &Directories,
        handover: Handover<'a>,
    ) -> Result<Self, Error> {
        let before = pod.phase();
        let begun = stage1.run_command().map_err(Error::from);
        let begun = begun.and_then(|command| Ok((pod.move_to(Phase::Run)?, command)));
        let ((), (program, arguments)) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                back_to(before, pod);
                return Err(error);
            }
        };
        let sockets = handover.sockets;
        let descriptors = sockets.iter().map(|socket| socket.fd.as_raw_fd());
        let descriptors = descriptors.chain(handover.ready.map(|ready| ready.as_raw_fd()));
        let (descriptors, blocked) = (descriptors.collect(), Some(handover.blocked));
        // SAFETY: the descriptors are borrowed for as long as this lives, and the pod is part of it.
        let mut command = unsafe {
            entry_point::command(&program, arguments, &pod, directories, descriptors, blocked)
        };
        if let Some(ready) = handover.ready {
            command.env(ENV_READY_FD, ready.as_raw_fd().to_string());
        }
        command.envs(sockets.announcement());
        Ok(Self {
            command,
            program,
            pod: Some(pod),
            before,
            _inherited: PhantomData,
        })
    }

    /// The command that becomes the monitor: to be executed in the place of this process, or spawned.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// The isolator's program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The command has been spawned: the pod is its monitor's from now on.
    pub fn started(mut self) {
        drop(self.pod.take());
    }
}

impl Drop for Launch<'_> {
    fn drop(&mut self) {
        if let Some(pod) = self.pod.take() {
            back_to(self.before, pod);
        }
    }
}

/// A pod that is not started after all: one that was prepared by an earlier call can be started again, one of this call
/// goes.
pub fn give_up(pod: LockedPod) {
    back_to(pod.phase(), pod);
}

fn back_to(before: Phase, mut pod: LockedPod) {
    if before != Phase::Prepared || pod.move_to(before).is_err() {
        discard(pod);
    }
}
