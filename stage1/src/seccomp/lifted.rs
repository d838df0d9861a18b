//! The default filter of an app that has more capabilities than usual: what takes one of these, and is refused to all others
//! for it, is left to the kernel.

use pod::manifest::Capability;
use seccompiler::sock_filter;

use super::bpf::{JUMP_EQUAL, LOAD, NUMBER, RETURN, plain};
use super::tables::{DEFAULT, NUMBERS};
use crate::protocol::CallFilter;

/// `SECCOMP_RET_ALLOW`.
const ALLOW: u32 = 0x7fff_0000;

/// What each capability is for, among the calls that the default filter refuses (capabilities(7)).
const LIFTED: &[(Capability, &[&str])] = &[
    (Capability::DacReadSearch, &["open_by_handle_at"]),
    (
        Capability::SysModule,
        &["delete_module", "finit_module", "init_module"],
    ),
    (Capability::SysRawio, &["ioperm", "iopl"]),
    (Capability::SysPtrace, &["kcmp", "process_madvise"]),
    (Capability::SysPacct, &["acct"]),
    (
        Capability::SysAdmin,
        &[
            "bpf",
            "clone",
            "clone3",
            "fanotify_init",
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "lookup_dcookie",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "open_tree_attr",
            "perf_event_open",
            "pivot_root",
            "quotactl",
            "quotactl_fd",
            "setdomainname",
            "sethostname",
            "setns",
            "syslog",
            "umount2",
            "unshare",
        ],
    ),
    (Capability::SysBoot, &["reboot"]),
    (
        Capability::SysNice,
        &[
            "get_mempolicy",
            "mbind",
            "migrate_pages",
            "move_pages",
            "set_mempolicy",
            "set_mempolicy_home_node",
        ],
    ),
    (Capability::SysTime, &["clock_settime", "settimeofday"]),
    (Capability::SysTtyConfig, &["vhangup"]),
    (Capability::Syslog, &["syslog"]),
    (Capability::Perfmon, &["perf_event_open"]),
    (Capability::Bpf, &["bpf"]),
];

/// The default filter for who has these capabilities, if it is another than the usual one.
pub(crate) fn for_capabilities(bits: u64) -> Option<CallFilter> {
    let has = |capability: &Capability| bits & capability.bit() != 0;
    let lifted = LIFTED.iter().filter(|(capability, _)| has(capability));
    let names: Vec<&str> = lifted
        .flat_map(|(_, names)| names.iter().copied())
        .collect();
    if names.is_empty() {
        return None;
    }
    let mut program = Vec::with_capacity(DEFAULT.len() + 2 * names.len());
    let mut is_loaded = false;
    for step in &DEFAULT {
        let libc::sock_filter { code, jt, jf, k } = *step;
        program.push(sock_filter { code, jt, jf, k });
        if !is_loaded && (code, k) == (LOAD, NUMBER) {
            is_loaded = true;
            let numbers = NUMBERS.iter().filter(|(name, _)| names.contains(name));
            for (_, number) in numbers {
                program.push(sock_filter {
                    code: JUMP_EQUAL,
                    jt: 0,
                    jf: 1,
                    k: *number,
                });
                program.push(plain(RETURN, ALLOW));
            }
        }
    }
    Some(CallFilter {
        program: program.iter().map(super::packing::pack).collect(),
        flags: 0,
    })
}
