//! Templates: machines that have booted once, and whose copies go on from there.
//!
//! A template is made at first use, without anything of a pod or an image, and kept beside what it was booted from. A copy
//! shares its memory until it changes it. Where there is no template, or none that can be used, the machine boots.

mod copy;
mod holders;
mod key;
mod maker;
mod memory;
mod placeholder;
mod port;
mod process;
mod store;

use std::os::fd::OwnedFd;
use std::path::Path;

use pod::exit::FailureKind;
use stage1::failure::StartFailure;

use self::copy::Copied;
use self::key::Key;
use self::store::Templates;
use crate::machine::{Parts, Starter};
use crate::output::Output;

/// How a pod's machine has begun, where it could have been as a copy.
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    /// What it shares with other copies: as long as it is open here, later ones can have it too.
    memory: Option<OwnedFd>,
    warning: Option<String>,
}

impl Beginning {
    /// Starts the pod's machine as a copy if that is asked for: the pidfd of its program, and the end of its serial port.
    /// `None` if it has to boot; who asked for a copy is told why. `run_dir` is the pod's runtime directory, and
    /// `output` what a machine with these parts says.
    pub(crate) fn copy(
        &mut self,
        starter: &Starter<'_>,
        parts: &Parts,
        run_dir: &Path,
        output: &Output,
    ) -> Option<(OwnedFd, OwnedFd)> {
        if !starter.asked().template {
            return None;
        }
        match start(starter, parts, run_dir) {
            Ok((Copied { process, link }, memory)) => {
                self.memory = Some(memory);
                Some((process, link))
            }
            Err(failure) => {
                // It is not said again of the machine that boots.
                let reason = failure.message + &output.reason().unwrap_or_default();
                self.warning = Some(format!(
                    "the pod's virtual machine boots, and is no copy of a template: {reason}"
                ));
                None
            }
        }
    }

    /// What the user should be told.
    pub(crate) fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }
}

/// Starts the pod's machine as a copy of a template, which is made if there is none. The result is it and its memory.
fn start(
    starter: &Starter<'_>,
    parts: &Parts,
    run_dir: &Path,
) -> Result<(Copied, OwnedFd), StartFailure> {
    if !parts.shares.is_empty() {
        return Err(StartFailure::other(
            "it shares files with the host, for volumes, kept files or apps that join",
        ));
    }
    if parts.checks_disks {
        return Err(StartFailure::other(
            "its kernel checks what it reads of its images, as the rules of the images want it",
        ));
    }
    let key = Key::of(starter, parts)?;
    let templates = Templates::beside(&parts.boot);
    let kept = match templates.find(&key)? {
        Some(kept) => kept,
        None => maker::make(starter, parts, &templates, &key)?,
    };
    let at_hand = kept.memory.or_else(|| holders::memory_of(run_dir, &key));
    let (memory, loading) = match at_hand {
        Some(memory) => (memory, None),
        None => {
            let (memory, loading) = templates.begin_loading(&key)?;
            (memory, Some(loading))
        }
    };
    let fill = || loading.map_or(Ok(()), |loading| templates.load(&key, loading));
    let copied = copy::start(starter, parts, &memory, kept.state, fill);
    let copied = copied.inspect_err(|failure| {
        // It may be the template that is wrong, unless nobody waited for the copy: the next start makes another one.
        if !matches!(failure.kind, FailureKind::Interrupted { .. }) {
            templates.remove(&key);
        }
    })?;
    holders::record(run_dir, &key, &memory);
    Ok((copied, memory))
}
