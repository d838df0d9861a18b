//! Linux capabilities, by the names of capabilities(7).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::presence::is_default;

macro_rules! capabilities {
    ($($name:ident = $word:literal,)+) => {
        /// A capability, in the order of the kernel's numbers: `CAP_CHOWN` is 0.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[allow(missing_docs)] // capabilities(7) says what each is
        pub enum Capability {
            $(#[serde(rename = $word)] $name,)+
        }

        impl Capability {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name in capabilities(7).
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

capabilities! {
    Chown = "CAP_CHOWN",
    DacOverride = "CAP_DAC_OVERRIDE",
    DacReadSearch = "CAP_DAC_READ_SEARCH",
    Fowner = "CAP_FOWNER",
    Fsetid = "CAP_FSETID",
    Kill = "CAP_KILL",
    Setgid = "CAP_SETGID",
    Setuid = "CAP_SETUID",
    Setpcap = "CAP_SETPCAP",
    LinuxImmutable = "CAP_LINUX_IMMUTABLE",
    NetBindService = "CAP_NET_BIND_SERVICE",
    NetBroadcast = "CAP_NET_BROADCAST",
    NetAdmin = "CAP_NET_ADMIN",
    NetRaw = "CAP_NET_RAW",
    IpcLock = "CAP_IPC_LOCK",
    IpcOwner = "CAP_IPC_OWNER",
    SysModule = "CAP_SYS_MODULE",
    SysRawio = "CAP_SYS_RAWIO",
    SysChroot = "CAP_SYS_CHROOT",
    SysPtrace = "CAP_SYS_PTRACE",
    SysPacct = "CAP_SYS_PACCT",
    SysAdmin = "CAP_SYS_ADMIN",
    SysBoot = "CAP_SYS_BOOT",
    SysNice = "CAP_SYS_NICE",
    SysResource = "CAP_SYS_RESOURCE",
    SysTime = "CAP_SYS_TIME",
    SysTtyConfig = "CAP_SYS_TTY_CONFIG",
    Mknod = "CAP_MKNOD",
    Lease = "CAP_LEASE",
    AuditWrite = "CAP_AUDIT_WRITE",
    AuditControl = "CAP_AUDIT_CONTROL",
    Setfcap = "CAP_SETFCAP",
    MacOverride = "CAP_MAC_OVERRIDE",
    MacAdmin = "CAP_MAC_ADMIN",
    Syslog = "CAP_SYSLOG",
    WakeAlarm = "CAP_WAKE_ALARM",
    BlockSuspend = "CAP_BLOCK_SUSPEND",
    AuditRead = "CAP_AUDIT_READ",
    Perfmon = "CAP_PERFMON",
    Bpf = "CAP_BPF",
    CheckpointRestore = "CAP_CHECKPOINT_RESTORE",
}

impl Capability {
    /// The kernel's number of it.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The bit of it in the kernel's sets.
    pub fn bit(self) -> u64 {
        1 << self.number()
    }

    /// The one that is called so, with or without `CAP_`, in letters of any case.
    pub fn named(text: &str) -> Option<Self> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
        let mut all = Self::ALL.iter().copied();
        all.find(|capability| capability.word().strip_prefix("CAP_") == Some(name))
    }

    /// What the root user of an app has where nothing else is said: CRI-O's default, the smallest set of all runtimes
    /// that pass the CRI validation suite. Users other than root have none.
    pub const DEFAULT: [Self; 9] = [
        Self::Chown,
        Self::DacOverride,
        Self::Fowner,
        Self::Fsetid,
        Self::Kill,
        Self::NetBindService,
        Self::Setgid,
        Self::Setpcap,
        Self::Setuid,
    ];
}

/// The five sets of a process. As executing a program has it, root gets what is in the bounding set, and other users
/// what is in the ambient one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CapabilitySets {
    /// What a program may gain by being executed.
    #[serde(skip_serializing_if = "is_default", default)]
    pub bounding: BTreeSet<Capability>,
    /// What the kernel looks at.
    #[serde(skip_serializing_if = "is_default", default)]
    pub effective: BTreeSet<Capability>,
    /// What is kept through the execution of a program that has it as well.
    #[serde(skip_serializing_if = "is_default", default)]
    pub inheritable: BTreeSet<Capability>,
    /// What the process may take.
    #[serde(skip_serializing_if = "is_default", default)]
    pub permitted: BTreeSet<Capability>,
    /// What is kept through the execution of any program.
    #[serde(skip_serializing_if = "is_default", default)]
    pub ambient: BTreeSet<Capability>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_with_and_without_their_prefix() {
        for text in ["CAP_NET_ADMIN", "NET_ADMIN", "net_admin", "cap_net_admin"] {
            assert_eq!(Capability::named(text), Some(Capability::NetAdmin));
        }
        for text in ["", "CAP_", "ALL", "CAP_CAP_KILL", "NET-ADMIN"] {
            assert_eq!(Capability::named(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!(Capability::Chown.number(), 0);
        assert_eq!(Capability::SysAdmin.number(), 21);
        assert_eq!(Capability::CheckpointRestore.number(), 40);
        for (place, &capability) in Capability::ALL.iter().enumerate() {
            assert_eq!(usize::from(capability.number()), place);
            let json = serde_json::to_string(&capability).unwrap();
            assert_eq!(json, format!("\"{}\"", capability.word()));
        }
    }
}
