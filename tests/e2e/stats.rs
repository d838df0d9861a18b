//! What running pods use.

use std::time::Duration;

use crate::stocked::{IDLE, IMAGE, busybox, detached, wait_log};

#[test]
fn what_pods_use_is_shown_once_and_as_json() {
    let host = busybox();
    let uuid = detached(&host, &["--name=busy"], "echo up; while :; do :; done");
    wait_log(&host, &uuid, "up");
    let once = ["stats", "--no-stream", "--interval=300ms"];
    let table = host.fairing(once).run().ok();
    for word in ["CPU %", "MEM USAGE / LIMIT", "NET I/O", "busy", "busybox"] {
        assert!(table.stdout.contains(word), "{word}: {}", table.stdout);
    }
    let json = host.fairing(once).args(["--format=json"]).run().ok().json();
    let row = &json[0];
    assert_eq!(
        (row["name"].as_str(), row["app"].as_str()),
        (Some("busy"), Some("busybox"))
    );
    // It does nothing else, but the machine may have other work.
    let percent = row["cpu-percent"].as_f64().unwrap();
    assert!((1.0..=150.0).contains(&percent), "{percent}");
    assert!(row["memory"]["usage"].as_u64().unwrap() > 0);
    assert!(row["memory-available"].as_u64().unwrap() > 1 << 20);
    assert!(row["network"]["received"].is_u64(), "{row}");
    let words = host
        .fairing(once)
        .args(["--format={{.Name}} {{.PIDs}}", "busy"])
        .run()
        .ok();
    assert_eq!(words.stdout, "busy 1\n");
    host.fairing(["stop", "--force", "busy"]).run().ok();
    host.fairing(["stats", "busy"])
        .run()
        .expect_error(125, &["busy", "has ended"]);
    let all = host.fairing(once).args(["--all"]).run().ok();
    assert!(all.stdout.contains("busy"), "{}", all.stdout);
    assert!(!host.fairing(once).run().ok().stdout.contains("busy"));
}

#[test]
fn a_pod_of_several_apps_has_a_row_of_its_own() {
    let host = busybox();
    let script = format!("echo up; {IDLE}");
    let pair = host
        .fairing(["run", "--detach", "--name=pair", "--net=host", IMAGE])
        .args([
            "--app-name=a",
            "--memory=64m",
            "--",
            "/bin/sh",
            "-c",
            &script,
        ])
        .args(["---", IMAGE, "--app-name=b", "--", "/bin/sh", "-c", &script])
        .run()
        .ok();
    wait_log(&host, pair.text(), "up");
    let rows = host
        .fairing(["stats", "--no-stream", "--interval=200ms"])
        .args(["--format={{.App}}|{{.NetIO}}|{{.MemUsage}}"])
        .run()
        .ok();
    let rows: Vec<&str> = rows.stdout.lines().collect();
    assert_eq!(rows.len(), 3, "{rows:?}");
    // The network is the host's.
    assert!(rows[0].starts_with("|-|"), "{rows:?}");
    assert!(rows[1].starts_with("a|-|") && rows[1].ends_with(" / 64.0 MiB"));
    assert!(rows[2].starts_with("b|-|"), "{rows:?}");
    host.fairing(["stop", "--force", "pair"]).run().ok();
}

#[test]
fn a_stream_of_figures_ends_with_its_pod_and_does_not_keep_it() {
    let host = busybox();
    let uuid = detached(&host, &["--name=box"], &format!("echo up; {IDLE}"));
    wait_log(&host, &uuid, "up");
    let stream = host
        .fairing(["stats", "--interval=200ms", "box"])
        .limit(Duration::from_secs(30))
        .spawn();
    stream.wait_stdout("box");
    host.fairing(["stop", "--force", "box"]).run().ok();
    stream.wait().ok();
}

#[test]
fn on_a_terminal_the_table_is_drawn_in_one_place() {
    let host = busybox();
    let uuid = detached(&host, &["--name=box"], &format!("echo up; {IDLE}"));
    wait_log(&host, &uuid, "up");
    let terminal = host
        .fairing(["stats", "--interval=200ms", "box"])
        .spawn_on_terminal(24, 120);
    terminal.wait_screen("\u{1b}[H\u{1b}[2J");
    terminal.wait_screen("busybox");
    host.fairing(["stop", "--force", "box"]).run().ok();
    let output = terminal.wait().ok();
    let drawn = output.stdout.matches("\u{1b}[H").count();
    assert!(drawn > 0 && drawn <= output.stdout.matches("CPU %").count() + 1);
}
