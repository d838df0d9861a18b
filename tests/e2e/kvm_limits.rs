//! Limits of pods in virtual machines, what they use, and how they are stopped for a while.

use std::time::Duration;

use harness::{Host, Signal, wait_until};
use rustix::process::{Pid, kill_process};
use serde_json::Value;

use crate::cgroup::{folder, value};
use crate::kvm::{run, shell};
use crate::stocked::{IMAGE, busybox, status, wait_log};

/// A translated machine takes its time.
const LIMIT: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;

/// A machine with two apps: `busy`, which has flags of its own and does this, and `idle`.
fn pair(host: &Host, pod: &[&str], busy: &[&str], does: &str) -> String {
    let spin = format!("echo spins; {does}");
    let idle = "trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done";
    let started = run(host, pod)
        .args(["--detach", "--name=box", IMAGE, "--app-name=busy"])
        .args(busy)
        .args(["--", "/bin/sh", "-c", &spin])
        .args(["---", IMAGE, "--app-name=idle", "--", "/bin/sh", "-c", idle])
        .run();
    let uuid = started.ok().text().to_owned();
    wait_log(host, &uuid, "spins");
    wait_log(host, &uuid, "up");
    uuid
}

fn state(host: &Host, app: usize) -> String {
    let status = status(host, "box");
    status["apps"][app]["state"].as_str().unwrap().to_owned()
}

/// What `stats` tells of the pod as a whole and of its apps, in this order.
#[track_caller]
fn figures(host: &Host) -> Vec<Value> {
    wait_until("figures", LIMIT, || {
        let words = ["stats", "--no-stream", "--interval=300ms", "--format=json"];
        let told = host.fairing(words).arg("box").run().ok().json();
        let rows = told.as_array().unwrap().clone();
        let has_come = |row: &Value| row["memory"]["usage"].is_u64();
        (rows.len() == 3 && rows.iter().all(has_come)).then_some(rows)
    })
}

#[track_caller]
fn within(host: &Host, app: &str, script: &str) -> String {
    let words = ["enter", "--app", app, "box", "--", "/bin/sh", "-c", script];
    host.fairing(words).limit(LIMIT).run().ok().stdout
}

#[test]
fn what_apps_of_a_machine_use_is_told_limited_and_stopped() {
    let host = busybox();
    let flags = ["--memory=64m", "--pids-limit=50"];
    pair(&host, &[], &flags, "while :; do :; done");
    let rows = figures(&host);
    let (whole, busy, idle) = (&rows[0], &rows[1], &rows[2]);
    assert_eq!(
        (&busy["app"], &idle["app"]),
        (&"busy".into(), &"idle".into())
    );
    assert_eq!(busy["memory"]["limit"], 64 * MIB);
    assert_eq!(busy["pids"]["limit"], 50);
    assert_eq!(busy["memory-available"], 64 * MIB);
    // Without a limit, there is what the machine has: its apps' limits, 256m for one that has none, and its kernel's part.
    assert_eq!(idle["memory-available"], (64 + 256 + 128) * MIB);
    let percent = |row: &Value| row["cpu-percent"].as_f64().unwrap();
    // Others work on the host, too.
    assert!(percent(busy) > 1.0, "{rows:?}");
    // The whole machine takes more than its apps do.
    let memory = |row: &Value| row["memory"]["usage"].as_u64().unwrap();
    assert!(memory(whole) > memory(busy) + 32 * MIB, "{rows:?}");

    let update = |flags: &[&str]| {
        let update = host.fairing(["update"]).args(flags).arg("box");
        update.limit(LIMIT).run()
    };
    update(&["--app=busy", "--memory=48m", "--cpus=0.5"]).ok();
    let files = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max";
    let limits = within(&host, "busy", files);
    assert_eq!(limits, format!("{}\n50000 100000\n", 48 * MIB));
    let shown = &status(&host, "box")["apps"][0]["memory-limit"];
    assert_eq!(*shown, 48 * MIB);
    update(&["--app=busy", "--memory=4096"]).expect_error(125, &["4096", "bytes"]);
    assert_eq!(within(&host, "busy", files), limits);

    for _ in 0..2 {
        let paused = host.fairing(["pause", "--app=busy", "box"]).run().ok();
        assert_eq!(paused.stdout, "box\n");
    }
    assert_eq!(
        (state(&host, 0), state(&host, 1)),
        ("paused".into(), "running".into())
    );
    host.fairing(["list"]).run().ok().expect_stdout("paused");
    host.fairing(["enter", "--app=busy", "box", "--", "/bin/true"])
        .run()
        .expect_error(125, &["is paused"]);
    let time = |rows: &[Value]| rows[1]["cpu"]["usage-ns"].as_u64().unwrap();
    let before = time(&figures(&host));
    assert_eq!(time(&figures(&host)), before);
    host.fairing(["resume", "--app=busy", "box"]).run().ok();
    assert_eq!(state(&host, 0), "running");
    wait_until("it runs on", LIMIT, || {
        (time(&figures(&host)) > before).then_some(())
    });
    // What is paused is asked to end all the same.
    host.fairing(["pause", "box"]).run().ok();
    assert_eq!(state(&host, 1), "paused");
    host.fairing(["stop", "box"]).limit(LIMIT).run().ok();
    assert_eq!(status(&host, "box")["apps"][1]["exit-code"], 5);
}

#[test]
fn all_apps_of_a_machine_together_have_what_the_pod_may_have() {
    let host = busybox();
    let flags = [
        "--pod-memory=96m",
        "--pod-cpus=1",
        "--pod-cpu-shares=512",
        "--pod-cpuset-cpus=0",
    ];
    let uuid = pair(&host, &flags, &[], "sleep 1000");
    let script = "grep MemTotal /proc/meminfo; grep -c ^processor /proc/cpuinfo";
    let told = within(&host, "idle", script);
    let (memory, processors) = told.trim().split_once('\n').unwrap();
    // With 128 MiB for the machine's kernel.
    let kilobytes: u64 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((140 << 10..224 << 10).contains(&kilobytes), "{told}");
    assert_eq!(processors, "1");
    for app in &figures(&host)[1..] {
        assert_eq!(app["memory-available"], 96 * MIB, "{app}");
    }
    let on_host = |name: &str| {
        let (controller, _) = name.split_once('.').unwrap();
        value(&folder(&host, &uuid, controller), name)
    };
    let most = (96 + 128 + 256) * MIB;
    assert_eq!(on_host("memory.limit_in_bytes"), most.to_string());
    assert_eq!(on_host("cpu.cfs_quota_us"), "100000");
    assert_eq!(on_host("cpu.shares"), "512");
    assert_eq!(on_host("cpuset.cpus"), "0");

    let update = |flag: &str| host.fairing(["update", flag, "box"]).limit(LIMIT).run();
    update("--pod-cpus=0.9").ok();
    assert_eq!(on_host("cpu.cfs_quota_us"), "90000");
    update("--pod-memory=1g").expect_error(125, &["224 MiB", "96 MiB of them for apps"]);
    update("--pod-memory=64m").ok();
    assert_eq!(
        status(&host, "box")["resources"]["memory"]["limit"],
        64 * MIB
    );
    // No app has a limit of its own.
    let eats = ["enter", "--app=idle", "box", "--", "/bin/tail", "/dev/zero"];
    host.fairing(eats).limit(LIMIT).run().expect_code(137);
    wait_until("the kill is told", LIMIT, || {
        (status(&host, "box")["apps"][1]["oom-kills"] == 1).then_some(())
    });
    host.fairing(["stop", "--force", "box"])
        .limit(LIMIT)
        .run()
        .ok();
}

#[test]
fn whose_memory_ran_out_is_told() {
    let host = busybox();
    for (flags, whose) in [
        (&["--memory=32m"][..], "out of memory (limit 32 MiB)"),
        (
            &["--pod-memory=48m"],
            "out of memory of the pod (limit 48 MiB)",
        ),
        (
            &["--kvm-memory=128m"],
            "out of memory of the virtual machine (it has 128 MiB; --kvm-memory sets that)",
        ),
    ] {
        let (pod, app): (Vec<_>, Vec<_>) =
            flags.iter().partition(|flag| !flag.starts_with("--memory"));
        let eats = run(&host, &pod.into_iter().copied().collect::<Vec<_>>())
            .args(["--name=eats", IMAGE])
            .args(app)
            .args(["--", "/bin/tail", "/dev/zero"])
            .run();
        eats.expect_code(137).expect_stderr(whose);
        let told = whose.split(" (").next().unwrap().trim_end();
        let listed = host.fairing(["list"]).run().ok();
        listed.expect_stdout(&format!("exited (137), {told}"));
        let shown = host.fairing(["status", "eats"]).run().ok();
        shown.expect_stdout(&format!("killed by SIGKILL: {told}\n"));
        host.fairing(["rm", "eats"]).run().ok();
    }
}

#[test]
fn a_machine_for_which_the_host_has_no_memory_is_recorded_as_that() {
    let host = busybox();
    let script = "echo up; read line; exec tail /dev/zero";
    let started = shell(
        &host,
        &[
            "--detach",
            "--interactive",
            "--name=box",
            "--pod-memory=512m",
        ],
        script,
    );
    let uuid = started.run().ok().text().to_owned();
    wait_log(&host, &uuid, "up");
    let memory = folder(&host, &uuid, "memory");
    let used: u64 = value(&memory, "memory.usage_in_bytes").parse().unwrap();
    let most = (used + 16 * MIB).to_string();
    for file in ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"] {
        std::fs::write(memory.join(file), &most).unwrap();
    }
    host.fairing(["attach", "box"])
        .stdin("go\n")
        .limit(LIMIT)
        .run();
    let ended = wait_until("the pod has ended", LIMIT, || {
        let status = status(&host, "box");
        (status["state"] == "exited").then_some(status)
    });
    assert_eq!(ended["exit-code"], 137);
    let failure = ended["failure"].as_str().unwrap();
    assert!(
        failure.contains("the virtual machine was killed: out of memory of the host"),
        "{failure}"
    );
    assert_eq!(ended["apps"][0]["out-of-memory"], "host");
    let listed = host.fairing(["list"]).run().ok();
    listed.expect_stdout("out of memory of the host");
}

#[test]
fn a_machine_that_does_not_answer_costs_who_asks_some_seconds_and_nobody_else() {
    let host = busybox();
    pair(&host, &[], &[], "sleep 1000");
    let pid = status(&host, "box")["init-pid"].as_i64().unwrap();
    let machine = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(machine, Signal::STOP).unwrap();
    let mute = "the pod's virtual machine is stopped";
    let asked = [
        &["pause", "box"][..],
        &["update", "--app=idle", "--memory=64m", "box"],
    ];
    let asked = asked.map(|words| host.fairing(words).limit(LIMIT).spawn());
    // Others are served meanwhile.
    assert_eq!(status(&host, "box")["state"], "running");
    for asked in asked {
        asked.wait().expect_error(125, &[mute]);
    }
    host.fairing(["update", "--app=idle", "--memory=32m", "box"])
        .limit(LIMIT)
        .run()
        .expect_error(125, &["are being changed already"]);
    kill_process(machine, Signal::CONT).unwrap();
    // What it does late is known.
    wait_until("the late answers", LIMIT, || {
        let status = status(&host, "box");
        let limit = &status["apps"][1]["memory-limit"];
        (*limit == 64 * MIB && status["apps"][1]["state"] == "paused").then_some(())
    });
    host.fairing(["resume", "box"]).limit(LIMIT).run().ok();
    host.fairing(["stop", "box"]).limit(LIMIT).run().ok();
    assert_eq!(status(&host, "box")["apps"][1]["exit-code"], 5);
}

/// Shows what an app's processes begin with, in both isolators alike.
const SHOWN: &str = "cat /proc/sys/kernel/msgmax; df -k /dev/shm | tail -n 1 | awk '{print $2}'; \
     ulimit -n; umask; cat /proc/self/oom_score_adj; id -G; \
     grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; \
     touch /new 2>&1; ls /proc/1/fd 2>&1 | head -n 1; cat /etc/motd 2>&1; echo $$";

#[test]
fn what_processes_begin_with_in_a_machine_is_what_they_begin_with_elsewhere() {
    let host = busybox();
    let pod = ["--rm", "--sysctl=kernel.msgmax=9000", "--shm-size=8m"];
    let app = [
        "--ulimit=nofile=100:200",
        "--umask=077",
        "--oom-score-adj=250",
        "--group-add=77",
        "--cap-add=sys_time",
        "--cap-drop=kill",
        "--read-only",
        "--security-opt=no-new-privileges=false",
        "--security-opt=mask=/etc/motd",
        "--pid=private",
    ];
    let elsewhere = host
        .fairing(["run", "--net=none", "--userns=host"])
        .args(pod)
        .arg(IMAGE)
        .args(app)
        .args(["--", "/bin/sh", "-c", SHOWN])
        .run()
        .ok();
    let here = run(&host, &pod)
        .arg(IMAGE)
        .args(app)
        .args(["--memory=64m", "--memory-reservation=32m"])
        .args(["--", "/bin/sh", "-c"])
        .arg(format!("{SHOWN}; cat /sys/fs/cgroup/memory.low"))
        .run()
        .ok();
    let reserved = format!("{}\n", 32 * MIB);
    assert_eq!(here.stdout, elsewhere.stdout.clone() + &reserved);
    for line in ["9000", "8192", "100", "0077", "250", "0 77"] {
        assert!(
            elsewhere.stdout.lines().any(|shown| shown == line),
            "{elsewhere}"
        );
    }
}
