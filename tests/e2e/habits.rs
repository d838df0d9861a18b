//! Commands as people who come from docker, podman or rkt type them.

use std::fs;
use std::time::Duration;

use harness::Host;

use crate::stocked::{IDLE, IMAGE, busybox, detached, status, wait_log};

/// A pod that says "up" and ends with 0 when it is asked to.
fn polite(host: &Host, name: &str) -> String {
    let script = format!("trap 'exit 0' TERM; echo up; {IDLE}");
    let pod = detached(host, &["--name", name], &script);
    wait_log(host, name, "up");
    pod
}

#[test]
fn ps_shows_what_runs_and_list_shows_all() {
    let host = busybox();
    let running = polite(&host, "running");
    detached(&host, &["--name", "ended"], "exit 3");
    host.fairing(["wait", "ended"]).run().ok();
    let lines = |arguments: &[&str]| -> Vec<String> {
        let output = host.fairing(arguments).run().ok();
        output.stdout.lines().map(str::to_owned).collect()
    };
    let names = "{{.Names}}";
    assert_eq!(lines(&["ps", "--format", names]), ["running"]);
    assert_eq!(
        lines(&["ps", "-a", "--format", names]),
        ["running", "ended"]
    );
    assert_eq!(lines(&["list", "--format", names]), ["running", "ended"]);
    assert_eq!(lines(&["ps", "-q"]), [&running[..8]]);
    assert_eq!(lines(&["ps", "-q", "--no-trunc"]), [running.as_str()]);
    assert_eq!(lines(&["ps", "-l", "--format", names]), ["ended"]);
    assert_eq!(lines(&["ps", "--last", "5", "--format", names]).len(), 2);
    assert_eq!(lines(&["ps", "-n", "-1", "--format", names]).len(), 2);
    for (filter, expected) in [
        ("name=run", &["running"][..]),
        ("status=exited", &["ended"]),
        ("exited=3", &["ended"]),
        ("exited=4", &[]),
        ("ancestor=busybox", &["running"]),
        ("ancestor=nginx", &[]),
        ("network=none", &["running"]),
    ] {
        let found = lines(&["ps", "--filter", filter, "--format", names]);
        assert_eq!(found, expected, "{filter}");
    }
    host.fairing(["ps", "--filter", "health=x"])
        .run()
        .expect_error(2, &["there are healthy, unhealthy"]);
    let table = lines(&[
        "ps",
        "-a",
        "--format",
        "table {{.Names}}\\t{{.State}}\\t{{.ExitCode}}",
    ]);
    let cells: Vec<Vec<&str>> = table
        .iter()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(cells[0], ["NAMES", "STATE", "EXIT", "CODE"]);
    assert_eq!(cells[2], ["ended", "exited", "3"]);
    let status = lines(&["ps", "-a", "--format", "{{.Status}}"]);
    assert!(status[0].starts_with("Up "), "{status:?}");
    assert!(status[1].starts_with("Exited (3) "), "{status:?}");
    host.fairing(["ps", "--format", "{{.Nmae}}"])
        .run()
        .expect_error(2, &["no field Nmae", "Names"]);
    host.fairing(["stop", "-t", "3", "running"]).run().ok();
}

#[test]
fn each_app_has_a_row_of_a_table_that_fits_a_terminal() {
    let host = busybox();
    let script = format!("trap 'exit 0' TERM; echo up; {IDLE}");
    let long = "a-pod-whose-name-is-long-enough-to-matter";
    host.fairing([
        "run",
        "--detach",
        "--on-app-failure=continue",
        "--name",
        long,
    ])
    .args([
        IMAGE,
        "--app-name",
        "brief",
        "--",
        "/bin/sh",
        "-c",
        "exit 4",
    ])
    .args([
        "---",
        IMAGE,
        "--app-name",
        "long",
        "--",
        "/bin/sh",
        "-c",
        &script,
    ])
    .run()
    .ok();
    host.fairing(["wait", long, "--app", "brief"])
        .run()
        .ok()
        .expect_stdout("4\n");
    let shown = host.fairing(["ps"]).run().ok();
    let lines: Vec<&str> = shown.stdout.lines().collect();
    let heading: Vec<&str> = lines[0].split_whitespace().collect();
    let columns = [
        "UUID", "NAME", "APP", "IMAGE", "COMMAND", "STATE", "UP", "PORTS",
    ];
    assert_eq!(heading, columns);
    for line in &lines {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(
        lines[1].contains(" brief ") && lines[1].contains(" exited (4) "),
        "{shown}"
    );
    assert!(
        lines[2].contains(" long ") && lines[2].contains(" running "),
        "{shown}"
    );
    let full = host.fairing(["ps", "--no-trunc"]).run().ok();
    for whole in [long, IMAGE, "/bin/sh -c exit 4"] {
        assert!(full.stdout.contains(whole), "{full}");
    }
    host.fairing(["stop", long]).run().ok();
    let empty = host.fairing(["ps"]).run().ok();
    assert_eq!(empty.stdout.split_whitespace().collect::<Vec<_>>(), columns);
}

#[test]
fn kill_sends_any_signal_and_waits_for_an_end_that_it_makes() {
    let host = busybox();
    let script = format!("trap 'echo got' USR1; echo up; {IDLE}");
    detached(&host, &["--name", "web"], &script);
    wait_log(&host, "web", "up");
    let sent = host.fairing(["kill", "-s", "USR1", "web"]).run().ok();
    assert_eq!(sent.text(), "web");
    wait_log(&host, "web", "got");
    host.fairing(["kill", "--signal", "NOPE", "web"])
        .run()
        .expect_error(2, &["NOPE"]);
    host.fairing(["kill", "--app", "other", "web"])
        .run()
        .expect_error(121, &["other"]);
    host.fairing(["kill", "web"]).run().ok();
    let record = status(&host, "web");
    assert_eq!(
        (&record["state"], &record["exit-code"]),
        (&"exited".into(), &137.into())
    );
    host.fairing(["kill", "web"])
        .run()
        .expect_error(125, &["pod web can't be sent a signal: it has ended"]);
}

#[test]
fn wait_prints_the_exit_code_of_pods_and_apps() {
    let host = busybox();
    let pod = polite(&host, "web");
    let waiting = host.fairing(["wait", "web"]).spawn();
    let removed = detached(
        &host,
        &["--rm"],
        &format!("trap 'exit 7' TERM; echo up; {IDLE}"),
    );
    wait_log(&host, &removed, "up");
    let other = host.fairing(["wait", &removed]).spawn();
    host.fairing(["kill", "-s", "15", &pod, &removed])
        .run()
        .ok();
    assert_eq!(waiting.wait().ok().stdout, "0\n");
    assert_eq!(other.wait().ok().stdout, "7\n");
    assert_eq!(host.fairing(["wait", "web"]).run().ok().stdout, "0\n");
    host.fairing(["wait", "nobody"])
        .run()
        .expect_error(121, &["nobody"]);
    host.fairing(["wait", "--ignore", "nobody"]).run().ok();
    let prepared = host
        .fairing(["prepare", "--name", "later", IMAGE])
        .run()
        .ok();
    assert_eq!(prepared.stdout.lines().count(), 1);
    host.fairing(["wait", "later"]).run().expect_error(
        125,
        &["pod later can't be waited for: it has not been started"],
    );
    host.fairing(["rm", "later"]).run().ok();
}

#[test]
fn stop_and_rm_take_all_and_say_what_was_typed() {
    let host = busybox();
    let pods = [polite(&host, "one"), polite(&host, "two")];
    let stopped = host.fairing(["stop", "one"]).run().ok();
    assert_eq!(stopped.text(), "one");
    host.fairing(["rm", "two"])
        .run()
        .expect_error(125, &["pod two is running; `fairing stop two` first"]);
    let rest = host.fairing(["stop", "-a", "-t", "5"]).run().ok();
    assert_eq!(rest.text(), pods[1]);
    let removed = host.fairing(["rm", "--all"]).run().ok();
    assert_eq!(removed.stdout.lines().count(), 2, "{removed}");
    assert_eq!(host.pod_folders(), []);
    host.fairing(["stop", "-a"]).run().ok();
    let gone = host.fairing(["rm", "-f", "--ignore", "gone"]).run().ok();
    assert_eq!(gone.stderr, "");
    // As elsewhere: it is gone, which is what was wanted. It may be a slip, and is told.
    for command in [&["rm", "-f", "gone"][..], &["rmi", "-f", "gone"]] {
        let gone = host.fairing(command.iter().copied()).run().ok();
        assert!(gone.stderr.contains("called `gone`"), "{gone}");
        assert_eq!(gone.stdout, "");
    }
    host.fairing(["rm", "gone"])
        .run()
        .expect_error(121, &["gone"]);
    host.fairing(["stop", "one", "-a"])
        .run()
        .expect_error(2, &["--all"]);
}

#[test]
fn a_grace_period_in_seconds_ends_a_pod_that_does_not_listen() {
    let host = busybox();
    detached(
        &host,
        &["--name", "deaf"],
        &format!("trap '' TERM; echo up; {IDLE}"),
    );
    wait_log(&host, "deaf", "up");
    let stopped = host.fairing(["stop", "--time", "1", "deaf"]).run().ok();
    assert!(stopped.elapsed >= Duration::from_secs(1), "{stopped}");
    assert!(stopped.elapsed < Duration::from_secs(8), "{stopped}");
    assert_eq!(status(&host, "deaf")["exit-code"], 137);
}

#[test]
fn logs_are_shown_from_a_time_on_and_to_one() {
    let host = busybox();
    let pod = detached(
        &host,
        &["--name", "log"],
        // Lines that are read at once have one time.
        "echo one; usleep 50000; echo two; usleep 50000; echo three",
    );
    host.fairing(["wait", &pod]).run().ok();
    let logs = |flags: &[&str]| host.fairing(["logs", "log"]).args(flags).run().ok().stdout;
    let times: Vec<String> = logs(&["-t"])
        .lines()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(logs(&["-n", "2"]), "two\nthree\n");
    assert_eq!(logs(&["--tail", "all"]), "one\ntwo\nthree\n");
    assert_eq!(logs(&["--tail", "-1"]), "one\ntwo\nthree\n");
    assert_eq!(logs(&["--since", &times[1]]), "two\nthree\n");
    assert_eq!(logs(&["--until", &times[1]]), "one\n");
    assert_eq!(logs(&["--since", "10m"]), "one\ntwo\nthree\n");
    assert_eq!(logs(&["--until", "2020-01-01"]), "");
    host.fairing(["logs", "log", "--since", "someday"])
        .run()
        .expect_error(2, &["someday", "2026-12-31"]);
}

#[test]
fn a_failure_names_a_pod_as_it_was_typed_and_paths_as_they_are() {
    let host = busybox();
    let pod = polite(&host, "web");
    let enter = host
        .fairing(["enter", "web", "--app", "x", "--", "/bin/true"])
        .run();
    enter.expect_error(121, &["pod web has no app `x`"]);
    let by_uuid = host.fairing(["rm", &pod]).run();
    by_uuid.expect_error(125, &[&format!("pod {pod} is running")]);
    host.fairing(["stop", "web"]).run().ok();
}

#[test]
fn images_are_listed_by_name_and_as_digests() {
    let host = busybox();
    let image = host.fairing(["images", "-q"]).run().ok();
    let digest = image.text();
    assert_eq!(digest.len(), 12, "{image}");
    let full = host.fairing(["images", "-q", "--no-trunc"]).run().ok();
    assert!(
        full.text().starts_with(&format!("sha256:{digest}")),
        "{full}"
    );
    let shown = |arguments: &[&str]| {
        let output = host.fairing(["images"]).args(arguments).run().ok();
        output.stdout
    };
    let template = "{{.Repository}}|{{.Tag}}|{{.ID}}";
    let line = format!("test.example/busybox|latest|{digest}\n");
    assert_eq!(shown(&["--format", template]), line);
    assert_eq!(shown(&["-q", "busybox"]), format!("{digest}\n"));
    assert_eq!(shown(&["-q", "nginx"]), "");
    assert_eq!(
        shown(&["-q", "--filter", "reference=*/busy*"]),
        format!("{digest}\n")
    );
    host.fairing(["images", "--filter", "label=x"])
        .run()
        .expect_error(2, &["label is not there yet"]);
    host.fairing(["image", "rm", digest]).run().ok();
}

#[test]
fn switches_and_signals_are_taken_as_other_tools_have_them() {
    let host = busybox();
    let said = |words: &[&str]| host.fairing(words.iter().copied()).run().ok().stdout;
    assert_eq!(
        said(&["run", "--rm=true", "-i=false", IMAGE, "echo", "--x=true"]),
        "--x=true\n"
    );
    assert!(host.pod_folders().is_empty());
    // A terminal and an input that nobody has are those of who comes later.
    let run = ["run", "-dit", "--name=web", IMAGE, "sh", "-c"];
    let script = format!("tty; {IDLE}");
    host.fairing(run).arg(script).run().ok();
    wait_log(&host, "web", "/dev/");
    assert_eq!(said(&["exec", "web", "echo", "x"]), "x\n");
    assert!(said(&["ps", "-q=true", "--no-trunc=1"]).trim().len() > 30);
    assert_eq!(said(&["kill", "-9", "web"]), "web\n");
    assert_eq!(said(&["wait", "web"]), "137\n");
    assert_eq!(said(&["-v"]), said(&["--version"]));
    host.fairing(["image", "pull", "--platform", "linux/arm64", IMAGE])
        .run()
        .expect_error(2, &["--platform", "fairing image copy"]);
    // -i is what it is elsewhere, and not --ignore.
    host.fairing(["start", "-i", "nobody"])
        .run()
        .expect_error(121, &["nobody"]);
    assert_eq!(said(&["wait", "-i", "1", "web"]), "137\n");
}

#[test]
fn a_variable_comes_from_a_file_for_a_command_too() {
    let host = busybox();
    detached(&host, &["--name", "web"], IDLE);
    let file = host.base().join("env");
    fs::write(&file, "FROM=file\n").unwrap();
    let enter = ["exec", "--env-file", file.to_str().unwrap(), "web"];
    let shown = host
        .fairing(enter)
        .args(["sh", "-c", "echo $FROM"])
        .run()
        .ok();
    assert_eq!(shown.text(), "file");
    host.fairing(["stop", "--force", "web"]).run().ok();
}
