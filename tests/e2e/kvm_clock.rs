//! A machine whose clock jumps: that is its own affair. Nothing on the host waits for longer or shorter because of it, and
//! what the host writes down has the host's time.

use std::time::{SystemTime, UNIX_EPOCH};

use harness::wait_until;

use crate::either_isolator::LIMIT;
use crate::kvm::run;
use crate::stocked::{IDLE, IMAGE, busybox, status, wait_log};

/// Sets the clock to one long past and one long to come, in turn, and tells of each.
const JUMPS: &str = "jump() { date -u -s \"@$1\" > /dev/null || exit 9; date -u +%Y; }; \
     i=0; while [ $i -lt 20 ]; do jump 1000000; jump 4000000000; usleep 50000; i=$((i + 1)); done; \
     jump 1000000; echo over; trap 'exit 4' TERM;";

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// `date -u -d` of a time as logs and records have it.
fn seconds(time: &str) -> u64 {
    let output = std::process::Command::new("date")
        .args(["-u", "+%s", "-d", time])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().parse().unwrap_or_else(|_| panic!("{time}"))
}

#[test]
fn a_machine_whose_clock_jumps_is_watched_and_logged_by_the_clock_of_the_host() {
    let host = busybox();
    let begun = now();
    run(&host, &["--detach", "--name=box", "--timeout=10m"])
        .args([IMAGE, "--cap-add=sys_time"])
        .args(["--health-cmd=true", "--health-interval=1s"])
        .args(["--", "/bin/sh", "-c", &format!("{JUMPS} {IDLE}")])
        .run()
        .ok();
    wait_log(&host, "box", "2096");
    let patient = |words: &[&str]| host.fairing(words).limit(LIMIT).run();
    // While it jumps.
    for words in [
        &["enter", "box", "--", "/bin/true"][..],
        &["stats", "--no-stream", "--interval=200ms", "box"],
        &["pause", "box"],
        &["resume", "box"],
        &["update", "--memory=64m", "box"],
    ] {
        patient(words).ok();
    }
    wait_log(&host, "box", "over");
    wait_until("it is well all the same", LIMIT, || {
        (status(&host, "box")["apps"][0]["ready"] == true).then_some(())
    });
    let year = patient(&["enter", "box", "--", "/bin/date", "-u", "+%Y"]).ok();
    assert_eq!(year.stdout, "1970\n");
    let between = |time: &str| {
        let time = seconds(time);
        assert!((begun..=now()).contains(&time), "{time}");
    };
    let logs = host.fairing(["logs", "--timestamps", "box"]).run().ok();
    let lines: Vec<_> = logs.stdout.lines().collect();
    assert!(lines.iter().any(|line| line.ends_with(" 1970")), "{logs}");
    for line in [lines[0], lines[lines.len() - 1]] {
        between(line.split(' ').next().unwrap());
    }
    let recent = host.fairing(["logs", "--since=10m", "box"]).run().ok();
    assert_eq!(recent.stdout.lines().count(), lines.len());
    patient(&["stop", "--grace-period=30s", "box"]).ok();
    let ended = status(&host, "box");
    assert_eq!(ended["apps"][0]["exit-code"], 4, "{ended}");
    for time in ["started", "finished"] {
        between(ended["apps"][0][time].as_str().unwrap_or_else(|| {
            panic!("no {time} of {ended}");
        }));
    }
}
