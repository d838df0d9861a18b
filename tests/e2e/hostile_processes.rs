//! Processes that are made to escape an end, to be miscounted, or to use up what has no limit of its own.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::{ControlClient, Host, ImageBuilder, probe_binary, wait_until};
use serde_json::json;

use crate::stocked::{IDLE, IMAGE, host_with, status, wait_log};

/// How long a pod's end may take where its grace period is a second.
const PROMPT: Duration = Duration::from_secs(10);
/// How long is waited on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many processes are left to pod init: the audit's number in `make soak`, and a tenth of them in other runs.
fn orphans() -> &'static str {
    match std::env::var_os("FAIRING_SOAK_SECONDS") {
        Some(_) => "100000",
        None => "10000",
    }
}

fn probe_host() -> Host {
    host_with(ImageBuilder::probe())
}

#[track_caller]
fn start(host: &Host, words: &[&str]) -> String {
    let run = host.fairing(["run", "--detach", IMAGE, "--"]);
    run.args(words).run().ok().text().to_owned()
}

/// Stops the pod; the host checks that nothing of it is left.
#[track_caller]
fn ends(host: &Host, pod: &str) {
    let stop = host.fairing(["stop", "--grace-period=1s", pod]);
    stop.limit(PROMPT).run().ok();
    assert!(host.pod_processes(pod).is_empty());
}

#[test]
fn no_signal_of_an_app_ends_or_holds_up_pod_init() {
    let host = probe_host();
    let script = format!(
        "n=1; while [ $n -le 64 ]; do kill -$n 1; n=$((n + 1)); done; \
         n=0; while [ $n -lt 20000 ]; do kill -CHLD 1; kill -TERM 1; n=$((n + 1)); done; echo sent; {IDLE}"
    );
    let pod = start(&host, &["/bin/sh", "-c", &script]);
    wait_log(&host, &pod, "sent");
    host.fairing(["enter", &pod, "--", "/bin/true"]).run().ok();
    assert_eq!(status(&host, &pod)["state"], "running");
    ends(&host, &pod);
}

#[test]
fn what_is_made_to_survive_its_pod_ends_with_it() {
    let host = probe_host();
    let shell = |script| vec!["/bin/sh", "-c", script];
    let played = [
        // The first thread has ended: the process looks like a zombie, and runs.
        (
            vec!["/probe", "play", "leader-ends"],
            "the leader has ended",
        ),
        (vec!["/probe", "play", "subreaper"], "reaps nothing"),
        (vec!["/probe", "play", "traced"], "traces"),
        (vec!["/probe", "play", "signals"], "no more signals"),
        (
            shell(
                "trap '' TERM; (trap '' TERM HUP; setsid sh -c 'while :; do sleep 1; done') & echo deaf; \
                while :; do usleep 5000; done",
            ),
            "deaf",
        ),
        (
            shell("sleep 1000 & kill -STOP $!; echo stopped; kill -STOP $$"),
            "stopped",
        ),
        (
            shell(
                "trap 'while :; do sleep 0.01 & done' TERM; echo forks; while :; do usleep 5000; done",
            ),
            "forks",
        ),
        (
            shell(
                "i=0; while [ $i -lt 200 ]; do (sh -c 'setsid sleep 1000 &' &); i=$((i + 1)); done; \
                echo orphans; sleep 1000",
            ),
            "orphans",
        ),
        (
            shell("while :; do (true &); done & echo storm; sleep 1000"),
            "storm",
        ),
    ];
    for (words, word) in played {
        let pod = start(&host, &words);
        wait_log(&host, &pod, word);
        assert_eq!(status(&host, &pod)["state"], "running", "{word}");
        host.fairing(["top", &pod]).run().ok();
        ends(&host, &pod);
    }
}

#[test]
fn processes_left_to_pod_init_are_reaped_as_they_come_and_hold_up_nothing() {
    let host = probe_host();
    let script = format!("/probe orphans {}; {IDLE}", orphans());
    let pod = start(&host, &["/bin/sh", "-c", &script]);
    let left = || {
        let logs = host.fairing(["logs", &pod]).run().ok();
        logs.stdout.lines().any(|line| line == "left")
    };
    let begun = Instant::now();
    while !left() {
        assert!(begun.elapsed() < PATIENCE, "the orphans take too long");
        let enter = host.fairing(["enter", &pod, "--", "/bin/true"]);
        enter.limit(PROMPT).run().ok();
    }
    wait_until("all are reaped", PROMPT, || {
        let processes = host.pod_processes(&pod);
        (!processes.iter().any(|process| process.state == 'Z')).then_some(())
    });
    ends(&host, &pod);
}

#[test]
fn memory_of_every_kind_counts_for_the_app() {
    let host = probe_host();
    let of_files = ["memfd", "shm", "pipes", "datagrams", "watched"];
    let of_system_v = ["segments", "messages", "semaphores"];
    for kind in of_files.into_iter().chain(of_system_v) {
        let run = host.fairing(["run", "--name", kind, "--memory=48m", IMAGE]);
        run.args(["--", "/probe", "play", kind])
            .limit(PATIENCE)
            .run()
            .expect_code(137);
        let ended = status(&host, kind);
        assert_eq!(
            ended["apps"][0]["outcome"]["oom-killed"], true,
            "{kind}: {ended}"
        );
    }
}

/// The kernel counts descriptors in flight by user. Pod init sends one for each process that it starts, and in a user namespace
/// it is a user like its apps.
#[test]
fn an_app_that_uses_up_the_descriptors_in_flight_costs_commands_of_its_own_pod_at_most() {
    let host = probe_host();
    let script = "trap 'kill $p; wait $p; echo taken' USR1; trap 'go=1' HUP; echo up; \
        until [ $go ]; do usleep 5000; done; /probe play in-flight & p=$!; wait; while :; do usleep 5000; done";
    let run = |users: &str| {
        let run = host.fairing(["run", "--detach", "--userns", users, IMAGE, "--"]);
        let run = run.args(["/bin/sh", "-c", script]).run().ok();
        wait_log(&host, run.text(), "up");
        run.text().to_owned()
    };
    let enter = |pod: &str, flags: &[&str]| {
        let enter = host.fairing(["enter"]).args(flags);
        enter.args([pod, "--", "/bin/echo", "hello"]).limit(PROMPT)
    };
    let kill = |pod: &str, signal: &str| {
        host.fairing(["kill", "--signal", signal, pod]).run().ok();
    };
    let [own, shared] = ["auto", "host"].map(|users| {
        let pod = run(users);
        kill(&pod, "HUP");
        wait_log(&host, &pod, "in flight, then ETOOMANYREFS");
        pod
    });
    // Others don't notice, whosever users they have.
    for pod in [&shared, &run("auto"), &run("host")] {
        assert_eq!(enter(pod, &[]).run().ok().stdout, "hello\n");
        let on_terminal = enter(pod, &["-t"]).spawn_on_terminal(24, 80).wait();
        assert!(on_terminal.stdout.contains("hello"), "{on_terminal}");
    }
    let why = "too many descriptors are in flight";
    for _ in 0..3 {
        enter(&own, &[]).run().expect_error(125, &[why]);
        let on_terminal = enter(&own, &["-t"]).spawn_on_terminal(24, 80).wait();
        assert!(on_terminal.stdout.contains(why), "{on_terminal}");
    }
    assert_eq!(status(&host, &own)["state"], "running");
    // Nothing of those commands is left, and once there is room they run.
    kill(&own, "USR1");
    wait_log(&host, &own, "taken");
    assert_eq!(enter(&own, &[]).run().ok().stdout, "hello\n");
    ends(&host, &own);
    ends(&host, &shared);
    host.fairing(["stop", "--force", "--all"]).run().ok();
}

#[test]
fn an_app_that_takes_memory_while_its_limit_changes_holds_up_nobody() {
    const ROUNDS: u64 = 40;
    let host = probe_host();
    let script = "echo up; while :; do dd if=/dev/zero of=/dev/shm/x bs=1M count=40 2> /dev/null; \
        dd if=/dev/zero of=/x bs=1M count=40 2> /dev/null; rm /dev/shm/x /x; done";
    let run = host.fairing(["run", "--detach", "--memory=100m", IMAGE, "--"]);
    let run = run.args(["/bin/sh", "-c", script]).run().ok();
    let pod = run.text().to_owned();
    wait_log(&host, &pod, "up");
    let app = status(&host, &pod)["apps"][0]["name"].clone();
    let client = ControlClient::connect(&host, &pod);
    let mut set = 0;
    for round in 0..ROUNDS {
        // Around what it uses, which changes all the time.
        let limit = (30 + round % 2 * 60) << 20;
        let limits = json!({"memory": {"limit": limit, "swap": limit}});
        let begun = Instant::now();
        let answer = client.ask(&json!({"type": "update", "app": app, "resources": limits}));
        assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
        match answer["type"].as_str() {
            Some("done") => set += 1,
            _ => assert_eq!(answer["type"], "refused", "{answer}"),
        }
    }
    assert!(set >= ROUNDS / 2, "{set}");
    ends(&host, &pod);
}

#[test]
fn a_limit_for_which_the_kernel_takes_too_long_is_given_up_and_one_below_use_is_refused() {
    const BEFORE: u64 = 100 << 20;
    let host = probe_host();
    let script =
        "dd if=/dev/zero of=/dev/shm/x bs=1M count=60 2> /dev/null; echo up; exec sleep 1000";
    let run = host.fairing(["run", "--detach", "--memory=100m", IMAGE, "--"]);
    let run = run.args(["/bin/sh", "-c", script]).run().ok();
    let pod = run.text().to_owned();
    wait_log(&host, &pod, "up");
    let state = status(&host, &pod);
    let (app, monitor) = (&state["apps"][0]["name"], &state["monitor-pid"]);
    let client = ControlClient::connect(&host, &pod);
    let set = |limit: u64| {
        let limits = json!({"memory": {"limit": limit, "swap": limit}});
        let begun = Instant::now();
        let answer = client.ask(&json!({"type": "update", "app": app, "resources": limits}));
        assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
        answer
    };
    let limit = || client.ask(&json!({"type": "stats"}))["apps"][0]["memory"]["limit"].clone();
    // What lies in memory can't be freed.
    let answer = set(30 << 20);
    let why = answer["message"].as_str().unwrap_or_default();
    assert!(why.contains("is below the"), "{answer}");
    assert_eq!(limit(), BEFORE);

    // The process that sets it is stopped on its way, as the kernel would by freeing memory.
    let mut tracer = Command::new(probe_binary())
        .args(["stop-children", &monitor.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut word = [0; 7];
    let mut told = tracer.stdout.take().unwrap();
    told.read_exact(&mut word).unwrap();
    for _ in 0..2 {
        let answer = set(80 << 20);
        let why = answer["message"].as_str().unwrap_or_default();
        assert!(why.contains("were not set within 1000 ms"), "{answer}");
    }
    host.fairing(["enter", &pod, "--", "/bin/true"])
        .limit(PROMPT)
        .run()
        .ok();
    assert_eq!(limit(), BEFORE);
    tracer.kill().unwrap();
    tracer.wait().unwrap();
    // Nobody sets it afterwards, and it can be set.
    assert_eq!(limit(), BEFORE);
    assert_eq!(set(80 << 20)["type"], "done");
    assert_eq!(limit(), 80 << 20);
    ends(&host, &pod);
}

#[test]
fn each_process_is_one_line_of_a_listing_whatever_its_name() {
    let host = probe_host();
    let pod = start(&host, &["/probe", "play", "name"]);
    wait_log(&host, &pod, "named");
    let script = "exec sh -c 'sleep 1000; :' \"$(printf 'x\\033[2J\\r\\n0 1 1 - S forged\\377')\"";
    let command = host
        .fairing(["enter", &pod, "--", "/bin/sh", "-c", script])
        .spawn();
    let listed = wait_until("the processes", PATIENCE, || {
        let listed = host.fairing(["top", &pod]).run().ok();
        (listed.stdout.lines().count() >= 3).then_some(listed.stdout)
    });
    for line in listed.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert!(fields.len() > 6, "{listed}");
        assert!(fields[1].parse::<u32>().is_ok(), "{listed}");
        assert!(!line.contains(|c: char| c.is_control()), "{listed:?}");
    }
    ends(&host, &pod);
    command.wait();
}

#[test]
fn processes_with_megabytes_of_arguments_cost_a_listing_little() {
    // The arguments of all are more than this command may have.
    const MEMORY: &str = "32768";
    let host = probe_host();
    let script = "a=$(head -c 100000 /dev/zero | tr '\\0' x); i=0; while [ $i -lt 40 ]; do \
        sh -c 'sleep 1000; :' sh $a $a $a $a $a $a $a $a $a $a $a $a $a $a $a & i=$((i + 1)); done; \
        echo up; while :; do usleep 5000; done";
    let pod = start(&host, &["/bin/sh", "-c", script]);
    wait_log(&host, &pod, "up");
    let limited = format!("ulimit -d {MEMORY} && exec \"$@\"");
    for flags in [&[][..], &["--full"]] {
        let listed = wait_until("the processes", PATIENCE, || {
            let top = host.fairing(["top", &pod]).args(flags);
            let top = top.through("/bin/sh", ["-c", &limited, "sh"]);
            let listed = top.limit(PROMPT).run().ok().stdout;
            (listed.matches(" xxx").count() >= 40 || listed.lines().count() > 80).then_some(listed)
        });
        let longest = listed.lines().map(str::len).max();
        assert!(longest < Some(5000), "{longest:?}");
    }
    ends(&host, &pod);
}

#[test]
fn an_exit_code_says_nothing_that_the_record_does_not_tell_apart() {
    let host = probe_host();
    // Codes of fairing's own failures, of the kernel's signals, and one too large.
    for (script, code, signal) in [
        ("exit 125", 125, None),
        ("exit 117", 117, None),
        ("exit 137", 137, None),
        ("exit 300", 44, None),
        ("kill -KILL $$", 137, Some(9)),
        ("kill -34 $$", 162, Some(34)),
        ("ulimit -c 0; kill -SEGV $$", 139, Some(11)),
    ] {
        let run = host.fairing([
            "run",
            "--name=told",
            "--replace",
            IMAGE,
            "--",
            "/bin/sh",
            "-c",
            script,
        ]);
        run.run().expect_code(code);
        let ended = status(&host, "told");
        assert_eq!(ended["exit-code"], code, "{script}: {ended}");
        assert_eq!(
            ended["apps"][0]["outcome"]["signal"].as_i64(),
            signal,
            "{script}: {ended}"
        );
    }
}
