//! cgroups of version 1: one for the pod, one for each app, their limits, and what a limit does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{Host, ImageBuilder, Process, wait_until};
use serde_json::Value;

use crate::imported::{busybox_host, import};

fn start(host: &Host, arguments: &[&str]) -> String {
    host.fairing(["run", "--detach"])
        .args(arguments)
        .run()
        .ok()
        .text()
        .to_owned()
}

fn status(host: &Host, pod: &str) -> Value {
    host.fairing(["status", pod, "--format", "json"])
        .run()
        .ok()
        .json()
}

/// The pod's directory in the hierarchy of this controller.
pub(crate) fn folder(host: &Host, uuid: &str, controller: &str) -> PathBuf {
    let hierarchy = Path::new("/sys/fs/cgroup").join(controller);
    host.cgroups()
        .into_iter()
        .find(|path| path.starts_with(&hierarchy) && path.ends_with(format!("fairing-{uuid}")))
        .unwrap_or_else(|| panic!("no cgroup of pod {uuid} in {}", hierarchy.display()))
}

/// A file of a cgroup.
#[track_caller]
pub(crate) fn value(folder: &Path, file: &str) -> String {
    let path = folder.join(file);
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .trim()
        .to_owned()
}

fn procs(folder: &Path) -> Vec<u32> {
    value(folder, "cgroup.procs")
        .lines()
        .map(|line| line.parse().unwrap())
        .collect()
}

fn pid(view: &Value) -> u32 {
    u32::try_from(view.as_u64().expect("a process id")).unwrap()
}

const CONTROLLERS: [&str; 4] = ["cpu", "cpuacct", "memory", "pids"];

#[test]
fn each_pod_and_each_app_has_a_cgroup() {
    let (host, image) = busybox_host();
    let sleep = ["--", "/bin/sleep", "1000"];
    let mut words = vec![image.as_str(), "--app-name", "one"];
    words.extend(sleep);
    words.extend(["---", &image, "--app-name", "two"]);
    words.extend(sleep);
    let uuid = start(&host, &words);
    let status = status(&host, &uuid);
    let init = pid(&status["init-pid"]);
    let monitor = pid(&status["monitor-pid"]);
    for controller in CONTROLLERS {
        let pod = folder(&host, &uuid, controller);
        assert_eq!(procs(&pod), [init], "{controller}");
        for app in status["apps"].as_array().unwrap() {
            let own = pod.join(app["name"].as_str().unwrap());
            assert_eq!(procs(&own), [pid(&app["pid"])], "{controller}");
        }
    }
    let monitor = Process::read(monitor).expect("the monitor");
    assert!(!monitor.cgroups.contains(&uuid), "{}", monitor.cgroups);

    // A command that enters an app is counted there.
    let mut entered = host
        .fairing(["enter", "-i", "--app", "two", &uuid, "--", "/bin/cat"])
        .stdin_open()
        .spawn();
    let two = folder(&host, &uuid, "pids").join("two");
    wait_until(
        "the command is in the app's cgroup",
        Duration::from_secs(10),
        || (procs(&two).len() > 1).then_some(()),
    );
    // Its end of file ends the command.
    entered.close_stdin();
    entered.wait().ok();

    host.fairing(["stop", "--force", &uuid]).run().ok();
    assert_eq!(
        host.cgroups(),
        Vec::<PathBuf>::new(),
        "they go with the pod, not with gc"
    );
}

#[test]
fn limits_are_in_the_app_s_cgroup_and_in_no_other() {
    let (host, image) = busybox_host();
    let uuid = start(
        &host,
        &[
            &image,
            "--app-name",
            "limited",
            "--memory",
            "64m",
            "--cpus",
            "0.5",
            "--pids-limit",
            "20",
            "--cpu-shares",
            "512",
            "--",
            "/bin/sleep",
            "1000",
            "---",
            &image,
            "--app-name",
            "free",
            "--",
            "/bin/sleep",
            "1000",
        ],
    );
    let file = |app: &str, name: &str| {
        let (controller, _) = name.split_once('.').unwrap();
        value(&folder(&host, &uuid, controller).join(app), name)
    };
    assert_eq!(
        file("limited", "memory.limit_in_bytes"),
        (64 << 20).to_string()
    );
    let swap = folder(&host, &uuid, "memory").join("limited/memory.memsw.limit_in_bytes");
    if swap.exists() {
        assert_eq!(
            fs::read_to_string(swap).unwrap().trim(),
            (64 << 20).to_string()
        );
    }
    assert_eq!(file("limited", "cpu.cfs_period_us"), "100000");
    assert_eq!(file("limited", "cpu.cfs_quota_us"), "50000");
    assert_eq!(file("limited", "cpu.shares"), "512");
    assert_eq!(file("limited", "pids.max"), "20");
    assert_eq!(file("free", "cpu.cfs_quota_us"), "-1");
    assert_eq!(file("free", "cpu.shares"), "1024");
    assert_eq!(file("free", "pids.max"), "2048");
    // Against other pods, the pod weighs what its apps do together.
    let pod = folder(&host, &uuid, "cpu");
    assert_eq!(value(&pod, "cpu.shares"), "1536");
    assert!(file("free", "memory.limit_in_bytes").len() > 15);
    let manifest = host.fairing(["cat-manifest", &uuid]).run().ok().json();
    assert_eq!(
        manifest["apps"][0]["resources"],
        serde_json::json!({
            "memory": {"limit": 64 << 20, "swap": 64 << 20},
            "cpu": {"shares": 512, "quota": 50_000, "period": 100_000},
            "pids": {"limit": 20},
        })
    );
    host.fairing(["stop", "--force", &uuid]).run().ok();
}

#[test]
fn a_fork_bomb_stays_within_its_limit() {
    let (host, image) = busybox_host();
    let neighbour = start(&host, &[&image, "--", "/bin/sleep", "1000"]);
    let bomb = "b() { b | b & }; b 2>/dev/null; exec /bin/sleep 1000";
    let uuid = start(
        &host,
        &[&image, "--pids-limit", "24", "--", "/bin/sh", "-c", bomb],
    );
    let own = folder(&host, &uuid, "pids").join("busybox");
    wait_until("the kernel refuses forks", Duration::from_secs(20), || {
        let refused = value(&own, "pids.events");
        let refused: u64 = refused.trim_start_matches("max").trim().parse().unwrap();
        let current: u64 = value(&own, "pids.current").parse().unwrap();
        assert!(current <= 24, "{current} processes");
        (refused > 0).then_some(())
    });
    // The machine is as responsive as ever for others.
    host.fairing(["enter", &neighbour, "--", "/bin/true"])
        .run()
        .ok();
    host.fairing(["stop", "--force", &uuid]).run().ok();
    // The monitor has said so, and may itself be on its way out.
    let mut left = host.processes();
    left.retain(|process| process.cgroups.contains(&uuid));
    assert!(left.is_empty(), "{left:#?}");
    host.fairing(["stop", "--force", &neighbour]).run().ok();
}

/// How the only app of a pod ended, as `status` and as its record on disk say.
fn outcome(host: &Host, pod: &str) -> Value {
    let status = status(host, pod);
    let app = &status["apps"][0];
    let uuid = status["uuid"].as_str().unwrap();
    let record = host
        .data_dir()
        .join("pods/run")
        .join(uuid)
        .join("apps")
        .join(app["name"].as_str().unwrap())
        .join("status.json");
    let record: Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    assert_eq!(record["outcome"], app["outcome"]);
    assert_eq!(record["exit-code"], app["exit-code"]);
    app["outcome"].clone()
}

#[test]
fn an_oom_kill_is_told_apart() {
    let (host, image) = busybox_host();
    host.fairing(["run", "--name", "hungry", &image, "--memory", "16m"])
        .args(["--exec", "/bin/tail", "--", "/dev/zero"])
        .run()
        .expect_code(137)
        .expect_stderr("fairing: app busybox: killed: out of memory (limit 16 MiB)");
    host.fairing(["list"])
        .run()
        .ok()
        .expect_stdout("exited (137), out of memory");
    let hungry = outcome(&host, "hungry");
    assert_eq!(
        (&hungry["kind"], &hungry["signal"]),
        (&"signaled".into(), &9.into())
    );
    assert_eq!(hungry["oom-killed"], true, "{hungry}");
    host.fairing(["status", "hungry"])
        .run()
        .ok()
        .expect_stdout("memory");

    // The same signal, for another reason, under the same limit.
    host.fairing([
        "run", "--detach", "--name", "killed", &image, "--memory", "16m",
    ])
    .args(["--", "/bin/sleep", "1000"])
    .run()
    .ok();
    host.fairing(["stop", "--force", "killed"]).run().ok();
    let killed = outcome(&host, "killed");
    assert_eq!(
        (&killed["kind"], &killed["signal"]),
        (&"signaled".into(), &9.into())
    );
    assert_eq!(killed["oom-killed"], false, "{killed}");
}

#[test]
fn of_several_apps_the_one_that_is_out_of_memory_is_named() {
    let (host, image) = busybox_host();
    host.fairing(["run", "--rm", "--on-app-failure=continue", &image])
        .args(["--app-name", "one", "--", "/bin/true", "---", &image])
        .args(["--app-name", "two", "--memory", "16m"])
        .args(["--exec", "/bin/tail", "--", "/dev/zero"])
        .run()
        .expect_code(137)
        .expect_stderr("fairing: app two: killed: out of memory (limit 16 MiB)");
}

#[test]
fn an_app_whose_child_is_oom_killed_goes_on() {
    let (host, image) = busybox_host();
    host.fairing(["run", "--name", "parent", &image, "--memory", "16m", "--"])
        .args([
            "/bin/sh",
            "-c",
            "tail /dev/zero; echo \"child: $?\"; exit 3",
        ])
        .run()
        .expect_code(3)
        .expect_stdout("child: 137\n");
    assert_eq!(
        outcome(&host, "parent"),
        serde_json::json!({"kind": "exited", "code": 3})
    );
    // Its own end had another reason, and what happened to its child is told all the same.
    host.fairing(["status", "parent"])
        .run()
        .ok()
        .expect_stdout("app-busybox-state=exited with 3\n")
        .expect_stdout("app-busybox-oom-kills=1\n");
    let shown = |pod: &str| {
        let words = "{{.State.OOMKilled}} {{(index .Apps 0).OomKills}}";
        let inspect = host.fairing(["inspect", "-f", words, pod]);
        inspect.run().ok().text().to_owned()
    };
    assert_eq!(shown("parent"), "true 1");
    host.fairing(["list"])
        .run()
        .ok()
        .expect_stdout("exited (3) ");
}

#[test]
fn an_oom_kill_is_told_of_an_app_that_lives_on_until_it_starts_again() {
    let (host, image) = busybox_host();
    let script = "test -e /once || { touch /once; tail /dev/zero; }; echo up; exec sleep 1000";
    let flags = ["--detach", "--name", "box", "--lifetime=until-stopped"];
    host.fairing(["run"])
        .args(flags)
        .args([&image, "--memory", "16m", "--", "/bin/sh", "-c", script])
        .run()
        .ok();
    crate::stocked::wait_log(&host, "box", "up");
    let shown = || {
        let words = "{{.State.Status}} {{.State.OOMKilled}} {{(index .Apps 0).OomKills}}";
        let inspect = host.fairing(["inspect", "-f", words, "box"]);
        inspect.run().ok().text().to_owned()
    };
    assert_eq!(shown(), "running true 1");
    host.fairing(["app", "status", "box", "busybox"])
        .run()
        .ok()
        .expect_stdout("app-busybox-oom-kills=1\n");
    host.fairing(["restart", "-t", "0", "box"]).run().ok();
    assert_eq!(shown(), "running false 0");
    // What nobody writes down at the end of the app is written down at the pod's.
    host.fairing(["stop", "--force", "box"]).run().ok();
    assert_eq!(shown(), "exited false 0");
}

#[test]
fn a_kill_long_after_a_childs_lack_of_memory_has_another_reason() {
    let (host, image) = busybox_host();
    // The nap lets the kernel finish with the child.
    let script = "tail /dev/zero; echo child: $?; usleep 600000; echo up; exec sleep 1000";
    let running = host
        .fairing(["run", "--name", "parent", &image, "--memory", "16m", "--"])
        .args(["/bin/sh", "-c", script])
        .spawn();
    running.wait_stdout("child: 137\n");
    running.wait_stdout("up\n");
    let live = host.fairing(["status", "--format", "json", "parent"]).run();
    let pid = live.ok().json()["apps"][0]["pid"].as_i64().unwrap();
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    running.wait().expect_code(137);
    assert_eq!(outcome(&host, "parent")["oom-killed"], false);
}

#[test]
fn memory_that_an_app_may_have_it_gets() {
    let host = Host::new();
    host.accept_unsigned();
    let image = import(&host, &ImageBuilder::busybox().build(), "busybox:1");
    // 24 MiB in shared memory count for the app that writes them.
    let write = "dd if=/dev/zero of=/dev/shm/x bs=1M count=24 2>/dev/null && echo written";
    host.fairing([
        "run", "--rm", &image, "--memory", "64m", "--", "/bin/sh", "-c", write,
    ])
    .run()
    .ok()
    .expect_stdout("written\n");
    host.fairing(["run", "--name", "less", &image, "--memory", "16m", "--"])
        .args([
            "/bin/sh",
            "-c",
            &format!("exec {}", write.split(" && ").next().unwrap()),
        ])
        .run()
        .expect_code(137);
    assert_eq!(outcome(&host, "less")["oom-killed"], true);
}
