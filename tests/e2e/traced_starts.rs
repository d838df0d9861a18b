//! Processes that are traced on their way to their programs, on a machine of its own: the setting that lets it happen is the
//! whole kernel's.

use harness::ImageBuilder;

use crate::machine_checks;

/// The functions `check_NAME` of the script, in the order in which they run.
const CHECKS: [&str; 3] = [
    "setting_is_warned_of",
    "what_is_caught_is_under_the_filter",
    "nothing_is_left",
];

const SCRIPT: &str = include_str!("traced_starts/checks.sh");

#[test]
fn a_command_that_is_traced_while_it_starts_is_under_the_filter() {
    let images = tempfile::tempdir().unwrap();
    ImageBuilder::probe()
        .build()
        .write_layout(images.path(), "probe");
    let machine = machine_checks::machine(SCRIPT, &CHECKS, images.path()).module("overlay");
    machine_checks::expect_all(machine, &CHECKS);
}
