//! What an app may do: capabilities, system calls, and which parts of `/proc` and `/sys` it sees.

use std::ffi::CStr;

use caps::Capability;

use crate::failure::StartFailure;
use crate::protocol::Protections;

/// The capabilities that an app's root user has: those of CRI-O's default, the smallest set of all
/// runtimes that pass the CRI validation suite. Users other than root have none.
pub const DEFAULT_CAPABILITIES: [Capability; 9] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_SETUID,
];

/// What an app is confined by, once the user has given up some of it by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Confinement {
    /// Bounding set of capabilities; what root has.
    pub(crate) capabilities: u64,
    /// Whether system calls are filtered.
    pub(crate) filters_calls: bool,
    /// Whether paths of `/proc` and `/sys` are masked and read-only.
    pub(crate) guards_paths: bool,
}

impl Confinement {
    /// By these protections.
    pub(crate) fn by(protections: Protections) -> Result<Self, StartFailure> {
        let capabilities = match protections.capabilities {
            true => capability_mask(&DEFAULT_CAPABILITIES),
            false => {
                let own = rustix::thread::capabilities(None)
                    .map_err(StartFailure::os("read the capabilities"))?;
                own.permitted.bits()
            }
        };
        Ok(Self {
            capabilities,
            filters_calls: protections.system_calls,
            guards_paths: protections.paths,
        })
    }
}

/// A set of capabilities as a bit mask, for use between clone and exec.
pub fn capability_mask(set: &[Capability]) -> u64 {
    set.iter()
        .map(Capability::bitmask)
        .fold(0, |mask, bit| mask | bit)
}

/// The system call filter, compiled from `dist/seccomp/default.json` when fairing is built. A system call
/// that is refused for what it does fails with EPERM; one that is not known, with ENOSYS, so that a C library
/// falls back to an older one.
pub mod seccomp {
    include!(concat!(env!("OUT_DIR"), "/seccomp.rs"));
}

/// Files that read as empty: they show or change the host.
pub(crate) const MASKED_FILES: &[(Tree, &CStr)] = &[
    (Tree::Proc, c"interrupts"),
    (Tree::Proc, c"kallsyms"),
    (Tree::Proc, c"kcore"),
    (Tree::Proc, c"keys"),
    (Tree::Proc, c"latency_stats"),
    (Tree::Proc, c"sched_debug"),
    (Tree::Proc, c"timer_list"),
    (Tree::Proc, c"timer_stats"),
];

/// Directories that are empty and can't be written.
pub(crate) const MASKED_FOLDERS: &[(Tree, &CStr)] = &[
    (Tree::Proc, c"acpi"),
    (Tree::Proc, c"asound"),
    (Tree::Proc, c"scsi"),
    (Tree::Sys, c"firmware"),
    (Tree::Sys, c"fs/selinux"),
    (Tree::Sys, c"devices/virtual/powercap"),
];

/// Parts of `/proc` that can't be written. All of `/sys` can't.
pub(crate) const READ_ONLY: &[&CStr] = &[
    c"bus",
    c"dynamic_debug",
    c"fs",
    c"irq",
    c"sys",
    c"sysrq-trigger",
];

/// Which of the two kernel filesystems a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tree {
    Proc,
    Sys,
}
