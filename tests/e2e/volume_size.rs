//! Volumes whose size is limited, on filesystems with project quotas, which this machine's kernel may not have: in a virtual
//! machine.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::ImageBuilder;

use crate::machine_checks;
use crate::stocked;

/// The functions `check_NAME` of the script, in the order in which they run. Each is made on ext4 and on XFS.
const CHECKS: [&str; 9] = [
    "a_volume_holds_so_much_and_no_more",
    "what_the_image_has_must_fit",
    "limit_and_use_are_shown",
    "it_is_created_as_other_tools_do",
    "removal_gives_up_the_project",
    "killed_commands_lose_no_project",
    "ids_that_others_have_are_left_alone",
    "an_app_can_not_leave_its_project",
    "nothing_is_left",
];
const REFUSALS: [&str; 1] = ["a_filesystem_without_quotas_is_named"];

const SCRIPT: &str = include_str!("volume_size/checks.sh");

/// An empty file of that size, with a filesystem that `command` makes.
fn disk(directory: &Path, name: &str, bytes: u64, command: &[&str]) -> PathBuf {
    let path = directory.join(name);
    File::create(&path).unwrap().set_len(bytes).unwrap();
    let (program, arguments) = command.split_first().unwrap();
    let output = Command::new(program).args(arguments).arg(&path).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    path
}

#[test]
fn volumes_of_a_limited_size_hold_so_much_and_no_more() {
    let files = tempfile::tempdir().unwrap();
    let images = files.path().join("images");
    ImageBuilder::probe().build().write_layout(&images, "probe");
    let quotas = [
        "/usr/sbin/mkfs.ext4",
        "-q",
        "-O",
        "project,quota",
        "-E",
        "quotatype=prjquota",
    ];
    let ext4 = disk(files.path(), "ext4", 128 << 20, &quotas);
    let counts = disk(files.path(), "counts", 16 << 20, &quotas);
    let xfs = disk(
        files.path(),
        "xfs",
        320 << 20,
        &["/usr/sbin/mkfs.xfs", "-q"],
    );
    let checks: Vec<&str> = CHECKS.into_iter().chain(REFUSALS).collect();
    let machine = machine_checks::machine(SCRIPT, &checks, &images)
        .writable_disk(&ext4)
        .writable_disk(&xfs)
        .writable_disk(&counts)
        .module("overlay")
        .module("virtio_pci")
        .module("virtio_blk")
        .module("quota_v2")
        .module("xfs");
    machine_checks::expect_all(machine, &checks);
}

#[test]
fn a_size_that_nobody_could_keep_to_is_refused() {
    let host = stocked::busybox();
    for (flags, part) in [
        (&["--size=1"][..], "less than a page"),
        (&["-o", "type=nfs"], "there is size alone"),
        (&["-o", "size=1g", "--size=1g"], "cannot be used with"),
    ] {
        let refused = host.fairing(["volume", "create", "data"]).args(flags).run();
        let refused = refused.expect_code(2);
        assert!(refused.stderr.contains(part), "{refused}");
    }
}
