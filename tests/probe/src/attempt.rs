//! What the kernel answers to system calls that an app must not have, or must.

use std::fs::OpenOptions;

use crate::sys::{self, Outcome, call, in_child};

/// Names and what is tried. Arguments are such that a call which is let through does no harm:
/// it fails later with another error, or changes only the child that tries it.
pub(crate) fn system_calls() -> Vec<String> {
    let mut lines: Vec<String> = forbidden().into_iter().chain(allowed()).collect();
    lines.sort();
    lines
}

fn line(name: &str, attempt: impl FnOnce() -> i64) -> String {
    format!("{name} = {}", shown(&in_child(attempt)))
}

pub(crate) fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Allowed => "allowed".to_owned(),
        Outcome::Refused(number) => sys::number_name(*number),
        Outcome::Killed(signal) => format!("killed by signal {signal}"),
        Outcome::NotTried => "not tried".to_owned(),
    }
}

fn at(text: &std::ffi::CStr) -> i64 {
    text.as_ptr().expose_provenance().cast_signed() as i64
}

fn open_for_writing(path: &str) -> i64 {
    if OpenOptions::new().write(true).open(path).is_ok() {
        0
    } else {
        -1
    }
}

/// Makes a node in `/tmp` and removes it again.
fn node(mode: i64, device: i64) -> i64 {
    let path = c"/tmp/.probe-node";
    let result = call(
        libc::SYS_mknodat,
        [libc::AT_FDCWD.into(), at(path), mode, device, 0, 0],
    );
    if result == 0 {
        call(
            libc::SYS_unlinkat,
            [libc::AT_FDCWD.into(), at(path), 0, 0, 0, 0],
        );
    }
    result
}

fn forbidden() -> Vec<String> {
    const NOWHERE: &std::ffi::CStr = c"/nowhere";
    const AT_FDCWD: i64 = libc::AT_FDCWD as i64;
    let tmpfs = || at(c"tmpfs");
    // flags, pidfd, child_tid, parent_tid, exit_signal, …: a fork into a new user namespace.
    let process = [0x1000_0000_u64, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0];
    let process = process.as_ptr().expose_provenance().cast_signed() as i64;
    // Some calls write: io_uring_setup and adjtimex the most.
    let mut memory = [0_u64; 32];
    let buffer = memory.as_mut_ptr().expose_provenance().cast_signed() as i64;
    // Eight bytes at an address of its own.
    let vector = [buffer, 8];
    let vector = vector.as_ptr().expose_provenance().cast_signed() as i64;
    let mut frequency = [2_u64; 32];
    let frequency = frequency.as_mut_ptr().expose_provenance().cast_signed() as i64;
    let simple =
        |name: &str, number: i64, arguments: [i64; 6]| line(name, || call(number, arguments));
    let mut lines = vec![
        simple(
            "mount",
            libc::SYS_mount,
            [tmpfs(), at(c"/tmp"), tmpfs(), 0, 0, 0],
        ),
        simple("umount", libc::SYS_umount2, [at(c"/proc"), 2, 0, 0, 0, 0]),
        simple(
            "pivot_root",
            libc::SYS_pivot_root,
            [at(c"/"), at(c"/"), 0, 0, 0, 0],
        ),
        simple("fsopen", libc::SYS_fsopen, [tmpfs(), 0, 0, 0, 0, 0]),
        simple(
            "open_tree clone",
            libc::SYS_open_tree,
            [AT_FDCWD, at(c"/"), 1, 0, 0, 0],
        ),
        simple(
            "move_mount",
            libc::SYS_move_mount,
            [-1, at(c""), -1, at(c""), 0, 0],
        ),
        simple(
            "mount_setattr",
            libc::SYS_mount_setattr,
            [-1, at(c""), 0, buffer, 32, 0],
        ),
        simple("chroot", libc::SYS_chroot, [at(c"/"), 0, 0, 0, 0, 0]),
        simple("bpf", libc::SYS_bpf, [0, buffer, 16, 0, 0, 0]),
        simple(
            "perf_event_open",
            libc::SYS_perf_event_open,
            [buffer, 0, -1, -1, 0, 0],
        ),
        simple("keyctl", libc::SYS_keyctl, [0, -3, 0, 0, 0, 0]),
        simple(
            "add_key",
            libc::SYS_add_key,
            [at(c"user"), at(c"probe"), buffer, 1, -2, 0],
        ),
        simple(
            "request_key",
            libc::SYS_request_key,
            [at(c"user"), at(c"probe"), 0, 0, 0, 0],
        ),
        simple(
            "ptrace (seize) of pid 1",
            libc::SYS_ptrace,
            [0x4206, 1, 0, 0, 0, 0],
        ),
        simple(
            "process_vm_readv of pid 1",
            libc::SYS_process_vm_readv,
            [1, vector, 1, vector, 1, 0],
        ),
        simple("kcmp with pid 1", libc::SYS_kcmp, [1, 1, 1, 0, 0, 0]),
        simple(
            "sethostname",
            libc::SYS_sethostname,
            [at(c"probe"), 5, 0, 0, 0, 0],
        ),
        simple(
            "setdomainname",
            libc::SYS_setdomainname,
            [at(c"probe"), 5, 0, 0, 0, 0],
        ),
        simple("reboot", libc::SYS_reboot, [0, 0, 0, 0, 0, 0]),
        simple("kexec_load", libc::SYS_kexec_load, [0, 0, 0, -1, 0, 0]),
        simple(
            "kexec_file_load",
            libc::SYS_kexec_file_load,
            [-1, -1, 0, 0, 0, 0],
        ),
        simple(
            "io_uring_register",
            libc::SYS_io_uring_register,
            [-1, 0, 0, 0, 0, 0],
        ),
        simple("fspick", libc::SYS_fspick, [AT_FDCWD, at(c"/"), 0, 0, 0, 0]),
        simple("fsmount", libc::SYS_fsmount, [-1, 0, 0, 0, 0, 0]),
        simple("vhangup", libc::SYS_vhangup, [0; 6]),
        simple("quotactl_fd", 443, [-1, 0, 0, 0, 0, 0]),
        line("pidfd_getfd from pid 1", || {
            let init = call(libc::SYS_pidfd_open, [1, 0, 0, 0, 0, 0]);
            call(libc::SYS_pidfd_getfd, [init, 0, 0, 0, 0, 0])
        }),
        simple(
            "process_vm_writev of pid 1",
            libc::SYS_process_vm_writev,
            [1, vector, 1, vector, 1, 0],
        ),
        simple(
            "init_module",
            libc::SYS_init_module,
            [buffer, 0, at(c""), 0, 0, 0],
        ),
        simple(
            "finit_module",
            libc::SYS_finit_module,
            [-1, at(c""), 0, 0, 0, 0],
        ),
        simple(
            "delete_module",
            libc::SYS_delete_module,
            [at(c"probe"), 0, 0, 0, 0, 0],
        ),
        simple("swapon", libc::SYS_swapon, [at(NOWHERE), 0, 0, 0, 0, 0]),
        simple("acct", libc::SYS_acct, [at(NOWHERE), 0, 0, 0, 0, 0]),
        simple("quotactl", libc::SYS_quotactl, [0, at(NOWHERE), 0, 0, 0, 0]),
        simple("clock_settime", libc::SYS_clock_settime, [0, 0, 0, 0, 0, 0]),
        simple("settimeofday", libc::SYS_settimeofday, [1, 0, 0, 0, 0, 0]),
        simple(
            "adjtimex of the frequency",
            libc::SYS_adjtimex,
            [frequency, 0, 0, 0, 0, 0],
        ),
        simple("syslog read", libc::SYS_syslog, [3, buffer, 16, 0, 0, 0]),
        simple("userfaultfd", libc::SYS_userfaultfd, [0, 0, 0, 0, 0, 0]),
        simple(
            "io_uring_setup",
            libc::SYS_io_uring_setup,
            [1, buffer, 0, 0, 0, 0],
        ),
        simple("fanotify_init", libc::SYS_fanotify_init, [0, 0, 0, 0, 0, 0]),
        simple(
            "open_by_handle_at",
            libc::SYS_open_by_handle_at,
            [-1, buffer, 0, 0, 0, 0],
        ),
        simple("mbind", libc::SYS_mbind, [0, 0, 0, 0, 0, 0]),
        simple(
            "move_pages of pid 1",
            libc::SYS_move_pages,
            [1, 0, 0, 0, 0, 0],
        ),
        simple("personality READ_IMPLIES_EXEC", libc::SYS_personality, {
            [0x040_0000, 0, 0, 0, 0, 0]
        }),
        simple(
            "personality UNAME26",
            libc::SYS_personality,
            [0x002_0000, 0, 0, 0, 0, 0],
        ),
        simple(
            "unshare user",
            libc::SYS_unshare,
            [0x1000_0000, 0, 0, 0, 0, 0],
        ),
        simple(
            "unshare mount",
            libc::SYS_unshare,
            [0x0002_0000, 0, 0, 0, 0, 0],
        ),
        simple(
            "unshare network",
            libc::SYS_unshare,
            [0x4000_0000, 0, 0, 0, 0, 0],
        ),
        simple(
            "unshare cgroup",
            libc::SYS_unshare,
            [0x0200_0000, 0, 0, 0, 0, 0],
        ),
        simple(
            "clone with a user namespace",
            libc::SYS_clone,
            [0x1000_0011, 0, 0, 0, 0, 0],
        ),
        simple(
            "clone3 with a user namespace",
            libc::SYS_clone3,
            [process, 88, 0, 0, 0, 0],
        ),
        line("mknod of a disk", || node(0o060_600, sys::device(8, 0))),
        line("mknod of /dev/mem", || node(0o020_600, sys::device(1, 1))),
        simple("TIOCSTI", libc::SYS_ioctl, [0, 0x5412, buffer, 0, 0, 0]),
        simple("TIOCSTI with high bits", libc::SYS_ioctl, {
            [0, 0x1_0000_5412, buffer, 0, 0, 0]
        }),
        simple("TIOCLINUX", libc::SYS_ioctl, [0, 0x541c, buffer, 0, 0, 0]),
        simple("a system call that does not exist", 9_999, [0; 6]),
        line("setns to pid 1's mount namespace", || {
            let Ok(file) = std::fs::File::open("/proc/1/ns/mnt") else {
                return -1;
            };
            call(
                libc::SYS_setns,
                [std::os::fd::AsRawFd::as_raw_fd(&file).into(), 0, 0, 0, 0, 0],
            )
        }),
        line("setns to its own user namespace", || {
            let Ok(file) = std::fs::File::open("/proc/self/ns/user") else {
                return -1;
            };
            call(
                libc::SYS_setns,
                [std::os::fd::AsRawFd::as_raw_fd(&file).into(), 0, 0, 0, 0, 0],
            )
        }),
        line("write to /proc/sys/kernel/core_pattern", || {
            open_for_writing("/proc/sys/kernel/core_pattern")
        }),
        line("write to /proc/self/oom_score_adj", || {
            open_for_writing("/proc/self/oom_score_adj")
        }),
        line("open /proc/1/root/etc", || {
            if std::fs::read_dir("/proc/1/root/etc").is_ok() {
                0
            } else {
                -1
            }
        }),
    ];
    #[cfg(target_arch = "x86_64")]
    lines.extend([
        simple("iopl", libc::SYS_iopl, [3, 0, 0, 0, 0, 0]),
        simple("ioperm", libc::SYS_ioperm, [0x80, 1, 1, 0, 0, 0]),
        simple("modify_ldt", libc::SYS_modify_ldt, [0, buffer, 16, 0, 0, 0]),
        simple("x32 getpid", 0x4000_0000 | libc::SYS_getpid, [0; 6]),
    ]);
    lines
}

/// What ordinary programs need.
fn allowed() -> Vec<String> {
    let simple =
        |name: &str, number: i64, arguments: [i64; 6]| line(name, || call(number, arguments));
    vec![
        simple(
            "(needed) memfd_create",
            libc::SYS_memfd_create,
            [at(c"probe"), 0, 0, 0, 0, 0],
        ),
        simple("(needed) epoll_create1", libc::SYS_epoll_create1, [0; 6]),
        simple("(needed) eventfd2", libc::SYS_eventfd2, [0; 6]),
        simple("(needed) inotify_init1", libc::SYS_inotify_init1, [0; 6]),
        simple("(needed) personality query", libc::SYS_personality, {
            [0xffff_ffff, 0, 0, 0, 0, 0]
        }),
        simple(
            "(needed) getrandom",
            libc::SYS_getrandom,
            [0, 0, 0, 0, 0, 0],
        ),
        simple("(needed) kill of itself", libc::SYS_kill, {
            [std::process::id().into(), 0, 0, 0, 0, 0]
        }),
        line("(needed) mknod of a pipe", || node(0o010_600, 0)),
        line("(needed) thread", || {
            if std::thread::spawn(|| 7)
                .join()
                .is_ok_and(|seven| seven == 7)
            {
                0
            } else {
                -1
            }
        }),
        line(
            "(needed) exec of itself",
            || match std::process::Command::new("/proc/self/exe")
                .arg("namespaces")
                .stdout(std::process::Stdio::null())
                .status()
            {
                Ok(status) if status.success() => 0,
                _ => -1,
            },
        ),
    ]
}
