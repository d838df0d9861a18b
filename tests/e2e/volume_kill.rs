//! Many pods at once, and commands that are killed at any moment: no volume, no mount and no block of IDs is lost, none is
//! two pods', and what a command has written to a volume stays there.
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
/// The volume that nobody removes.
const KEPT: &str = "kept:/kept";

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
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What somebody does to pods and volumes.
fn any_command(host: &Host, dice: &mut Dice) -> FairingCommand {
    let volume = format!("v{}", dice.below(VOLUMES));
    let pod = format!("p{}", dice.below(PODS));
    let mount = format!("{volume}:/data");
    let start = |verb: &str| {
        host.fairing([verb, "--net=none", "--name", &pod])
            .args(["--volume", &mount, "--volume", "/other"])
            .args(["--volume", KEPT, IMAGE])
    };
    let inside = format!("{pod}:/data/copy");
    match dice.below(14) {
        0 => host.fairing(["volume", "create", &volume]),
        1 => host.fairing(["volume", "rm", &volume]),
        2 => host.fairing(["stop", "--force", &pod]),
        3 => host.fairing(["rm", "--force", &pod]),
        4 => start("prepare"),
        5 => host.fairing(["start", &pod]),
        6 => host.fairing(["cp", "/usr/include/linux", &inside]),
        7 => host.fairing(["cp", &format!("{pod}:/bin"), "-"]),
        8 => host.fairing(["enter", "--detach", &pod, "--", "/bin/sleep", "1000"]),
        9 => host.fairing(["restart", "--time=0", &pod]),
        10 => host.fairing(["pause", &pod]),
        11 => host.fairing(["unpause", &pod]),
        _ => start("run").args([
            "--replace",
            "--",
            "/bin/sh",
            "-c",
            "echo x > /data/file; exec sleep 1000",
        ]),
    }
}

/// Writes a number to the volume that nobody removes: it is there for good, once this command has ended well.
fn write(host: &Host, dice: &mut Dice, number: usize) -> FairingCommand {
    let script = format!("echo {number} >> /kept/numbers && sync");
    host.fairing(["enter", &format!("p{}", dice.below(PODS)), "--"])
        .args(["/bin/sh", "-c", &script])
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
    // Shown where the test fails.
    println!("seed {}", dice.0);
    let kills = kills();
    let keep = ["run", "--rm", "--net=none", "--volume", KEPT, IMAGE, "--"];
    let first = format!("echo {kills} > /kept/numbers");
    host.fairing(keep)
        .args(["/bin/sh", "-c", &first])
        .run()
        .ok();
    let mut written = vec![kills];
    for first in (0..kills).step_by(AT_ONCE) {
        let batch: Vec<_> = (first..kills.min(first + AT_ONCE))
            .map(|number| {
                let writes = dice.below(8) == 0;
                let command = if writes {
                    write(&host, &mut dice, number)
                } else {
                    any_command(&host, &mut dice)
                };
                let command = command.limit(Duration::from_secs(60));
                let (begun, running) = (Instant::now(), command.spawn());
                let moment = Duration::from_micros(dice.below(LATEST));
                std::thread::sleep(moment.saturating_sub(begun.elapsed()));
                running.signal(Signal::KILL);
                (writes.then_some(number), running)
            })
            .collect();
        for (number, command) in batch {
            if command.wait().code == Some(0) {
                written.extend(number);
            }
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
    let output = host.fairing(keep).args(["/bin/cat", "/kept/numbers"]).run();
    let numbers: BTreeSet<usize> = output
        .ok()
        .stdout
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    written.retain(|number| !numbers.contains(number));
    assert_eq!(written, [0; 0], "lost from a volume");
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
