//! Apps of virtual machines that start again: with what they have written, and nothing of their earlier runs is left on
//! the host.

use std::collections::BTreeSet;
use std::fs;

use harness::{Host, wait_until};

use crate::either_isolator::LIMIT;
use crate::kvm::{detached, run, shell};
use crate::stocked::{IDLE, IMAGE, busybox, wait_log};

/// The mounts that files are of which those who share files have open, by their numbers.
fn mounts_in_use(host: &Host, pod: &str) -> BTreeSet<String> {
    let processes = host.pod_processes(pod).into_iter();
    let servers = processes.filter(|process| process.name.starts_with("virtiofsd"));
    let files = servers.flat_map(|server| {
        let directory = format!("/proc/{}/fdinfo", server.pid);
        fs::read_dir(directory).into_iter().flatten()
    });
    // What is closed meanwhile is not in use.
    let told = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    let mounts = told.filter_map(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
        Some(line.trim().to_owned())
    });
    mounts.collect()
}

#[test]
fn an_app_that_starts_again_has_what_it_has_written_and_what_its_volumes_are_by_then() {
    let host = busybox();
    let volume = host.base().join("volume");
    let fill = |text: &str| {
        fs::create_dir(&volume).unwrap();
        fs::write(volume.join("file"), text).unwrap();
    };
    fill("volume 0\n");
    let flag = format!("--volume={}:/data", volume.display());
    let flags = [
        "--detach",
        "--name=box",
        "--lifetime=until-stopped",
        "--on-app-failure=continue",
        &flag,
    ];
    let script = format!("cat /data/file; echo x >> /runs; wc -l /runs; {IDLE}");
    let pod = detached(&host, &flags, &script);
    wait_log(&host, "box", "1 /runs");
    let at_first = mounts_in_use(&host, &pod).len();
    assert!(at_first > 2, "{at_first}");
    for run in 1..6 {
        host.fairing(["app", "stop", "--force", "box", "busybox"])
            .limit(LIMIT)
            .run()
            .ok();
        // Another directory by the same name.
        fs::rename(&volume, host.base().join(format!("earlier-{run}"))).unwrap();
        fill(&format!("volume {run}\n"));
        host.fairing(["app", "start", "box", "busybox"])
            .limit(LIMIT)
            .run()
            .ok();
        wait_log(&host, "box", &format!("volume {run}\n"));
        wait_log(&host, "box", &format!("{} /runs", run + 1));
    }
    // The machine's kernel tells in its own time what it knows no more.
    wait_until("files of earlier runs are let go", LIMIT, || {
        (mounts_in_use(&host, &pod).len() <= at_first).then_some(())
    });
    host.fairing(["stop", "--force", "box"])
        .limit(LIMIT)
        .run()
        .ok();
}

#[test]
fn an_app_that_has_left_and_one_that_comes_by_its_name_have_nothing_in_common() {
    let host = busybox();
    let flags = ["--detach", "--name=box", "--lifetime=until-stopped"];
    let pod = detached(&host, &flags, IDLE);
    let add = |script: &str| {
        host.fairing(["app", "add", "box", IMAGE, "--app-name=guest"])
            .args(["--", "/bin/sh", "-c", script])
            .limit(LIMIT)
            .run()
            .ok();
        host.fairing(["app", "start", "box", "guest"])
            .limit(LIMIT)
            .run()
            .ok();
    };
    let remove = || {
        host.fairing(["app", "rm", "--force", "box", "guest"])
            .limit(LIMIT)
            .run()
            .ok();
    };
    let before = mounts_in_use(&host, &pod).len();
    add(&format!("echo x > /mark; echo up; {IDLE}"));
    wait_log(&host, "box", "up");
    remove();
    add(&format!("ls /mark || echo none; {IDLE}"));
    wait_log(&host, "box", "none");
    wait_until("files of the first are let go", LIMIT, || {
        (mounts_in_use(&host, &pod).len() <= before + 1).then_some(())
    });
    remove();
    host.fairing(["stop", "--force", "box"])
        .limit(LIMIT)
        .run()
        .ok();
}

#[test]
fn apps_of_a_machine_that_is_removed_with_its_pod_start_in_order_too() {
    let host = busybox();
    let output = run(&host, &["--rm", "--timeout=60s"])
        .args([IMAGE, "--app-name=first", "--init", "--"])
        .args(["/bin/sh", "-c", "echo first"])
        .args(["---", IMAGE, "--app-name=side", "--sidecar", "--"])
        .args(["/bin/sh", "-c"])
        .arg(format!("echo side; {IDLE}"))
        .args(["---", IMAGE, "--app-name=main", "--health-cmd=true", "--"])
        .args(["/bin/sh", "-c", "echo main; exit 3"])
        .run()
        .expect_code(3);
    let order: Vec<_> = output
        .stdout
        .lines()
        .map(|line| line.rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(order.first(), Some(&"first"), "{output}");
    assert!(
        order.contains(&"side") && order.contains(&"main"),
        "{output}"
    );
}

#[test]
fn no_app_is_given_more_memory_than_its_machine_has() {
    let host = busybox();
    let why = [
        "app web",
        "1 GiB",
        "its virtual machine has 256 MiB",
        "--kvm-memory",
    ];
    run(&host, &["--kvm-memory=256m"])
        .args([IMAGE, "--app-name=web", "--memory=1g", "--", "/bin/true"])
        .run()
        .expect_error(125, &why);
    assert!(host.pod_folders().is_empty());
    shell(&host, &["--detach", "--name=box", "--memory=64m"], IDLE)
        .run()
        .ok();
    let refused = "its virtual machine has 192 MiB";
    host.fairing(["update", "--memory=1g", "box"])
        .run()
        .expect_error(125, &["app busybox", "1 GiB", refused]);
    host.fairing(["update", "--memory=96m", "box"])
        .limit(LIMIT)
        .run()
        .ok();
    host.fairing(["stop", "--force", "box"])
        .limit(LIMIT)
        .run()
        .ok();
}
