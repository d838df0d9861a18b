//! Words about confinement that the machine may have nothing for, and how what is given is told.

use harness::{Host, Output};

use crate::stocked::{IDLE, IMAGE, busybox, detached, status};

/// What a shell in an app says, with these flags before the image.
fn said(host: &Host, flags: &[&str], script: &str) -> Output {
    let run = host.fairing(["run", "--rm"]).args(flags).arg(IMAGE);
    run.args(["--", "/bin/sh", "-c", script]).run()
}

#[test]
fn an_app_in_the_hosts_cgroup_namespace_sees_where_it_is_and_can_change_nothing() {
    let host = busybox();
    let script = "cat /proc/self/cgroup; for each in /sys/fs/cgroup/*/; do mkdir $each/x && echo made; done 2> /dev/null; :";
    let own = said(&host, &["--userns=host"], script).ok();
    assert!(!own.stdout.contains("fairing-"), "{own}");
    let flags = ["--userns=host", "--cgroupns=host"];
    let shared = said(&host, &flags, script)
        .ok()
        .expect_stderr("shares with the host what others have for themselves: cgroupns=host");
    assert!(shared.stdout.contains("/fairing-"), "{shared}");
    assert!(!shared.stdout.contains("made"), "{shared}");
    said(&host, &["--userns=auto", "--cgroupns=host"], "true")
        .expect_error(2, &["host's cgroup namespace", "--userns=host"]);
    let managed = [
        "--userns=host",
        "--cgroupns=host",
        "--security-opt=writable-cgroups",
    ];
    said(&host, &managed, "true").expect_error(2, &["can't manage cgroups"]);
    host.fairing(["prepare", "--name=shared"])
        .args(flags)
        .args([IMAGE, "--", "/bin/true"])
        .run()
        .ok();
    let shown = host.fairing(["status", "shared"]).run().ok();
    shown.expect_stdout("shared=cgroupns=host");
    let mode = host
        .fairing(["inspect", "--format", "{{.HostConfig.CgroupnsMode}}"])
        .arg("shared")
        .run()
        .ok();
    assert_eq!(mode.text(), "host");
    host.fairing(["rm", "shared"]).run().ok();
}

#[test]
fn what_the_kernel_has_nothing_for_is_refused_by_name() {
    let host = busybox();
    // A profile of that name is loaded nowhere.
    let profile = "fairing-nobody-has-loaded-this";
    let option = format!("--security-opt=apparmor={profile}");
    said(&host, &[&option], "true").expect_error(125, &[profile, "AppArmor"]);
    said(&host, &["--security-opt=apparmor=unconfined"], "true").ok();
    let cgroups = "--security-opt=writable-cgroups=true";
    said(&host, &[cgroups], "true").expect_error(125, &["needs those of version 2"]);
    said(&host, &["--security-opt=writable-cgroups=false"], "true").ok();
    for other in [
        "--pid=host",
        "--pid=container:web",
        "--ipc=container:web",
        "--uts=ns:/proc/1/ns/uts",
        "--cgroupns=pod:web",
        "--ipc=none",
    ] {
        let (flag, _) = other.split_once('=').unwrap();
        said(&host, &[other], "true").expect_error(2, &[flag]);
    }
}

#[test]
fn values_without_end_are_not_repeated_and_empty_ones_are_no_values() {
    let host = busybox();
    let long = "1".repeat(3000);
    for (flag, code) in [
        (format!("--sysctl=net.core.somaxconn={long}"), 125),
        (format!("--sysctl={long}=1"), 2),
        (format!("--ulimit=nofile={long}"), 2),
        (format!("--memory={long}x"), 2),
    ] {
        let refused = said(&host, &["--net=none", &flag], "true").expect_code(code);
        assert!(refused.stderr.len() < 800, "{}", refused.stderr.len());
    }
    said(&host, &["--sysctl=net.core.somaxconn="], "true").expect_error(2, &["it has no value"]);
    said(&host, &["--security-opt=seccomp"], "true")
        .expect_error(2, &["seccomp=FILE, seccomp=default or seccomp=unconfined"]);
}

#[test]
fn nearly_all_capabilities_are_told_in_few_words_and_devices_are_told_too() {
    let host = busybox();
    let flags = ["--cap-add=ALL", "--cap-drop=KILL"];
    said(&host, &flags, "true")
        .ok()
        .expect_stderr("may do more than usual: cap-add=ALL, cap-drop=CAP_KILL\n");
    let flags = ["--device=/dev/zero:/dev/none", "--name=box", "--net=none"];
    let uuid = detached(&host, &flags, IDLE);
    let widened = status(&host, &uuid)["apps"][0]["widened"].clone();
    assert_eq!(widened, serde_json::json!(["device=/dev/none"]));
    host.fairing(["list"]).run().ok().expect_stdout("insecure");
    host.fairing(["stop", "--force", "box"]).run().ok();
}

#[test]
fn files_that_flags_name_have_one_code_for_not_there_and_one_for_nonsense() {
    let host = busybox();
    host.write("nonsense", "a b {");
    let nonsense = host.base().join("nonsense").display().to_string();
    let missing = host.base().join("missing").display().to_string();
    for flag in ["--env-file", "--seccomp"] {
        said(&host, &[flag, &missing], "true").expect_error(125, &["missing", "No such file"]);
        said(&host, &[flag, &nonsense], "true").expect_error(2, &["nonsense"]);
    }
    said(&host, &["--label-file", &missing], "true").expect_error(125, &["missing"]);
}
