//! Security modules and filters of the kernel.

use std::fs;

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
    pub(super) fn read() -> Self {
        let says =
            |path: &str, word: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == word);
        Self {
            seccomp: fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").is_ok(),
            landlock: sys::landlock_version(),
            apparmor: says("/sys/module/apparmor/parameters/enabled", "Y"),
            selinux: match selinux::is_enabled() {
                false => Selinux::Disabled,
                true if says("/sys/fs/selinux/enforce", "1") => Selinux::Enforcing,
                true => Selinux::Permissive,
            },
        }
    }
}
