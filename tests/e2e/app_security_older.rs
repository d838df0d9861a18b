//! What an app may do, on the oldest kernel that is supported, with cgroups of version 2 alone, where root has all
//! capabilities.

use harness::ImageBuilder;

use crate::machine_checks;

/// The functions `check_NAME` of the script, in the order in which they run.
const CHECKS: [&str; 7] = [
    "capabilities",
    "filters",
    "limits_are_raised_by_who_may",
    "scores_are_lowered_by_who_may",
    "read_only_roots_and_guards",
    "kernel_parameters",
    "processes_of_ones_own",
];

const SCRIPT: &str = include_str!("app_security_older/checks.sh");

#[test]
fn apps_are_confined_by_choice_on_the_oldest_kernel() {
    let images = tempfile::tempdir().unwrap();
    ImageBuilder::busybox()
        .build()
        .write_layout(images.path(), "busybox");
    let machine = machine_checks::machine(SCRIPT, &CHECKS, images.path())
        .module("overlay")
        .module("loop");
    machine_checks::expect_all(machine, &CHECKS);
}
