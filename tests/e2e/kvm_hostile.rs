//! What a virtual machine whose kernel has been taken over can do to its monitor: nothing that others notice.
//!
//! What it says wrong is tried in thousands of ways beside the link (`stage1/src/link/`). Here a pod init that means ill
//! says it, in a real machine.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::{FairingCommand, Host, installed_kernel, probe_binary, wait_until};

use crate::isolator::copy_of;
use crate::stocked::{IMAGE, busybox, status};

/// A translated machine takes its time where others work beside it.
const LIMIT: Duration = Duration::from_secs(120);

/// An isolator whose pod init plays this attack.
pub(crate) fn hostile(host: &Host, attack: &str) -> PathBuf {
    let isolator = copy_of(host, "kvm");
    let init = isolator.join("pod-init");
    fs::copy(probe_binary(), &init).unwrap();
    let mut file = OpenOptions::new().append(true).open(&init).unwrap();
    write!(file, "attack={attack}").unwrap();
    isolator
}

fn run(host: &Host, isolator: &Path, flags: &[&str]) -> FairingCommand {
    host.fairing(["run", "--net=none", "--stage1"])
        .arg(isolator)
        .arg(format!("--kvm-kernel={}", installed_kernel().display()))
        .args(flags)
        .args([IMAGE, "--", "/bin/true"])
        .limit(LIMIT)
}

#[test]
fn a_machine_that_talks_noise_or_opens_streams_is_ended_and_leaves_nothing() {
    for attack in ["noise", "a-million-streams"] {
        let host = busybox();
        let isolator = hostile(&host, attack);
        let output = run(&host, &isolator, &["--rm"]).run();
        output.expect_error(125, &["the link between monitor and pod init"]);
        assert!(host.pod_folders().is_empty(), "{attack}");
        host.expect_clean();
    }
}

#[test]
fn a_machine_that_says_the_same_for_ever_takes_no_memory_of_the_host_and_can_be_ended() {
    let host = busybox();
    let isolator = hostile(&host, "started-again-and-again");
    run(&host, &isolator, &["--detach", "--name=box"])
        .run()
        .ok();
    let monitor = status(&host, "box")["monitor-pid"].as_u64().unwrap();
    let begun = Instant::now();
    let mut most = 0;
    wait_until("it has talked for a while", Duration::from_secs(30), || {
        most = most.max(resident(monitor));
        (begun.elapsed() > Duration::from_secs(3)).then_some(())
    });
    // The link's bounds, and the program.
    assert!(most < 24 << 10, "the monitor takes {most} KiB");
    // It hears nobody, and ends no later for that.
    let begun = Instant::now();
    host.fairing(["stop", "--time=1s", "box"]).run();
    let status = wait_until("the pod has ended", Duration::from_secs(20), || {
        let status = status(&host, "box");
        (status["state"] == "exited").then_some(status)
    });
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(status["exit-code"], 137, "{status}");
}

/// Memory that a process takes, in KiB.
fn resident(pid: u64) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}
