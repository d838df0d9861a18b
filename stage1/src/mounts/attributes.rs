//! What the options of a mount come to in the words of mount_setattr(2).

use pod::manifest::MountOption;

/// How mounts spread to and from the host (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Propagation {
    /// Neither way.
    Private,
    /// From the host into the app.
    Slave,
    /// Both ways.
    Shared,
}

/// The attributes of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attributes {
    /// Those set on the mount and on all below it.
    pub(super) all: u64,
    /// Those set on the mount itself.
    pub(super) top: u64,
    /// Those taken away, from the mount and from all below it.
    pub(super) clear: u64,
    pub(super) propagation: Propagation,
    /// Whether what is mounted below the source comes along.
    pub(super) recursive: bool,
    /// Whether its files belong to users of the pod, in a user namespace.
    pub(super) idmap: bool,
}

impl Attributes {
    /// Of options, the last of which counts. A mount that says nothing honours neither set-user-ID bits nor devices, and
    /// brings along what is mounted below it.
    pub(super) fn of(options: &[MountOption]) -> Self {
        let mut result = Self {
            all: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
            top: 0,
            clear: 0,
            propagation: Propagation::Private,
            recursive: true,
            idmap: true,
        };
        for option in options {
            result.apply(*option);
        }
        result
    }

    fn apply(&mut self, option: MountOption) {
        match option {
            MountOption::Ro => self.top |= libc::MOUNT_ATTR_RDONLY,
            MountOption::Rro => self.set(libc::MOUNT_ATTR_RDONLY),
            MountOption::Rw => {
                // What the host has mounted read-only stays so.
                self.top &= !libc::MOUNT_ATTR_RDONLY;
                self.all &= !libc::MOUNT_ATTR_RDONLY;
            }
            MountOption::Nosuid => self.set(libc::MOUNT_ATTR_NOSUID),
            MountOption::Suid => self.allow(libc::MOUNT_ATTR_NOSUID),
            MountOption::Nodev => self.set(libc::MOUNT_ATTR_NODEV),
            MountOption::Dev => self.allow(libc::MOUNT_ATTR_NODEV),
            MountOption::Noexec => self.set(libc::MOUNT_ATTR_NOEXEC),
            MountOption::Exec => self.allow(libc::MOUNT_ATTR_NOEXEC),
            MountOption::Noatime => self.access_times(libc::MOUNT_ATTR_NOATIME),
            MountOption::Relatime => self.access_times(libc::MOUNT_ATTR_RELATIME),
            MountOption::Nosymfollow => self.set(libc::MOUNT_ATTR_NOSYMFOLLOW),
            MountOption::Bind => self.recursive = false,
            MountOption::Rbind => self.recursive = true,
            MountOption::Idmap => self.idmap = true,
            MountOption::Noidmap => self.idmap = false,
            MountOption::Rprivate => self.propagation = Propagation::Private,
            MountOption::Rslave => self.propagation = Propagation::Slave,
            MountOption::Rshared => self.propagation = Propagation::Shared,
            // It is done before anything is mounted.
            MountOption::Copy | MountOption::Nocopy => {}
        }
    }

    fn set(&mut self, attribute: u64) {
        self.all |= attribute;
        self.clear &= !attribute;
    }

    fn allow(&mut self, attribute: u64) {
        self.all &= !attribute;
        self.clear |= attribute;
    }

    /// One of several values of a field of their own, which has to be cleared first.
    fn access_times(&mut self, value: u64) {
        self.all = self.all & !libc::MOUNT_ATTR__ATIME | value;
        self.clear |= libc::MOUNT_ATTR__ATIME;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MountOption::{Bind, Dev, Exec, Noatime, Noexec, Nosuid, Rbind, Ro, Rro, Rslave, Rw, Suid};

    const SUID: u64 = libc::MOUNT_ATTR_NOSUID;
    const DEV: u64 = libc::MOUNT_ATTR_NODEV;
    const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;
    const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;

    #[test]
    fn the_last_option_counts() {
        let of = |options: &[MountOption]| {
            let attributes = Attributes::of(options);
            (attributes.all, attributes.top, attributes.clear)
        };
        assert_eq!(of(&[]), (SUID | DEV, 0, 0));
        assert_eq!(of(&[Ro]), (SUID | DEV, RDONLY, 0));
        assert_eq!(of(&[Rro]), (SUID | DEV | RDONLY, 0, 0));
        assert_eq!(of(&[Rro, Ro, Rw]), (SUID | DEV, 0, 0));
        assert_eq!(of(&[Suid, Dev]), (0, 0, SUID | DEV));
        assert_eq!(of(&[Suid, Nosuid]), (SUID | DEV, 0, 0));
        assert_eq!(of(&[Noexec, Exec]), (SUID | DEV, 0, NOEXEC));
        let (all, _, clear) = of(&[Noatime]);
        assert_eq!(all, SUID | DEV | libc::MOUNT_ATTR_NOATIME);
        assert_eq!(clear, libc::MOUNT_ATTR__ATIME);
    }

    #[test]
    fn mounts_below_come_along_and_go_neither_way_unless_said() {
        let silent = Attributes::of(&[]);
        assert!(silent.recursive);
        assert_eq!(silent.propagation, Propagation::Private);
        assert!(!Attributes::of(&[Bind]).recursive);
        assert!(Attributes::of(&[Bind, Rbind]).recursive);
        assert_eq!(Attributes::of(&[Rslave]).propagation, Propagation::Slave);
    }
}
