//! Security modules and filters of the kernel.

use std::fs;

use crate::config::directories::Directories;
use crate::config::files::Config;
use crate::pods::apparmor;
use crate::{selinux, sys};

/// What keeps apps within their bounds beside namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Security {
    /// System calls can be filtered.
    pub seccomp: bool,
    /// The version of Landlock's interface.
    pub landlock: Option<u32>,
    /// AppArmor is enabled.
    pub apparmor: bool,
    /// What SELinux does.
    pub selinux: Selinux,
    /// The policy knows the labels that apps get, or they get none.
    pub labels_are_known: bool,
}

/// What SELinux does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selinux {
    /// Nothing.
    Disabled,
    /// It tells what it would refuse.
    Permissive,
    /// It refuses.
    Enforcing,
}

impl Security {
    pub(super) fn read(directories: &Directories) -> Self {
        let says =
            |path: &str, word: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == word);
        Self {
            seccomp: fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").is_ok(),
            landlock: sys::landlock_version(),
            apparmor: apparmor::is_enabled(),
            selinux: match selinux::is_enabled() {
                false => Selinux::Disabled,
                true if says("/sys/fs/selinux/enforce", "1") => Selinux::Enforcing,
                true => Selinux::Permissive,
            },
            // Why the configuration can't be read is told elsewhere.
            labels_are_known: Config::read(directories)
                .map_or(true, |config| selinux::labels_are_known(&config)),
        }
    }
}
