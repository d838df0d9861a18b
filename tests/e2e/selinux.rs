//! Labels of SELinux, where it is enabled and where it isn't: on a virtual machine whose kernel has it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::ImageBuilder;

use crate::machine_checks;

/// The functions `check_NAME` of the script, in the order in which they run. The first loads the policy.
const CHECKS: [&str; 12] = [
    "labels_mean_nothing_where_nothing_is_labelled",
    "an_app_has_the_label_of_its_pod",
    "all_that_is_mounted_has_the_label_of_its_files",
    "pods_can_not_use_each_others_files",
    "named_volumes_are_for_all_pods",
    "files_of_images_can_be_read",
    "other_labels_are_had_by_name",
    "what_the_system_needs_keeps_its_label",
    "a_pod_with_users_of_its_own_has_labels_too",
    "a_command_has_its_label_whatever_the_app_mounts_over",
    "an_app_that_joins_has_the_label_of_the_pod",
    "a_killed_start_gives_up_its_categories",
];

const SCRIPT: &str = include_str!("selinux/checks.sh");
const POLICY: &str = include_str!("selinux/policy.cil");
/// How many categories policies have.
const CATEGORIES: u32 = 1024;

/// The policy as the kernel takes it.
fn policy(directory: &Path) -> PathBuf {
    let mut text = POLICY.to_owned();
    let mut order = String::new();
    for number in 0..CATEGORIES {
        writeln!(text, "(category c{number})").unwrap();
        write!(order, "c{number} ").unwrap();
    }
    writeln!(text, "(categoryorder ({order}))").unwrap();
    let (source, policy) = (directory.join("policy.cil"), directory.join("policy"));
    std::fs::write(&source, text).unwrap();
    let output = Command::new("/usr/bin/secilc")
        .args(["--policyvers=33", "--filecontext=/dev/null", "--output"])
        .args([&policy, &source])
        .output()
        .expect("secilc is not installed: run tests/prepare-machine");
    assert!(output.status.success(), "{output:?}");
    policy
}

#[test]
fn apps_and_their_files_have_labels_where_selinux_is_enabled() {
    let files = tempfile::tempdir().unwrap();
    let images = files.path().join("images");
    ImageBuilder::busybox()
        .build()
        .write_layout(&images, "busybox");
    let machine = machine_checks::machine(SCRIPT, &CHECKS, &images)
        .copy(&policy(files.path()), "/policy")
        .kernel_words("security=selinux selinux=1")
        .module("overlay")
        .module("loop");
    machine_checks::expect_all(machine, &CHECKS);
}
