//! What a machine may have of its host, and what it does not hear from there.

use std::time::Duration;

use harness::{Host, installed_kernel};

use crate::kvm::{detached, shell};
use crate::stocked::{IMAGE, busybox, status, wait_log};

#[test]
fn an_interrupt_by_the_terminal_is_one_for_the_app() {
    let host = busybox();
    let script = "trap 'echo interrupted; exit 7' INT; echo up; while :; do sleep 0.1; done";
    // A kept pod has a file server, too.
    let mut terminal = shell(&host, &[], script).spawn_on_terminal(24, 80);
    terminal.wait_screen("up");
    terminal.type_keys("\x03");
    let output = terminal.wait().expect_code(7);
    assert!(output.stdout.contains("interrupted"), "{output}");
    assert!(!output.stdout.contains("virtual machine ended"), "{output}");
}

#[test]
fn filesystems_of_the_hosts_kernel_are_no_volumes_of_a_machine() {
    let host = busybox();
    for (volume, words) in [
        (
            "/proc/sys/kernel:/p",
            "proc is a filesystem of the host's kernel",
        ),
        (
            "/proc/self/root/sys:/p",
            "sysfs is a filesystem of the host's kernel",
        ),
        ("/:/p", "filesystem of the host's kernel, mounted on /"),
    ] {
        let refused = shell(
            &host,
            &["--rm", "--volume", volume],
            "echo x > /p/threads-max",
        );
        refused.run().expect_error(125, &["app busybox", words]);
    }
    let link = host.base().join("link");
    std::os::unix::fs::symlink("/proc/sys", &link).unwrap();
    let volume = format!("{}:/p", link.display());
    let refused = shell(&host, &["--rm", "--volume", &volume], "true").run();
    refused.expect_error(125, &["proc is a filesystem of the host's kernel"]);
    // An app that joins, too.
    let uuid = detached(&host, &["--detach", "--name=box"], "echo up; sleep 1000");
    wait_log(&host, &uuid, "up");
    let joins = [
        "app",
        "add",
        "--start",
        "--volume=/sys:/s",
        "box",
        IMAGE,
        "--",
        "/bin/true",
    ];
    let refused = host.fairing(joins).run();
    refused.expect_error(125, &["sysfs is a filesystem of the host's kernel"]);
}

#[test]
fn no_machine_is_larger_than_the_host() {
    let host = busybox();
    for (flags, words) in [
        (
            &["--rm", "--kvm-cpus=64"][..],
            "64 processors: this host has",
        ),
        (&["--rm", "--kvm-memory=8e"], "of memory: this host has"),
        (&["--rm", "--memory=8e"], "of memory: this host has"),
    ] {
        let refused = shell(&host, flags, "true").run();
        refused.expect_error(125, &["the pod's virtual machine can't have", words]);
    }
    // What its apps may keep busy is no more than there is.
    let all = std::thread::available_parallelism().unwrap().to_string();
    let output = shell(&host, &["--rm", "--cpus=64"], "nproc").run();
    assert_eq!(output.ok().text(), all);
}

#[test]
fn a_kernel_that_is_no_regular_file_is_refused_at_once() {
    let host = busybox();
    let kernel = installed_kernel();
    let version = kernel.file_name().unwrap();
    let boot = host.base().join("boot");
    std::fs::create_dir(&boot).unwrap();
    std::os::unix::fs::symlink("/dev/zero", boot.join(version)).unwrap();
    let refused = host
        .fairing(["run", "--rm", "--stage1=kvm", "--net=none"])
        .arg(format!("--kvm-kernel={}", boot.join(version).display()))
        .args([IMAGE, "--", "/bin/true"])
        .run();
    refused.expect_error(125, &["is not a regular file"]);
}

#[test]
fn no_two_machines_run_as_one_user_and_none_is_left() {
    let host = busybox();
    let users = || users_of_machines(&host);
    let pods = ["one", "two"].map(|name| {
        let name = format!("--name={name}");
        detached(&host, &["--detach", &name], "echo up; sleep 1000")
    });
    let running = users();
    assert_eq!(running.len(), 2, "{running:?}");
    for (name, pod) in ["one", "two"].into_iter().zip(&pods) {
        let machine = status(&host, name)["init-pid"].as_u64().unwrap();
        let process = std::fs::read_to_string(format!("/proc/{machine}/status")).unwrap();
        let ids = process
            .lines()
            .find_map(|line| line.strip_prefix("Uid:"))
            .unwrap();
        let id = ids.split_whitespace().next().unwrap();
        let own = (id.to_owned(), pod.clone());
        assert!(running.contains(&own), "{own:?} {running:?}");
    }
    host.fairing(["stop", "one", "two"])
        .limit(Duration::from_secs(60))
        .run()
        .ok();
    assert_eq!(users(), []);
}

/// The IDs of users of machines, each with the pod that has it.
fn users_of_machines(host: &Host) -> Vec<(String, String)> {
    let Ok(links) = std::fs::read_dir(host.data_dir().join("userns")) else {
        return Vec::new();
    };
    links
        .map(|link| {
            let link = link.unwrap();
            let pod = std::fs::read_link(link.path()).unwrap();
            let id = link.file_name().into_string().unwrap();
            (id, pod.to_str().unwrap().to_owned())
        })
        .collect()
}
