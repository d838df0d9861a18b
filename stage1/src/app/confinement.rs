//! What an app may do: capabilities, system calls, and which parts of `/proc` and `/sys` it sees.

use std::ffi::{CStr, CString};

use pod::manifest::{AppPath, Capability, DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS};

use crate::failure::StartFailure;
use crate::protocol::{AppSecurity, AppSpec};
use crate::seccomp;

/// What an app is confined by, once the user has asked for something else than the usual.
#[derive(Debug, Clone)]
pub(crate) struct Confinement {
    /// What the bounding set may hold before: that of pod init.
    pub(crate) held: u64,
    /// Bounding set of capabilities; what root has.
    pub(crate) capabilities: u64,
    /// What other users have.
    pub(crate) ambient: u64,
    /// Whether executing a program can give it privileges.
    pub(crate) new_privileges: bool,
    /// What decides on its system calls.
    pub(crate) filter: Filter,
    /// Which paths are masked and read-only.
    pub(crate) guards: PathGuards,
    /// Options of a procfs.
    pub(crate) proc_options: Vec<(CString, CString)>,
    /// Whether its root filesystem can't be written to.
    pub(crate) read_only_root: bool,
}

/// What decides on system calls.
#[derive(Debug, Clone)]
pub(crate) enum Filter {
    /// Nothing.
    None,
    /// The default filter.
    Default,
    /// One of its own.
    Own {
        program: Vec<libc::sock_filter>,
        /// Flags of seccomp(2).
        flags: u32,
    },
}

/// Which paths are guarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathGuards {
    /// None, and `/sys` can be written.
    None,
    /// The usual ones of `/proc` and `/sys`.
    Default,
    /// These, as the app sees them.
    Own {
        masked: Vec<CString>,
        read_only: Vec<CString>,
    },
}

impl Confinement {
    /// That of an app, from pod init's bounding set.
    pub(crate) fn of(spec: &AppSpec, held: u64) -> Result<Self, StartFailure> {
        let own = spec.security.as_deref();
        let protections = spec.protections;
        let bits = own.and_then(|own| own.capabilities);
        let (capabilities, ambient) = match (protections.capabilities, bits) {
            (true, None) => (default_capabilities(), 0),
            (true, Some(bits)) => {
                let permitted = permitted()?;
                (bits.bounding & permitted, bits.ambient & permitted)
            }
            (false, _) => (permitted()?, 0),
        };
        let filter = own.and_then(|own| own.filter.as_ref());
        Ok(Self {
            held,
            capabilities,
            ambient,
            new_privileges: own.is_some_and(|own| own.new_privileges),
            filter: match (protections.system_calls, filter) {
                (false, _) => Filter::None,
                (true, None) => Filter::Default,
                (true, Some(filter)) => Filter::Own {
                    program: filter
                        .program
                        .iter()
                        .copied()
                        .map(seccomp::unpack)
                        .collect(),
                    flags: filter.flags,
                },
            },
            guards: guards(protections.paths, own)?,
            proc_options: own.map_or_else(|| Ok(Vec::new()), proc_options)?,
            read_only_root: own.is_some_and(|own| own.read_only_root),
        })
    }
}

/// What of pod init's capabilities starting an app takes beside what all apps may have.
pub(crate) fn wanted(spec: &AppSpec) -> u64 {
    let own = spec.security.as_ref().and_then(|own| own.capabilities);
    // To be killed later than others takes a right that the app itself does not get.
    let score = spec.execution.oom_score_adj;
    let lowers = match score.is_some_and(|score| score < 0) {
        true => Capability::SysResource.bit(),
        false => 0,
    };
    lowers
        | match (spec.protections.capabilities, own) {
            (false, _) => u64::MAX,
            (true, None) => 0,
            (true, Some(bits)) => bits.bounding | bits.ambient,
        }
}

fn permitted() -> Result<u64, StartFailure> {
    let own =
        rustix::thread::capabilities(None).map_err(StartFailure::os("read the capabilities"))?;
    Ok(own.permitted.bits())
}

fn guards(are_usual: bool, own: Option<&AppSecurity>) -> Result<PathGuards, StartFailure> {
    let lists = own.map(|own| (own.masked_paths.as_deref(), own.readonly_paths.as_deref()));
    match (are_usual, lists) {
        (false, _) => Ok(PathGuards::None),
        (true, None | Some((None, None))) => Ok(PathGuards::Default),
        (true, Some((masked, read_only))) => Ok(PathGuards::Own {
            masked: paths(masked, &DEFAULT_MASKED_PATHS)?,
            read_only: paths(read_only, &DEFAULT_READONLY_PATHS)?,
        }),
    }
}

fn proc_options(own: &AppSecurity) -> Result<Vec<(CString, CString)>, StartFailure> {
    let text = |text: &String| {
        CString::new(text.as_str())
            .map_err(|_| StartFailure::other("a NUL byte in an option of /proc"))
    };
    let options = own.proc_options.iter();
    options
        .map(|(key, value)| Ok((text(key)?, text(value)?)))
        .collect()
}

fn paths(own: Option<&[AppPath]>, usual: &[&str]) -> Result<Vec<CString>, StartFailure> {
    let text = |path: &str| {
        CString::new(path).map_err(|_| StartFailure::other("a NUL byte in a path to be guarded"))
    };
    match own {
        Some(own) => own.iter().map(|path| text(path.as_str())).collect(),
        None => usual.iter().map(|path| text(path)).collect(),
    }
}

/// The capabilities that an app's root user has where nothing is said.
pub(crate) fn default_capabilities() -> u64 {
    capability_mask(&Capability::DEFAULT)
}

/// A set of capabilities as a bit mask, for use between clone and exec.
pub fn capability_mask(set: &[Capability]) -> u64 {
    set.iter().fold(0, |mask, one| mask | one.bit())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_guards_are_those_of_manifests() {
        let shown = |(tree, path): &(Tree, &CStr)| {
            let tree = match tree {
                Tree::Proc => "/proc",
                Tree::Sys => "/sys",
            };
            format!("{tree}/{}", path.to_str().unwrap())
        };
        let masked = MASKED_FILES.iter().chain(MASKED_FOLDERS).map(shown);
        let mut masked: Vec<_> = masked.collect();
        masked.sort();
        assert_eq!(masked, DEFAULT_MASKED_PATHS);
        let read_only = READ_ONLY.iter().map(|path| (Tree::Proc, *path));
        let read_only: Vec<_> = read_only.map(|path| shown(&path)).collect();
        assert_eq!(read_only, DEFAULT_READONLY_PATHS);
    }
}
