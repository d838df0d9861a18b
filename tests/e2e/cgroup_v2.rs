//! A host with cgroups of version 2 alone, which is a virtual machine with an older kernel: it
//! also has no `lowerdir+` of overlayfs (Linux 6.8).

use std::path::Path;

use harness::{Compression, ImageBuilder, Layer};

use crate::machine_checks;

/// The functions `check_NAME` of the script, in the order in which they run.
const CHECKS: [&str; 30] = [
    "version_2_only",
    "output_and_exit_code",
    "limits",
    "further_limits",
    "limits_of_disks",
    "limits_of_a_pod",
    "limits_that_change",
    "pause_and_resume",
    "figures",
    "devices",
    "no_limits",
    "limit_of_processes",
    "own_cgroup_is_shown_for_reading",
    "processes_are_in_their_cgroups",
    "enter",
    "out_of_memory",
    "killed_by_another",
    "killed_long_after_a_child",
    "killed_monitor",
    "killed_pod_init",
    "fly",
    "fly_with_nobody_left",
    "cgroup_that_was_not_delegated",
    "delegated_cgroup",
    "delegated_cgroup_with_a_shell_in_it",
    "layers",
    "image_of_30_layers",
    "image_of_120_layers",
    "working_directories_stay_inside",
    "nothing_is_left",
];

const SCRIPT: &str = include_str!("cgroup_v2/checks.sh");

#[test]
fn a_host_with_cgroup_version_2_runs_pods() {
    let images = tempfile::tempdir().unwrap();
    ImageBuilder::busybox()
        .build()
        .write_layout(images.path(), "busybox");
    layers().build().write_layout(images.path(), "layers");
    for count in [30, 120] {
        let tag = format!("layers-{count}");
        many_layers(count).build().write_layout(images.path(), &tag);
    }
    let setfattr = Path::new("/usr/bin/setfattr");
    let machine = machine_checks::machine(SCRIPT, &CHECKS, images.path())
        .copy(setfattr, "/usr/bin/setfattr")
        .libraries_of(setfattr)
        .module("overlay")
        .module("loop");
    machine_checks::expect_all(machine, &CHECKS);
}

/// Three layers, of which the upper ones replace, remove and empty what the base has.
fn layers() -> ImageBuilder {
    ImageBuilder::busybox()
        .layer(
            Layer::new()
                .file("kept", "base\n", 0o644)
                .file("replaced", "base\n", 0o644)
                .file("removed", "base\n", 0o644)
                .folder("emptied", 0o755)
                .file("emptied/old", "base\n", 0o644),
        )
        .layer(
            Layer::new()
                .file("replaced", "top\n", 0o644)
                .whiteout("removed"),
        )
        .layer(
            Layer::new()
                .folder("emptied", 0o755)
                .opaque("emptied")
                .file("emptied/fresh", "top\n", 0o644),
        )
}

/// busybox, and layers above it, `count` in all.
fn many_layers(count: u32) -> ImageBuilder {
    let base = ImageBuilder::busybox().layer(
        Layer::new()
            .folder("layers", 0o755)
            .file("layers/1", "1\n", 0o644),
    );
    (2..=count).fold(base, |image, number| {
        let text = format!("{number}\n");
        image.layer(
            Layer::new()
                .compression(Compression::None)
                .file(&format!("layers/{number}"), &text, 0o644)
                .file("number", &text, 0o644),
        )
    })
}
