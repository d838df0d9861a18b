//! Many pods at once, and commands that are killed at any moment: no volume, no mount and no block of IDs is lost, and none
//! is two pods'.
//!
//! `make soak` kills a thousand commands, other runs a tenth of that.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::{FairingCommand, Host, Signal};
use serde_json::Value;

use crate::stocked::{IMAGE, busybox};

/// Pods that run at once.
const TOGETHER: usize = 200;
/// Commands that are killed, without the variable that says so.
const USUAL: usize = 100;
/// Of these at a time.
const AT_ONCE: usize = 10;
/// The latest moment in the life of a command at which it is killed, in microseconds: by then a pod runs.
const LATEST: u64 = 60_000;
const VOLUMES: u64 = 4;
const PODS: u64 = 6;

fn kills() -> usize {
    let said = std::env::var("FAIRING_SOAK_KILLS");
    said.map_or(USUAL, |text| text.parse().unwrap())
}

/// Numbers without a pattern (xorshift). Where they began is printed, so that a failure can be played again.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap() | 1;
        // Shown where the test fails.
        eprintln!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What somebody could be doing.
fn any_command(host: &Host, dice: &mut Dice) -> FairingCommand {
    let volume = format!("v{}", dice.below(VOLUMES));
    let pod = format!("p{}", dice.below(PODS));
    let mount = format!("{volume}:/data");
    let start = |verb: &str| {
        host.fairing([verb, "--net=none", "--name", &pod])
            .args(["--volume", &mount, "--volume", "/other", IMAGE])
    };
    match dice.below(8) {
        0 => host.fairing(["volume", "create", &volume]),
        1 => host.fairing(["volume", "rm", &volume]),
        2 => host.fairing(["stop", "--force", &pod]),
        3 => host.fairing(["rm", "--force", &pod]),
        4 => start("prepare"),
        5 => host.fairing(["start", &pod]),
        _ => start("run").args([
            "--replace",
            "--",
            "/bin/sh",
            "-c",
            "echo x > /data/file; exec sleep 1000",
        ]),
    }
}

/// The first ID of each pod's block, as far as it has one.
fn first_ids(host: &Host) -> Vec<u64> {
    let pods = host.fairing(["list", "--format=json"]).run().ok().json();
    let first = |pod: &Value| {
        let status = host.fairing(["status", "--format=json"]);
        let output = status.arg(pod["uuid"].as_str().unwrap()).run();
        // One that was being removed has gone since.
        (output.code == Some(0))
            .then(|| output.json()["user-namespace"]["uid-mappings"][0]["host-id"].as_u64())
            .flatten()
    };
    pods.as_array().unwrap().iter().filter_map(first).collect()
}

#[track_caller]
fn all_differ(ids: &[u64]) {
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
}

#[test]
fn commands_that_are_killed_at_any_moment_lose_no_volume_and_no_ids() {
    let host = busybox();
    let mut dice = Dice::new();
    let mut left = kills();
    while left > 0 {
        let batch: Vec<_> = (0..left.min(AT_ONCE))
            .map(|_| {
                let command = any_command(&host, &mut dice).limit(Duration::from_secs(60));
                let (begun, running) = (Instant::now(), command.spawn());
                let moment = Duration::from_micros(dice.below(LATEST));
                std::thread::sleep(moment.saturating_sub(begun.elapsed()));
                running.signal(Signal::KILL);
                running
            })
            .collect();
        left -= batch.len();
        for command in batch {
            command.wait();
        }
        all_differ(&first_ids(&host));
    }
    // What is left can be used: a volume is whole or not there.
    for number in 0..VOLUMES {
        let mount = format!("v{number}:/data");
        host.fairing(["run", "--rm", "--net=none", "--volume", &mount, IMAGE])
            .args(["--", "/bin/touch", "/data/after"])
            .run()
            .ok();
    }
    host.kill_all();
    // Prepared pods are there to stay.
    let collect = ["gc", "--grace-period=0s", "--expire-prepared=0s"];
    host.fairing(collect).run().ok();
    host.expect_clean();
    host.fairing(["volume", "prune", "--all", "--force"])
        .run()
        .ok();
    let volumes = host.fairing(["volume", "list", "--quiet"]).run().ok();
    assert_eq!(volumes.stdout, "");
}

#[test]
fn pods_that_start_at_once_have_their_own_ids_and_their_volumes() {
    let host = busybox();
    let pods: Vec<_> = (0..TOGETHER)
        .map(|number| {
            let own = format!("own{number}:/own");
            let script = "touch /own/$HOSTNAME /all/$HOSTNAME && exec sleep 1000";
            host.fairing(["run", "--detach", "--net=none", "--hostname"])
                .arg(format!("pod{number}"))
                .args(["--volume", &own, "--volume", "all:/all", IMAGE])
                .args(["--", "/bin/sh", "-c", script])
                .limit(Duration::from_secs(120))
                .spawn()
        })
        .collect();
    let started: BTreeSet<String> = pods
        .into_iter()
        .map(|pod| pod.wait().ok().text().to_owned())
        .collect();
    assert_eq!(started.len(), TOGETHER);
    let ids = first_ids(&host);
    assert_eq!(ids.len(), TOGETHER);
    all_differ(&ids);
    host.fairing(["stop", "--all", "--force"])
        .limit(Duration::from_secs(120))
        .run()
        .ok();
    let list = "ls /all | wc -l; ls /own";
    let last = TOGETHER - 1;
    let output = host
        .fairing(["run", "--rm", "--net=none", "--volume=all:/all"])
        .args(["--volume", &format!("own{last}:/own"), IMAGE])
        .args(["--", "/bin/sh", "-c", list])
        .run()
        .ok();
    assert_eq!(output.stdout, format!("{TOGETHER}\npod{last}\n"));
}
