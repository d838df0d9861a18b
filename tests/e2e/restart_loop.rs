//! Apps that end again and again: they wait as long as they are to, and leave nothing.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use harness::{ControlClient, Host, eventually, wait_until};
use serde_json::{Value, json};

use crate::stocked::{IMAGE, busybox, status};

/// How often apps start again without the variable that says so.
const USUAL: u64 = 100;
const APPS: u64 = 10;
/// Between two looks at what the monitor uses, memory may have been taken that is not given back: by no more than this.
const MEMORY_MAX: u64 = 256;

fn restarts() -> u64 {
    let said = std::env::var("FAIRING_SOAK_RESTARTS");
    said.map_or(USUAL, |text| text.parse().expect("a number"))
}

/// What a pod uses of the machine, by kinds: how many there are of each.
type Used = BTreeMap<String, usize>;
/// How many looks tell what a pod needs at least: each may meet the connection of the command that looked before, or the
/// output of an app that has ended, which the monitor is about to close.
const LOOKS: usize = 8;

fn used(host: &Host, uuid: &str) -> (Used, u64) {
    let status = status(host, "web");
    let pid = |key: &str| status[key].as_u64().unwrap();
    let (monitor, init) = (pid("monitor-pid"), pid("init-pid"));
    let mut used = Used::new();
    for (whose, pid) in [("monitor", monitor), ("init", init)] {
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        for target in entries.filter_map(|entry| fs::read_link(entry.path()).ok()) {
            let target = target.display().to_string();
            // Without the number by which the kernel tells pipes and sockets apart.
            let kind = target.split(":[").next().unwrap_or(&target);
            *used.entry(format!("{kind} of {whose}")).or_default() += 1;
        }
    }
    let mounts = |pid: u64| {
        let text = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
        text.lines().count()
    };
    let memory = fs::read_to_string(format!("/proc/{monitor}/status")).unwrap();
    let memory = memory
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let memory = memory.unwrap().split_whitespace().next().unwrap();
    used.extend([
        ("mounts of monitor".to_owned(), mounts(monitor)),
        ("mounts of init".to_owned(), mounts(init)),
        ("cgroups".to_owned(), host.cgroups().len()),
        ("processes".to_owned(), host.pod_processes(uuid).len()),
        (
            "files".to_owned(),
            files_below(&host.data_dir().join("pods/run").join(uuid)),
        ),
    ]);
    (used, memory.parse().unwrap())
}

fn files_below(directory: &std::path::Path) -> usize {
    let entries = fs::read_dir(directory).unwrap().flatten();
    entries
        .map(|entry| {
            let is_directory = entry.file_type().unwrap().is_dir();
            1 + if is_directory {
                files_below(&entry.path())
            } else {
                0
            }
        })
        .sum()
}

/// Waits until all apps wait for their next start at once, and says what is used then.
fn at_rest(host: &Host, uuid: &str) -> (Used, u64) {
    let resting = |status: &Value| {
        let mut apps = status["apps"].as_array().unwrap().iter();
        apps.all(|app| app["state"] == "backing-off")
    };
    wait_until("all apps wait", Duration::from_secs(60), || {
        let all_rest = resting(&status(host, "web"));
        let found = used(host, uuid);
        (all_rest && resting(&status(host, "web"))).then_some(found)
    })
}

/// What both have.
fn least(one: &Used, other: &Used) -> Used {
    let of_both = |(kind, count): (&String, &usize)| {
        let count = *count.min(other.get(kind)?);
        Some((kind.clone(), count))
    };
    one.iter().filter_map(of_both).collect()
}

#[test]
fn a_thousand_restarts_leave_nothing_and_keep_their_distance() {
    let host = busybox();
    host.write(
        "etc/config.toml",
        "[services]\nmax-restart-backoff = \"1s\"\n",
    );
    let mut words = vec!["run", "--detach", "--name=web", "--net=none"];
    let names: Vec<String> = (0..APPS)
        .map(|number| format!("--app-name=a{number}"))
        .collect();
    for (number, name) in names.iter().enumerate() {
        if number > 0 {
            words.push("---");
        }
        words.extend([IMAGE, name, "--restart=always", "--", "/bin/false"]);
    }
    host.fairing(&words).run().ok();
    let uuid = status(&host, "web")["uuid"].as_str().unwrap().to_owned();
    let (mut before, memory_before) = at_rest(&host, &uuid);
    for _ in 1..LOOKS {
        before = least(&before, &at_rest(&host, &uuid).0);
    }

    let events = ControlClient::connect(&host, &uuid);
    events.ask(&json!({ "type": "events" }));
    let mut delays: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut count = 0;
    while count < restarts() {
        let event = events.receive().expect("it goes on");
        let happening = &event["happening"];
        if happening["kind"] == "backing-off" {
            let delay = happening["delay-ms"].as_u64();
            let delay = delay.or(happening["delay_ms"].as_u64()).unwrap();
            let app = event["app"].as_str().unwrap().to_owned();
            delays.entry(app).or_default().push(delay);
            count += 1;
        }
    }
    drop(events);
    for (app, delays) in &delays {
        assert!(
            delays.iter().all(|delay| *delay == 1000),
            "{app}: {delays:?}"
        );
    }
    assert_eq!(delays.len() as u64, APPS);
    let (mut after, memory_after) = at_rest(&host, &uuid);
    // What is about to go has gone a moment later; what leaks stays.
    let is_clean = eventually(Duration::from_secs(20), || {
        after = at_rest(&host, &uuid).0;
        (after == before).then_some(())
    });
    assert!(
        is_clean.is_some(),
        "{before:#?}\nwas used, and now\n{after:#?}"
    );
    assert!(
        memory_after <= memory_before + MEMORY_MAX,
        "{memory_before} kB were {memory_after} kB"
    );
    host.fairing(["stop", "web"]).run().ok();
    host.fairing(["rm", "web"]).run().ok();
}
