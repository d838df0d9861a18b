//! systemd as an app, on a host with cgroups of version 2 alone, which is a virtual machine: in pods with users of their own,
//! and with the host's.

use std::process::Command;

use harness::{ImageBuilder, debian_images_dir};

use crate::machine_checks;

/// The functions `check_NAME` of the script, in the order in which they run.
const CHECKS: [&str; 10] = [
    "it_starts_its_units",
    "commands_enter_it",
    "its_cgroups_are_below_its_limits",
    "it_stops_in_order",
    "it_starts_again",
    "with_the_hosts_users",
    "as_any_other_program",
    "another_program_as_systemd",
    "without_cgroups_of_version_2",
    "nothing_is_left",
];

const SCRIPT: &str = include_str!("systemd_app/checks.sh");

#[test]
fn systemd_runs_as_an_app_and_stops_in_order() {
    let images = tempfile::tempdir().unwrap();
    ImageBuilder::busybox()
        .build()
        .write_layout(images.path(), "busybox");
    let systemd = images.path().join("debian");
    let copied = Command::new("skopeo")
        .args(["copy", "--quiet", "--preserve-digests"])
        .arg(format!("oci:{}:systemd", debian_images_dir().display()))
        .arg(format!("oci:{}:systemd", systemd.display()))
        .status()
        .unwrap();
    assert!(copied.success(), "skopeo: {copied}");
    let machine = machine_checks::machine(SCRIPT, &CHECKS, images.path())
        .memory(2048)
        .module("overlay")
        .module("loop");
    machine_checks::expect_all(machine, &CHECKS);
}
