//! System call filters of users: containers' profiles, by file.

use std::fs;

use harness::{Host, ImageBuilder};
use serde_json::{Value, json};

use crate::imported::{accepting_host, busybox_host, import};

fn write(host: &Host, name: &str, profile: &Value) -> String {
    let text = serde_json::to_string(profile).unwrap();
    host.write(name, text).display().to_string()
}

/// What a shell script says as an app under these flags.
fn told(host: &Host, image: &str, flags: &[&str], script: &str) -> harness::Output {
    let run = host.fairing(["run", "--rm", image]).args(flags);
    run.args(["--", "/bin/sh", "-c", script]).run()
}

#[test]
fn calls_are_answered_as_the_profile_says() {
    let (host, image) = busybox_host();
    let profile = write(
        &host,
        "profile.json",
        &json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_X86"],
            "syscalls": [
                {"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5},
                {"names": ["symlink", "symlinkat"], "action": "SCMP_ACT_KILL_PROCESS",
                 "excludes": {"caps": ["CAP_NET_ADMIN"]}},
                {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [
                    {"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]}
            ]
        }),
    );
    let script = "mkdir /tmp/x; ln -s a /tmp/y; echo link $?; trap 'echo usr2' USR2; \
                  kill -USR1 $$ || echo refused; kill -USR2 $$; echo end";
    for users in ["--userns=host", "--userns=auto"] {
        for flag in [
            format!("--seccomp={profile}"),
            format!("--security-opt=seccomp={profile}"),
        ] {
            let run = host.fairing(["run", "--rm", users, &image, &flag]);
            run.args(["--", "/bin/sh", "-c", script])
                .run()
                .ok()
                .expect_stderr("/tmp/x': Input/output error")
                .expect_stdout("link 159\nrefused\nusr2\nend\n")
                .expect_stderr("seccomp=profile");
        }
        let run = host.fairing(["run", "--rm", users, &image, "--cap-add=NET_ADMIN"]);
        run.args(["--seccomp", &profile, "--", "/bin/sh", "-c", script])
            .run()
            .ok()
            .expect_stdout("link 0\n");
    }
}

#[test]
fn podmans_own_profile_is_understood() {
    const PROFILE: &str = "/usr/share/containers/seccomp.json";
    let host = accepting_host();
    let image = import(&host, &ImageBuilder::probe().build(), "probe:1");
    host.fairing(["run", "--rm", &image, "--seccomp", PROFILE])
        .args(["--", "/probe", "syscalls"])
        .run()
        .ok()
        .expect_stdout("(needed) thread = allowed")
        .expect_stdout("kcmp with pid 1 = EPERM")
        .expect_stdout("io_uring_setup = ENOSYS")
        .expect_stdout("a system call that does not exist = ENOSYS")
        .expect_stdout("perf_event_open = EPERM");
}

#[test]
fn a_command_that_enters_is_under_the_same_filter() {
    let (host, image) = busybox_host();
    let profile = write(
        &host,
        "profile.json",
        &json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]
        }),
    );
    let run = host.fairing([
        "run",
        "--detach",
        "--name=pod",
        &image,
        "--seccomp",
        &profile,
    ]);
    run.args(["--", "/bin/sleep", "1000"]).run().ok();
    host.fairing(["enter", "pod", "--", "/bin/mkdir", "/tmp/x"])
        .run()
        .expect_code(1)
        .expect_stderr("No space left");
    host.fairing(["stop", "--force", "pod"]).run().ok();
}

#[test]
fn a_list_of_what_is_allowed_need_not_name_what_starts_take() {
    let (host, image) = busybox_host();
    // Neither setresuid nor capset, say; only what the shell itself calls.
    let profile = write(
        &host,
        "strict.json",
        &json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 1,
            "syscalls": [{"names": [
                "arch_prctl", "brk", "execve", "exit", "exit_group", "fcntl", "getegid", "geteuid", "getgid", "getpid",
                "getrandom", "getuid", "mmap", "mprotect", "munmap", "prctl", "prlimit64", "read", "readlink", "readlinkat",
                "rseq", "rt_sigaction", "rt_sigprocmask", "set_robust_list", "set_tid_address", "uname", "write", "setuid",
                "setgid", "newfstatat", "fstat"
            ], "action": "SCMP_ACT_ALLOW"}]
        }),
    );
    for user in ["root", "app"] {
        let run = host.fairing(["run", "--rm", &image, "--user", user, "--seccomp", &profile]);
        run.args(["--", "/bin/echo", "ran"])
            .run()
            .ok()
            .expect_stdout("ran\n");
    }
}

#[test]
fn unconfined_and_default_are_words() {
    let (host, image) = busybox_host();
    let mode = "grep ^Seccomp: /proc/self/status";
    told(&host, &image, &["--seccomp=unconfined"], mode)
        .ok()
        .expect_stdout("Seccomp:\t0")
        .expect_stderr("seccomp=unconfined");
    let usual = told(&host, &image, &["--seccomp=default"], mode).ok();
    assert_eq!(usual.stdout, "Seccomp:\t2\n");
    assert!(!usual.stderr.contains("more than usual"), "{usual}");
    told(
        &host,
        &image,
        &["--seccomp=default", "--security-opt=seccomp=unconfined"],
        mode,
    )
    .expect_error(2, &["two things of seccomp"]);
}

#[test]
fn what_is_no_profile_is_refused_before_anything_starts() {
    let (host, image) = busybox_host();
    let refused = |path: &str, code: i32, part: &str| {
        let run = host.fairing(["run", "--rm", &image, "--seccomp", path]);
        run.args(["--", "/bin/true"])
            .run()
            .expect_error(code, &[part]);
    };
    let with =
        |name: &str, profile: Value, part: &str| refused(&write(&host, name, &profile), 2, part);
    with(
        "trace",
        json!({"defaultAction": "SCMP_ACT_TRACE"}),
        "SCMP_ACT_TRACE",
    );
    with(
        "notify",
        json!({"defaultAction": "SCMP_ACT_NOTIFY"}),
        "SCMP_ACT_NOTIFY",
    );
    with(
        "word",
        json!({"defaultAction": "SCMP_ACT_MAYBE"}),
        "SCMP_ACT_MAYBE",
    );
    with(
        "more",
        json!({"defaultAction": "SCMP_ACT_ALLOW", "unless": []}),
        "unless",
    );
    let foreign = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_S390X"]});
    with("foreign", foreign, "other architectures");
    refused(
        "/nowhere/profile.json",
        125,
        "cannot open /nowhere/profile.json",
    );
    refused("/dev/zero", 125, "not a regular file");
    let large = host
        .write("large", " ".repeat(2 << 20))
        .display()
        .to_string();
    refused(&large, 2, "larger than 1 MiB");
    let deep = host
        .write("deep", "[".repeat(100_000))
        .display()
        .to_string();
    refused(&deep, 2, "system call filter");
    // More than a filter can be.
    let one = json!({"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [
        {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]});
    let many = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": vec![one; 2000]});
    refused(&write(&host, "many", &many), 125, "the kernel takes 4096");
    let pods = fs::read_dir(host.data_dir().join("pods/run")).map_or(0, Iterator::count);
    assert_eq!(pods, 0);
}
