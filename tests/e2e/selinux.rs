//! What asks for labels of SELinux, where it is enabled and where it isn't: on a virtual machine whose kernel has it.

use harness::ImageBuilder;

use crate::machine_checks;

/// The functions `check_NAME` of the script, in the order in which they run.
const CHECKS: [&str; 3] = [
    "labels_mean_nothing_where_nothing_is_labelled",
    "labels_are_refused_by_name_where_there_are_some",
    "what_asks_for_none_runs",
];

const SCRIPT: &str = include_str!("selinux/checks.sh");

#[test]
fn labels_are_refused_by_name_where_selinux_is_enabled_and_taken_elsewhere() {
    let images = tempfile::tempdir().unwrap();
    ImageBuilder::busybox()
        .build()
        .write_layout(images.path(), "busybox");
    let machine = machine_checks::machine(SCRIPT, &CHECKS, images.path())
        .kernel_words("security=selinux selinux=1")
        .module("overlay");
    machine_checks::expect_all(machine, &CHECKS);
}
