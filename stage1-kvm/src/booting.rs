//! A machine that boots: one that is stuck on its way is started a second time.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Instant;

use pod::machine::MachineRecord;
use pod::manifest::PodManifest;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use stage1::failure::StartFailure;
use stage1::link::process::pid_of;

use crate::machine::Parts;
use crate::stillness::Stillness;

/// A machine that has not said a word, and what it takes to start another one in its place.
#[derive(Debug)]
pub(crate) struct Booting {
    pub(crate) program: PathBuf,
    pub(crate) manifest: PodManifest,
    /// Until they are used. What is shared with the host is not among them: that ends with the first machine.
    pub(crate) parts: Option<Parts>,
    pub(crate) user: u32,
    pub(crate) record: MachineRecord,
    process: Option<OwnedFd>,
    stillness: Stillness,
}

impl Booting {
    pub(crate) fn new(
        program: PathBuf,
        manifest: PodManifest,
        parts: Parts,
        user: u32,
        record: MachineRecord,
    ) -> Self {
        Self {
            program,
            manifest,
            parts: Some(parts),
            user,
            record,
            process: None,
            stillness: Stillness::default(),
        }
    }

    /// This process runs it.
    pub(crate) fn begin(&mut self, process: &OwnedFd) -> Result<(), StartFailure> {
        let process = process.try_clone();
        self.process = Some(process.map_err(StartFailure::os("duplicate a descriptor"))?);
        self.stillness = Stillness::default();
        Ok(())
    }

    /// Whether it is stuck.
    pub(crate) fn is_stuck(&mut self) -> bool {
        let pid = self.process.as_ref().and_then(pid_of);
        pid.is_some_and(|pid| self.stillness.is_stuck(pid, Instant::now()))
    }

    /// Ends it.
    pub(crate) fn end(&self) {
        if let Some(process) = &self.process {
            // It may have ended meanwhile.
            let _ = pidfd_send_signal(process, Signal::KILL);
            let _ = waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED);
        }
    }
}
