//! Apps that try to take what is pod init's, the caller's or the machine's, and those that leave something behind.

use std::fs;
use std::path::Path;
use std::time::Duration;

use harness::{Host, ImageBuilder, Process, probe_binary, wait_until};

use crate::app::{add, app, sandbox, state};
use crate::stocked::{IDLE, IMAGE, busybox, detached, host_with, status, wait_log};

/// How long what takes processes by the thousand may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What the probe prints as an app, with these arguments.
#[track_caller]
fn probe(host: &Host, flags: &[&str], arguments: &[&str]) -> String {
    host.fairing(["run", "--rm", IMAGE])
        .args(flags)
        .args(["--", "/probe"])
        .args(arguments)
        .run()
        .ok()
        .stdout
}

fn probe_host() -> Host {
    host_with(ImageBuilder::probe())
}

/// A file of reviewed lines; those that begin with `#` are the reviewer's.
fn reviewed(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("e2e/data")
        .join(name);
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn root_of_an_app_has_no_hold_on_pod_init() {
    let host = probe_host();
    let pod = detached(&host, &[], IDLE);
    let status = status(&host, &pod);
    let pid = |name: &str| u32::try_from(status[name].as_u64().unwrap()).unwrap();
    let (monitor, init) = (pid("monitor-pid"), pid("init-pid"));
    let of = |pid: u32, name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
    let session = |pid: u32| {
        let stat = of(pid, "stat");
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').nth(3).unwrap().to_owned()
    };
    assert_ne!(session(init), session(monitor));
    let (limits, group) = (of(init, "limits"), of(monitor, "autogroup"));
    let found = host
        .fairing(["enter", &pod, "--", "/probe", "hold-on-init"])
        .run()
        .ok();
    let found: Vec<&str> = found
        .stdout
        .lines()
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(found, reviewed("hold-on-init.txt"));
    assert_eq!(of(init, "limits"), limits);
    // What it can slow down is its own pod's.
    assert_eq!(of(monitor, "autogroup"), group);
    host.fairing(["enter", &pod, "--", "/bin/true"]).run().ok();
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn only_reviewed_files_of_the_kernel_open_for_writing() {
    let host = probe_host();
    let known = reviewed("writable.txt");
    for user in ["root", "app"] {
        let found = probe(&host, &["--user", user], &["writable"]);
        let found = found.lines().skip(1).filter(|line| !line.is_empty());
        let new: Vec<&str> = found
            .filter(|line| !known.iter().any(|known| known == line))
            .collect();
        assert_eq!(new, Vec::<&str>::new(), "{user}");
    }
}

#[test]
fn recent_system_calls_are_for_the_kernel_to_answer() {
    let host = probe_host();
    let filtered = probe(&host, &[], &["recent-calls"]);
    let unfiltered = host
        .fairing(["--insecure-options=seccomp", "run", "--rm", IMAGE])
        .args(["--", "/probe", "recent-calls"])
        .run()
        .ok();
    assert_eq!(filtered, unfiltered.stdout);
    assert!(!filtered.contains("EPERM"), "{filtered}");
}

#[test]
fn every_user_of_a_pod_may_listen_at_any_port() {
    let host = busybox();
    let script = "busybox httpd -p 80 && echo listens";
    let run = ["run", "--rm", "--net=none", IMAGE, "--user", "5"];
    let output = host
        .fairing(run)
        .args(["--", "/bin/sh", "-c", script])
        .run();
    assert_eq!(output.ok().stdout, "listens\n");
}

#[test]
fn pod_init_keeps_the_capabilities_that_starts_take() {
    let host = probe_host();
    let capabilities = |flags: &[&str]| {
        let pod = detached(&host, flags, IDLE);
        let init = status(&host, &pod)["init-pid"].as_u64().unwrap();
        let text = fs::read_to_string(format!("/proc/{init}/status")).unwrap();
        host.fairing(["stop", "--force", &pod]).run().ok();
        let field = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs"].map(field)
    };
    // The nine of apps, MKNOD, SYS_CHROOT, SYS_PTRACE and SYS_ADMIN.
    let few = "00000000082c05fb";
    let none = "0000000000000000";
    assert_eq!(capabilities(&[]), [none, few, few, few, "1"]);
    let given_up = capabilities(&["--insecure-options=capabilities"]);
    assert_ne!(given_up[1], few);
}

#[test]
fn an_app_gets_so_many_terminals_and_others_have_theirs() {
    let host = probe_host();
    assert_eq!(
        probe(&host, &[], &["terminals", "1000"]),
        "256 terminals, then ENOSPC\n"
    );
    let config = "[apps]\nmax-terminals = 8\n";
    fs::write(host.local_config().join("config.toml"), config).unwrap();
    let pod = detached(&host, &[], IDLE);
    let enter = |words: &[&str]| host.fairing(["enter", &pod, "--"]).args(words).run();
    let taken = enter(&["/probe", "terminals", "1000"]);
    assert_eq!(taken.ok().stdout, "8 terminals, then ENOSPC\n");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn empty_files_in_memory_are_bounded() {
    let host = busybox();
    let config = "[apps]\nmax-memory-files = 100\n";
    fs::write(host.local_config().join("config.toml"), config).unwrap();
    let script = "for at in /dev /dev/shm; do i=0; \
        while : 2>/dev/null > $at/f$i; do i=$((i+1)); [ $i -lt 1000 ] || exit 9; done; \
        echo $at $i; done";
    let output = host
        .fairing(["run", "--rm", IMAGE, "--", "/bin/sh", "-c"])
        .arg(script.replace(
            "while : 2>/dev/null > $at/f$i",
            "while (: > $at/f$i) 2>/dev/null",
        ))
        .run()
        .ok();
    let counts: Vec<u32> = output
        .stdout
        .lines()
        .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
        .collect();
    let [dev, shm] = counts.as_slice() else {
        panic!("{output}");
    };
    assert!(
        (50..100).contains(dev) && (90..100).contains(shm),
        "{output}"
    );
}

/// The processes in an app's cgroup.
fn processes(host: &Host, app: &str) -> usize {
    let part = format!("/{app}");
    let is_in = |process: &Process| {
        let mut lines = process.cgroups.lines();
        lines.any(|line| line.ends_with(&part))
    };
    host.processes()
        .iter()
        .filter(|process| is_in(process))
        .count()
}

#[test]
fn thousands_of_processes_that_an_app_leaves_are_killed() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    let script = "i=0; while [ $i -lt 3000 ]; do sleep 1000 & i=$((i+1)); done; exit 0";
    add(&host, &pod, "many", &["--pids-limit=-1"], script);
    app(&host, &["start", &pod, "many"]);
    wait_until("the app has ended", LIMIT, || {
        (state(&host, &pod, "many") == "exited").then_some(())
    });
    wait_until("nothing of it is left", Duration::from_secs(20), || {
        (processes(&host, "many") == 0).then_some(())
    });
    assert_eq!(state(&host, &pod, "many"), "exited");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_fork_bomb_that_an_app_leaves_is_killed() {
    let host = busybox();
    let pod = sandbox(&host, &[]);
    // Each forks on while it is killed.
    let script = "b() { while :; do b & usleep 1000; done; }; b 2>/dev/null & \
        usleep 300000; exit 0";
    add(&host, &pod, "bomb", &["--pids-limit", "300"], script);
    for _ in 0..3 {
        app(&host, &["start", &pod, "bomb"]);
        wait_until("the app has ended", LIMIT, || {
            (state(&host, &pod, "bomb") == "exited").then_some(())
        });
        wait_until("nothing of it is left", Duration::from_secs(20), || {
            (processes(&host, "bomb") == 0).then_some(())
        });
    }
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn keys_of_the_caller_stay_the_callers() {
    let host = probe_host();
    let flags = ["--insecure-options=seccomp", "run", "--rm", IMAGE];
    let output = host
        .fairing(flags)
        .args(["--", "/probe", "callers-key"])
        .through(probe_binary().to_str().unwrap(), ["with-key"])
        .run()
        .ok();
    assert!(
        output.stdout.contains("the caller's key = ENOKEY"),
        "{output}"
    );
}

#[test]
fn what_the_caller_gives_its_programs_reaches_the_apps() {
    let host = busybox();
    let script = "ulimit -n; cut -d' ' -f19 /proc/self/stat; cat /proc/self/oom_score_adj; \
        sed -n 's/^Cpus_allowed:.*\\(.\\)$/\\1/p' /proc/self/status";
    let words = [
        "-c",
        "exec nice -n 5 choom -n 300 -- taskset 1 prlimit --nofile=777:888 \"$@\"",
        "-",
    ];
    let output = host
        .fairing(["run", "--rm", IMAGE, "--", "/bin/sh", "-c", script])
        .through("/bin/sh", words)
        .run()
        .ok();
    assert_eq!(output.stdout, "777\n5\n300\n1\n");
}

/// Starts commands that stay until one of them fails; then they end, and the next one runs.
#[track_caller]
fn commands_fail_alone(host: &Host, pod: &str) {
    let mut commands = Vec::new();
    loop {
        let command = host.fairing(["enter", "-i", pod, "--", "/bin/sh", "-c", "echo up; cat"]);
        let command = command.stdin_open().spawn();
        wait_until("the command runs or fails", LIMIT, || {
            (command.stdout().contains("up") || !command.is_running()).then_some(())
        });
        if !command.is_running() {
            command.wait().expect_code(125);
            break;
        }
        commands.push(command);
        assert!(commands.len() < 60, "there are descriptors for all");
    }
    for mut command in commands {
        command.close_stdin();
        command.wait().ok();
    }
    host.fairing(["enter", pod, "--", "/bin/true"]).run().ok();
    assert_eq!(status(host, pod)["state"], "running");
}

#[test]
fn a_command_for_which_there_is_no_descriptor_fails_alone() {
    let host = busybox();
    let run = ["run", "--detach", IMAGE, "--", "/bin/sh", "-c", IDLE];
    let limited = host.fairing(run).through("prlimit", ["--nofile=64:64"]);
    let pod = limited.run().ok().text().to_owned();
    commands_fail_alone(&host, &pod);
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn an_app_for_which_there_is_no_descriptor_fails_alone() {
    let host = busybox();
    let sandbox = host.fairing(["app", "sandbox", "--detach"]);
    let limited = sandbox.through("prlimit", ["--nofile=64:64"]);
    let pod = limited.run().ok().text().to_owned();
    let refused = (0..20).find(|number| {
        let name = format!("app-{number}");
        add(&host, &pod, &name, &[], IDLE);
        host.fairing(["app", "start", &pod, &name]).run().code != Some(0)
    });
    let refused = refused.expect("there are descriptors for all");
    assert!(refused > 1, "not even two apps run");
    assert_eq!(status(&host, &pod)["state"], "running");
    // What an app had, another can have.
    app(&host, &["stop", "--force", &pod, "app-0"]);
    app(&host, &["stop", "--force", &pod, "app-1"]);
    app(&host, &["start", &pod, &format!("app-{refused}")]);
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_process_that_a_real_time_signal_ends_ends_no_pod() {
    let host = busybox();
    // Orphans are pod init's to reap.
    let script = format!(
        "n=34; while [ $n -le 64 ]; do (sh -c \"kill -$n \\$\\$\" &); n=$((n+1)); done; \
         echo up; {IDLE}"
    );
    let pod = detached(&host, &["--user", "5"], &script);
    wait_log(&host, &pod, "up");
    host.fairing(["enter", &pod, "--", "/bin/true"]).run().ok();
    assert_eq!(status(&host, &pod)["state"], "running");
    host.fairing(["stop", "--force", &pod]).run().ok();
}
