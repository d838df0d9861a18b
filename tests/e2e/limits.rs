//! Limits beyond the usual ones, those of whole pods, and limits that change while a pod runs.

use std::path::Path;
use std::time::Duration;

use harness::{Host, wait_until};
use serde_json::json;

use crate::cgroup::{folder, value};
use crate::stocked::{IDLE, IMAGE, busybox, detached, status, wait_log};

fn start(host: &Host, pod_flags: &[&str], app_flags: &[&str]) -> String {
    let script = format!("echo up; {IDLE}");
    let started = host
        .fairing(["run", "--detach"])
        .args(pod_flags)
        .args([IMAGE, "--app-name", "web"])
        .args(app_flags)
        .args(["--", "/bin/sh", "-c", &script]);
    let uuid = started.run().ok().text().to_owned();
    wait_log(host, &uuid, "up");
    uuid
}

/// A file of the app `web`, or of its pod if `app` is empty.
fn file(host: &Host, uuid: &str, app: &str, name: &str) -> String {
    let (controller, _) = name.split_once('.').unwrap();
    value(&folder(host, uuid, controller).join(app), name)
}

#[test]
fn swap_reservations_processors_and_disks_are_limited() {
    let host = busybox();
    let disk = some_disk();
    let flags = [
        "--memory=64m",
        "--memory-swap=96m",
        "--memory-reservation=32m",
        "--memory-swappiness=7",
        "--cpu-period=20000",
        "--cpu-quota=10000",
        "--cpuset-cpus=0",
        "--cpuset-mems=0",
        &format!("--device-read-bps={disk}:1mb"),
        &format!("--device-write-iops={disk}:100"),
    ];
    let uuid = start(&host, &[], &flags);
    let of_web = |name: &str| file(&host, &uuid, "web", name);
    assert_eq!(of_web("memory.memsw.limit_in_bytes"), "100663296");
    assert_eq!(of_web("memory.soft_limit_in_bytes"), "33554432");
    assert_eq!(of_web("memory.swappiness"), "7");
    assert_eq!(of_web("cpu.cfs_period_us"), "20000");
    assert_eq!(of_web("cpu.cfs_quota_us"), "10000");
    assert_eq!(of_web("cpuset.cpus"), "0");
    let rate = of_web("blkio.throttle.read_bps_device");
    assert!(rate.ends_with(" 1048576"), "{rate}");
    let rate = of_web("blkio.throttle.write_iops_device");
    assert!(rate.ends_with(" 100"), "{rate}");
    let shown = host.fairing(["status", &uuid]).run().ok();
    for line in [
        "app-web-memory-limit=67108864",
        "app-web-memory-swap-limit=100663296",
        "app-web-memory-reservation=33554432",
        "app-web-memory-swappiness=7",
        "app-web-cpu-limit=0.500",
        "app-web-cpuset-cpus=0",
        "app-web-cpuset-mems=0",
        "app-web-pids-limit=2048",
        &format!("app-web-device-read-bps={disk}:1048576"),
        &format!("app-web-device-write-iops={disk}:100"),
    ] {
        assert!(shown.stdout.lines().any(|one| one == line), "{shown}");
    }
    // A command that enters is bound, too.
    host.fairing(["enter", &uuid, "--", "/bin/grep"])
        .args(["Cpus_allowed_list", "/proc/self/status"])
        .run()
        .ok()
        .expect_stdout("Cpus_allowed_list:\t0\n");
    host.fairing(["stop", "--force", &uuid]).run().ok();
}

/// A block device that the kernel counts, whatever it is called here.
fn some_disk() -> String {
    let disks = std::fs::read_dir("/sys/block").unwrap();
    let names = disks.map(|disk| disk.unwrap().file_name().into_string().unwrap());
    let paths = names.map(|name| format!("/dev/{name}"));
    let mut there = paths.filter(|path| Path::new(path).exists());
    there.next().expect("the machine has a block device")
}

#[test]
fn a_pod_that_needs_no_further_hierarchy_is_in_none() {
    let host = busybox();
    let uuid = start(&host, &[], &["--memory=64m"]);
    for controller in ["cpuset", "blkio", "devices"] {
        let hierarchy = Path::new("/sys/fs/cgroup").join(controller);
        let cgroups = host.cgroups();
        let inside = cgroups.iter().find(|path| path.starts_with(&hierarchy));
        assert_eq!(inside, None, "{controller}");
    }
    host.fairing(["stop", "--force", &uuid]).run().ok();
}

#[test]
fn a_limit_that_the_machine_cannot_keep_stops_the_start_and_is_named() {
    let host = busybox();
    for (flag, words) in [
        // The machine of the tests has this controller in no hierarchy.
        ("--hugetlb=2MB=64m", "no cgroup controller `hugetlb`"),
        ("--cpuset-cpus=4095", "the host has no 4095"),
        ("--device-read-bps=/dev/null:1m", "not a block device"),
        ("--device-read-bps=/dev/nothing:1m", "/dev/nothing"),
        ("--memory-swap=64m", "only where memory is limited"),
        ("--oom-kill-disable", "always ends"),
    ] {
        let run = host.fairing(["run", flag, IMAGE, "--", "/bin/true"]).run();
        assert_ne!(run.code, Some(0), "{flag}");
        assert!(run.stderr.contains(words), "{flag}: {}", run.stderr);
    }
    let pods = host.fairing(["list", "--quiet"]).run().ok();
    host.fairing(["gc", "--grace-period=0s"]).run().ok();
    assert!(host.cgroups().is_empty(), "{}", pods.stdout);
}

#[test]
fn a_pods_limits_are_those_of_all_apps_together() {
    let host = busybox();
    let flags = [
        "--pod-memory=64m",
        "--pod-cpus=1.5",
        "--pod-pids-limit=20",
        "--pod-cpuset-cpus=0",
        "--pod-cpu-shares=2048",
    ];
    let uuid = start(&host, &flags, &["--cpu-shares=512"]);
    let of_pod = |name: &str| file(&host, &uuid, "", name);
    assert_eq!(of_pod("memory.limit_in_bytes"), "67108864");
    assert_eq!(of_pod("memory.memsw.limit_in_bytes"), "67108864");
    assert_eq!(of_pod("cpu.cfs_quota_us"), "150000");
    assert_eq!(of_pod("pids.max"), "20");
    assert_eq!(of_pod("cpuset.cpus"), "0");
    assert_eq!(of_pod("cpu.shares"), "2048");
    host.fairing(["enter", &uuid, "--", "/bin/grep"])
        .args(["Cpus_allowed_list", "/proc/self/status"])
        .run()
        .ok()
        .expect_stdout("Cpus_allowed_list:\t0\n");
    let shown = host.fairing(["status", &uuid]).run().ok();
    for line in [
        "pod-memory-limit=67108864",
        "pod-cpu-limit=1.500",
        "pod-pids-limit=20",
        "pod-cpuset-cpus=0",
        "pod-cpu-shares=2048",
    ] {
        assert!(shown.stdout.lines().any(|one| one == line), "{shown}");
    }
    host.fairing(["stop", "--force", &uuid]).run().ok();
}

#[test]
fn limits_of_a_cgroup_that_somebody_has_removed_are_told_as_gone() {
    let host = busybox();
    let uuid = start(&host, &["--net=none"], &["--pids-limit=0"]);
    let of_app = folder(&host, &uuid, "pids").join("web");
    assert_eq!(value(&of_app, "pids.max"), "max");
    // As who tidies up, and knows nothing of pods.
    let root = Path::new("/sys/fs/cgroup/pids/cgroup.procs");
    wait_until("it is empty", Duration::from_secs(10), || {
        for process in value(&of_app, "cgroup.procs").lines() {
            let _ = std::fs::write(root, process);
        }
        std::fs::remove_dir(&of_app).ok()
    });
    host.fairing(["update", &uuid, "--pids-limit=20"])
        .run()
        .expect_error(125, &["web is gone", "somebody has removed it"]);
    host.fairing(["stop", "--force", &uuid]).run().ok();
}

#[test]
fn an_app_that_takes_more_than_its_pod_may_have_is_out_of_memory() {
    let host = busybox();
    host.fairing(["run", "--rm", "--pod-memory=16m", IMAGE])
        .args(["--exec", "/bin/tail", "--", "/dev/zero"])
        .run()
        .expect_code(137)
        .expect_stderr("killed: out of memory of the pod (limit 16 MiB)");
}

#[test]
fn limits_in_which_no_pod_can_begin_are_named() {
    let host = busybox();
    for (flag, words) in [
        (
            "--pod-memory=100k",
            "out of memory of the pod (limit 100 KiB, by --pod-memory)",
        ),
        ("--pod-pids-limit=1", "--pod-pids-limit"),
    ] {
        host.fairing(["run", "--rm", flag, IMAGE, "--", "/bin/true"])
            .run()
            .expect_error(125, &[words]);
    }
}

#[test]
fn an_app_runs_on_the_processors_of_its_pod_alone() {
    let host = busybox();
    let other = ["--pod-cpuset-cpus=0", IMAGE, "--cpuset-cpus=1"];
    let words = "processor 1 is not among those of the pod, which are 0";
    host.fairing(["run", "--rm"])
        .args(other)
        .args(["--", "/bin/true"])
        .run()
        .expect_error(2, &["app busybox", words]);
    let uuid = start(&host, &["--pod-cpuset-cpus=0"], &["--cpuset-cpus=0"]);
    for flags in [
        ["--cpuset-cpus=1", "1 is not among"],
        ["--pod-cpuset-cpus=1", "app web: processor 0 is not among"],
    ] {
        host.fairing(["update", &uuid, flags[0]])
            .run()
            .expect_error(125, &[flags[1]]);
    }
    let add = host.fairing(["app", "add", &uuid, IMAGE, "--cpuset-cpus=1"]);
    add.args(["--app-name=two", "--", "/bin/true"])
        .run()
        .expect_error(2, &["app two", words]);
    host.fairing(["stop", "--force", &uuid]).run().ok();
}

#[test]
fn limits_of_disks_that_hold_in_part_or_not_at_all_are_warned_about() {
    let host = busybox();
    let disk = some_disk();
    let run = |flag: &str| {
        let run = host.fairing(["run", "--rm", IMAGE, flag]);
        run.args(["--", "/bin/true"]).run()
    };
    // The machine of the tests has cgroups of version 1.
    run(&format!("--device-write-bps={disk}:1mb"))
        .ok()
        .expect_stderr("warning: limits of writes hold for direct and synchronous writes alone");
    let quiet = run(&format!("--device-read-bps={disk}:1mb")).ok();
    assert!(!quiet.stderr.contains("limits of writes"), "{quiet}");
    let schedulers = std::fs::read_dir("/sys/block").unwrap();
    let is_weighed = schedulers.map(|disk| disk.unwrap().path().join("queue/scheduler"));
    let mut texts = is_weighed.map(|file| std::fs::read_to_string(file).unwrap_or_default());
    let is_weighed = texts.any(|text| text.contains("[bfq]"));
    let weighed = run("--blkio-weight=100").ok();
    let warned = weighed
        .stderr
        .contains("warning: weights for disks don't count");
    assert_eq!(warned, !is_weighed, "{weighed}");
    if !is_weighed {
        run(&format!("--blkio-weight-device={disk}:100"))
            .expect_error(125, &["needs the scheduler bfq"]);
    }
}

#[test]
fn limits_of_a_running_app_change_and_stay_so_after_a_restart() {
    let host = busybox();
    let flags = ["--lifetime=until-stopped", "--name=box"];
    let uuid = start(&host, &flags, &["--memory=64m", "--cpuset-cpus=0"]);
    host.fairing([
        "update",
        "box",
        "--memory=128m",
        "--cpus=.5",
        "--pids-limit=7",
    ])
    .run()
    .ok()
    .expect_stdout("box\n");
    let seen = || {
        let files = [
            "memory.limit_in_bytes",
            "memory.memsw.limit_in_bytes",
            "cpu.cfs_quota_us",
            "pids.max",
            "cpuset.cpus",
        ];
        files.map(|name| file(&host, &uuid, "web", name)).join(" ")
    };
    assert_eq!(seen(), "134217728 134217728 50000 7 0");
    host.fairing(["restart", "-t", "0", "box"]).run().ok();
    assert_eq!(seen(), "134217728 134217728 50000 7 0");
    let manifest = host.fairing(["cat-manifest", "box"]).run().ok().json();
    assert_eq!(
        manifest["apps"][0]["resources"],
        json!({
            "memory": {"limit": 128 << 20, "swap": 128 << 20},
            "cpu": {"quota": 50_000, "period": 100_000, "cpus": "0"},
            "pids": {"limit": 7},
        })
    );
    host.fairing([
        "update",
        "box",
        "--memory=0",
        "--cpus=0",
        "--pod-memory=256m",
    ])
    .run()
    .ok();
    assert!(file(&host, &uuid, "web", "memory.limit_in_bytes").len() > 15);
    assert_eq!(file(&host, &uuid, "web", "cpu.cfs_quota_us"), "-1");
    assert_eq!(file(&host, &uuid, "", "memory.limit_in_bytes"), "268435456");
    host.fairing(["stop", "--force", "box"]).run().ok();
    host.fairing(["update", "box", "--memory=64m"])
        .run()
        .expect_error(125, &["box", "has ended"]);
}

#[test]
fn a_change_that_makes_no_sense_changes_nothing() {
    let host = busybox();
    let flags = ["--memory=64m", "--memory-swap=96m"];
    let uuid = start(&host, &["--name=box"], &flags);
    for (words, says) in [
        (&["--memory=128m"][..], "more than the 100663296 bytes"),
        (&["--memory-reservation=65m"], "can't be reserved"),
        // It is in no such hierarchy.
        (&["--device-read-bps=/dev/null:1m"], "not a block device"),
        (&["--cpuset-cpus=0"], "started without limits of `cpuset`"),
        (
            &["--pod-cpuset-cpus=0"],
            "started without limits of `cpuset`",
        ),
        (&["--app=nobody", "--memory=1g"], "has no app `nobody`"),
        (&[], "no limit is named"),
    ] {
        let update = host.fairing(["update", "box"]).args(words).run();
        assert!(update.code != Some(0), "{words:?}");
        assert!(update.stderr.contains(says), "{words:?}: {}", update.stderr);
    }
    assert_eq!(
        file(&host, &uuid, "web", "memory.limit_in_bytes"),
        "67108864"
    );
    let manifest = host.fairing(["cat-manifest", "box"]).run().ok().json();
    let expected = json!({"memory": {"limit": 64 << 20, "swap": 96 << 20}});
    assert_eq!(manifest["apps"][0]["resources"], expected);
    host.fairing(["stop", "--force", "box"]).run().ok();
}

#[test]
fn a_limit_below_what_a_hog_uses_kills_nobody() {
    let host = busybox();
    let hold = format!("x=$(head -c 16000000 /dev/zero | tr '\\0' x); echo held; {IDLE}");
    let uuid = detached(&host, &["--name=hog"], &hold);
    wait_log(&host, &uuid, "held");
    host.fairing(["update", "hog", "--memory=1m"])
        .run()
        .expect_error(125, &["1048576", "in use"]);
    host.fairing(["update", "hog", "--pod-memory=1m"])
        .run()
        .expect_error(125, &["1048576", "in use"]);
    assert_eq!(status(&host, &uuid)["state"], "running");
    host.fairing(["stop", "--force", "hog"]).run().ok();
}

#[test]
fn a_fork_bomb_is_stopped_by_a_limit_that_comes_later() {
    let host = busybox();
    let bomb = "b() { b | b & }; b 2>/dev/null; exec sleep 1000";
    let uuid = detached(&host, &["--name=bomb"], bomb);
    host.fairing(["update", "bomb", "--pids-limit=8"])
        .run()
        .ok();
    let web = folder(&host, &uuid, "pids").join("busybox");
    wait_until("the kernel refuses forks", Duration::from_secs(20), || {
        (!value(&web, "pids.events").ends_with(" 0")).then_some(())
    });
    assert_eq!(value(&web, "pids.max"), "8");
    host.fairing(["stop", "--force", "bomb"]).run().ok();
}

#[test]
fn an_update_that_fails_half_way_changes_nothing_and_says_so() {
    let host = busybox();
    let uuid = start(&host, &["--pod-cpus=1"], &["--memory=64m"]);
    let limits = || {
        ["memory.limit_in_bytes", "pids.max", "cpu.cfs_quota_us"].map(|name| {
            (
                file(&host, &uuid, "web", name),
                file(&host, &uuid, "", name),
            )
        })
    };
    let before = limits();
    let words = ["if=/dev/zero", "of=/dev/shm/kept", "bs=1M", "count=24"];
    let kept = host.fairing(["enter", &uuid, "--", "/bin/dd"]).args(words);
    kept.run().ok();
    // What is in use is taken from nobody.
    let change = [
        "update",
        &uuid,
        "--memory=8m",
        "--pids-limit=50",
        "--cpus=0.5",
    ];
    let refused = host.fairing(change).run();
    refused.expect_error(125, &["8388608 bytes is below the", "in use"]);
    assert_eq!(limits(), before);
    let change = [
        "update",
        &uuid,
        "--memory=8m",
        "--cpus=0.5",
        "--pod-pids-limit=70",
    ];
    let refused = host.fairing(change).run();
    refused.expect_error(125, &["those of all apps together are as they were"]);
    assert_eq!(limits(), before);
    // No app has more than all have together.
    let change = ["update", &uuid, "--memory=100m", "--cpus=2"];
    let refused = host.fairing(change).run();
    refused.expect_error(125, &["the time of 2 processors is more than the pod has"]);
    assert_eq!(limits(), before);
    let number = "9223372036854775807";
    host.fairing(["update", &uuid, "--memory=100m", "--cpu-quota", number])
        .run()
        .expect_error(2, &["--cpu-quota", "17592186044415"]);
    assert_eq!(limits(), before);
    host.fairing(["stop", "--force", &uuid]).run().ok();
}
