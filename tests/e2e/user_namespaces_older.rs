//! User namespaces on the oldest kernel that is supported: no `lowerdir+` of overlayfs (Linux 6.8), no layers on mounts that
//! are attached to nothing (6.15), memory that can't be mapped (6.3); and cgroups of version 2 alone.

use harness::{ImageBuilder, Layer};

use crate::machine_checks;

/// The functions `check_NAME` of the script, in the order in which they run.
const CHECKS: [&str; 10] = [
    "root_is_nobody_on_the_host",
    "layers_and_changes",
    "processes_are_in_their_cgroups",
    "enter",
    "out_of_memory",
    "what_is_left_is_killed",
    "volumes",
    "memory_is_no_place_for_images",
    "a_kernel_that_makes_none",
    "nothing_is_left",
];

const SCRIPT: &str = include_str!("user_namespaces_older/checks.sh");

#[test]
fn pods_have_users_of_their_own_on_the_oldest_kernel() {
    let images = tempfile::tempdir().unwrap();
    let layer = Layer::new().folder("home", 0o755);
    let layer = layer.owner(1000, 1000).folder("home/user", 0o755);
    ImageBuilder::busybox()
        .layer(layer)
        .build()
        .write_layout(images.path(), "busybox");
    let machine = machine_checks::machine(SCRIPT, &CHECKS, images.path())
        .module("overlay")
        .module("loop");
    machine_checks::expect_all(machine, &CHECKS);
}
