//! By what a template is known: all that a copy has to have in common with it.

use std::fmt;
use std::fs;

use image_layer::sha256;
use stage1::failure::StartFailure;

use crate::boot_files::facts_of;
use crate::machine::{Parts, Starter};

/// A change of how templates are made.
const FORM: u32 = 3;
/// A template is as old as the host's boot at most: how fast its time goes was measured then, and what the processor can
/// do may have been changed since.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The key of a template, which begins with that of the host's boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(String);

impl Key {
    /// Of the template for this machine.
    ///
    /// # Errors
    /// What can't be looked at.
    pub(super) fn of(starter: &Starter<'_>, parts: &Parts) -> Result<Self, StartFailure> {
        let asked = starter.asked();
        let program = starter.program.display();
        let found = fs::metadata(starter.program)
            .map_err(StartFailure::os(format_args!("look at {program}")))?;
        let boot = fs::read_to_string(BOOT_ID)
            .map_err(StartFailure::os(format_args!("read {BOOT_ID}")))?;
        // What it boots from is named by the directory where it is kept.
        let all = format!(
            "{FORM} {program} {} {} {} {:?} {} {}",
            facts_of(&found),
            parts.size.memory,
            parts.size.cpus,
            asked.accelerator,
            parts.disks.len(),
            parts.interfaces.len(),
        );
        let (boot, digest) = (boot.trim(), sha256(all.as_bytes()));
        Ok(Self(format!("{boot}.{}", digest.hex())))
    }
}

#[cfg(test)]
impl Key {
    pub(super) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
