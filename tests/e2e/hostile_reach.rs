//! What an app tries to change of the machine, of pod init and of its own confinement. All of it is refused, and for the
//! reason that was reviewed.

use std::fs;

use harness::{Host, ImageBuilder};

use crate::stocked::{IMAGE, host_with};

const READ_ONLY: &[&str] = &[
    "Read-only file system",
    "nonexistent directory",
    "No such file",
];
const NOT_PERMITTED: &[&str] = &[
    "Operation not permitted",
    "Permission denied",
    "are you root",
];

/// An attack by root of an app: what it tries, and the reasons for which that may fail.
struct Attempt {
    script: &'static str,
    refused: &'static [&'static str],
}

const fn attempt(script: &'static str, refused: &'static [&'static str]) -> Attempt {
    Attempt { script, refused }
}

/// What would count, if it went through, is harmless: these run on the machine of whoever runs the tests.
const ATTEMPTS: [Attempt; 53] = [
    // The kernel's settings, by procfs.
    attempt("echo 1 > /proc/sys/vm/drop_caches", READ_ONLY),
    attempt("echo core > /proc/sys/kernel/core_pattern", READ_ONLY),
    attempt("echo /sbin/modprobe > /proc/sys/kernel/modprobe", READ_ONLY),
    attempt("echo 1 > /proc/sys/kernel/sysrq", READ_ONLY),
    attempt("echo 32768 > /proc/sys/kernel/pid_max", READ_ONLY),
    attempt("echo 5 > /proc/sys/kernel/ns_last_pid", READ_ONLY),
    attempt("echo x > /proc/sys/kernel/hostname", READ_ONLY),
    attempt("echo 1 > /proc/sys/net/ipv4/ip_forward", READ_ONLY),
    attempt("echo 0 > /proc/sys/fs/suid_dumpable", READ_ONLY),
    attempt("echo 128 > /proc/sys/user/max_inotify_instances", READ_ONLY),
    attempt("echo h > /proc/sysrq-trigger", READ_ONLY),
    attempt(
        "echo :x:M::x::/x: > /proc/sys/fs/binfmt_misc/register",
        READ_ONLY,
    ),
    attempt("echo 3 > /proc/irq/default_smp_affinity", READ_ONLY),
    attempt("echo x > /proc/bus/pci/x", READ_ONLY),
    attempt("echo x > /proc/fs/x", READ_ONLY),
    attempt(
        "head -c 1 /proc/kcore | grep -q . || { echo No such file; false; }",
        READ_ONLY,
    ),
    attempt("head -c 1 /proc/kmsg", NOT_PERMITTED),
    // By sysfs.
    attempt("echo /x > /sys/kernel/uevent_helper", READ_ONLY),
    attempt("echo x > /sys/power/state", READ_ONLY),
    attempt("echo x > /sys/devices/system/cpu/cpu1/online", READ_ONLY),
    attempt(
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        READ_ONLY,
    ),
    attempt("echo 65536 > /sys/class/net/lo/mtu", READ_ONLY),
    attempt("echo x > /sys/kernel/debug/x", READ_ONLY),
    // By cgroups of both versions.
    attempt(
        "cd /sys/fs/cgroup/memory || cd /sys/fs/cgroup; mkdir x",
        READ_ONLY,
    ),
    attempt(
        "cd /sys/fs/cgroup/pids || cd /sys/fs/cgroup; echo max > pids.max",
        READ_ONLY,
    ),
    attempt(
        "cd /sys/fs/cgroup/pids || cd /sys/fs/cgroup; echo $$ > cgroup.procs",
        READ_ONLY,
    ),
    attempt(
        "cd /sys/fs/cgroup/memory || cd /sys/fs/cgroup; echo 1 > notify_on_release",
        READ_ONLY,
    ),
    attempt(
        "cd /sys/fs/cgroup/memory || cd /sys/fs/cgroup; echo /x > release_agent",
        READ_ONLY,
    ),
    // By mounts and namespaces.
    attempt("mount -o remount,rw /sys", NOT_PERMITTED),
    attempt("mount -o remount,rw /proc/sys", NOT_PERMITTED),
    attempt("mount --bind / /tmp", NOT_PERMITTED),
    attempt("mount -t cgroup -o memory none /tmp", NOT_PERMITTED),
    attempt("umount /proc/sys", NOT_PERMITTED),
    attempt("umount /etc/hosts", NOT_PERMITTED),
    attempt("rm /etc/hosts", &["busy"]),
    attempt("chroot / true", NOT_PERMITTED),
    attempt("pivot_root / /tmp", NOT_PERMITTED),
    // Where the filter is given up, such a namespace still has no power over what is mounted.
    attempt(
        "unshare -U true && unshare -Urm mount -o remount,rw /sys",
        NOT_PERMITTED,
    ),
    attempt("nsenter -t 1 -m true", NOT_PERMITTED),
    attempt("mknod /tmp/hidden c 0 0", NOT_PERMITTED),
    // By what it may ask the kernel for.
    attempt("hostname x", NOT_PERMITTED),
    attempt("date -s 2020-01-01 > /dev/null; false", NOT_PERMITTED),
    attempt("dmesg", NOT_PERMITTED),
    attempt("ionice -c 1 -n 0 -p $$", NOT_PERMITTED),
    attempt("renice -n -5 $$", NOT_PERMITTED),
    attempt("ulimit -Hn 99999999", NOT_PERMITTED),
    attempt("echo -1000 > /proc/self/oom_score_adj", NOT_PERMITTED),
    attempt("ip link set lo down", NOT_PERMITTED),
    attempt("ip addr add 10.9.9.9/8 dev lo", NOT_PERMITTED),
    // By what it sees of pod init.
    attempt("cat /proc/1/environ /proc/1/task/1/maps", NOT_PERMITTED),
    attempt("ls /proc/1/task/1/root/ /proc/1/map_files/", NOT_PERMITTED),
    attempt("cd /proc/1/cwd && ls", NOT_PERMITTED),
    attempt("cat /proc/1/fd/0", NOT_PERMITTED),
];

/// What each attempt says when it is made by that user, with these global flags.
fn answers(host: &Host, flags: &[&str], user: &str) -> Vec<String> {
    let scripts: String = ATTEMPTS
        .iter()
        .map(|attempt| format!("(({}) && echo done) 2>&1; echo =;", attempt.script))
        .collect();
    let output = host
        .fairing(flags)
        .args(["run", "--rm", IMAGE, "--user", user])
        .args(["--", "/bin/sh", "-c", &scripts])
        .run()
        .ok();
    let answers: Vec<String> = output.stdout.split("=\n").map(str::to_owned).collect();
    assert_eq!(answers.len(), ATTEMPTS.len() + 1, "{output}");
    answers
}

#[test]
fn what_an_app_tries_to_change_of_the_machine_is_refused() {
    let host = host_with(ImageBuilder::busybox());
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for flags in [&[][..], &["--insecure-options=seccomp"]] {
        let answers = answers(&host, flags, "root");
        let open: Vec<_> = ATTEMPTS
            .iter()
            .zip(&answers)
            .filter(|(attempt, answer)| {
                answer.contains("done") || !attempt.refused.iter().any(|why| answer.contains(why))
            })
            .map(|(attempt, answer)| (attempt.script, answer))
            .collect();
        assert!(open.is_empty(), "{flags:?}: {open:#?}");
    }
    // A user has no more reach than root, whatever the reasons are.
    let answers = answers(&host, &[], "app");
    let open = ATTEMPTS.iter().zip(&answers);
    let open: Vec<_> = open.filter(|(_, answer)| answer.contains("done")).collect();
    assert!(
        open.is_empty(),
        "{:?}",
        open.iter().map(|(at, _)| at.script).collect::<Vec<_>>()
    );
    assert_eq!(
        fs::read_to_string("/proc/sys/kernel/hostname").unwrap(),
        name
    );
}
