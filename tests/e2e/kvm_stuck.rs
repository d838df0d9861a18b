//! Virtual machines that are stuck while they boot. What that looks like is played by other programs in the places of QEMU and
//! of pod init.

use std::fs;
use std::time::Duration;

use harness::{installed_kernel, probe_binary};

use crate::kvm_hostile::hostile;
use crate::stocked::{IMAGE, busybox, status};

/// A translated machine takes its time where others work beside it.
const LIMIT: Duration = Duration::from_secs(100);
/// So much memory tells the probe in QEMU's place to do nothing at first, and then to be the QEMU that is mounted elsewhere.
const STUCK_AT_FIRST: &str = "--kvm-memory=199m";
/// And so much, to be that QEMU without the port by which pod init speaks.
const WITHOUT_PORT: &str = "--kvm-memory=197m";
const MOUNTED: &str = "mount --bind /usr/bin/qemu-system-x86_64 /usr/lib/qemu/qemu-bridge-helper";

#[test]
fn a_machine_that_is_stuck_while_it_boots_boots_again_and_has_all_that_it_was_to_have() {
    let host = busybox();
    let volume = host.base().join("volume");
    fs::create_dir(&volume).unwrap();
    let own = with_probe_for_qemu();
    let shared = format!("--volume={}:/volume", volume.display());
    for (flags, line) in [
        (vec!["--rm"], "cat"),
        (
            vec!["--name=kept", &shared],
            "cat; echo written >/volume/file",
        ),
    ] {
        let output = host
            .fairing(["run", "--stage1=kvm", "--interactive", STUCK_AT_FIRST])
            .arg(format!("--kvm-kernel={}", installed_kernel().display()))
            .args(&flags)
            .args([IMAGE, "--", "/bin/sh", "-c", line])
            .through("unshare", own.iter().map(String::as_str))
            .limit(LIMIT)
            .stdin("input\n")
            .run()
            .ok();
        assert_eq!(output.stdout, "input\n", "{output}");
        assert!(output.stderr.contains("it boots again"), "{output}");
    }
    let written = fs::read_to_string(volume.join("file")).unwrap();
    assert_eq!(written, "written\n");
    assert_eq!(status(&host, "kept")["machine"]["boots"], 2);
    host.fairing(["rm", "kept"]).run().ok();
    host.expect_clean();
}

/// Arguments of `unshare` for a mount namespace in which the probe lies in QEMU's place.
fn with_probe_for_qemu() -> Vec<String> {
    let script = format!(
        "{MOUNTED} && mount --bind {} /usr/bin/qemu-system-x86_64 && exec \"$@\"",
        probe_binary().display()
    );
    let own = [
        "--mount",
        "--propagation",
        "private",
        "/bin/sh",
        "-c",
        &script,
        "sh",
    ];
    own.map(str::to_owned).to_vec()
}

#[test]
fn a_machine_that_lacks_what_pod_init_needs_is_quoted() {
    let host = busybox();
    let output = host
        .fairing(["run", "--stage1=kvm", "--net=none", "--rm", WITHOUT_PORT])
        .arg(format!("--kvm-kernel={}", installed_kernel().display()))
        .args([IMAGE, "--", "/bin/true"])
        .through("unshare", with_probe_for_qemu().iter().map(String::as_str))
        .limit(LIMIT)
        .run()
        .expect_code(125);
    let said = "the machine has no serial port that leads to the monitor";
    assert!(output.stderr.contains(said), "{output}");
    host.expect_clean();
}

#[test]
fn a_pod_whose_machine_is_stuck_each_time_ends_and_says_so() {
    let host = busybox();
    let isolator = hostile(&host, "silence");
    let output = host
        .fairing(["run", "--net=none", "--rm", "--stage1"])
        .arg(isolator)
        .arg(format!("--kvm-kernel={}", installed_kernel().display()))
        .args([IMAGE, "--", "/bin/true"])
        .limit(LIMIT)
        .run();
    let output = output.expect_code(125);
    for part in ["was stuck while it booted", "so was another one"] {
        assert!(output.stderr.contains(part), "{output}");
    }
    assert!(host.pod_folders().is_empty());
    host.expect_clean();
}
