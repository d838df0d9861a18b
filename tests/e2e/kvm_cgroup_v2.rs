//! Pods in virtual machines on a host with cgroups of version 2 alone, which is a virtual machine itself: what the host's
//! side of the limits comes to there.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{ImageBuilder, installed_kernel};

use crate::machine_checks;

/// The functions `check_NAME` of the script, in the order in which they run.
const CHECKS: [&str; 3] = ["limits_of_a_machine", "killed_monitor", "nothing_is_left"];

const SCRIPT: &str = include_str!("kvm_cgroup_v2/checks.sh");

/// What the kernel of a pod without shared files needs of its modules.
const MODULES: [&str; 11] = [
    "erofs",
    "failover",
    "libcrc32c",
    "net_failover",
    "overlay",
    "virtio",
    "virtio_blk",
    "virtio_console",
    "virtio_mmio",
    "virtio_net",
    "virtio_ring",
];

/// QEMU, and what it loads.
const QEMU: &str = "/usr/bin/qemu-system-x86_64";
const LOADED: [&str; 6] = [
    "/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so",
    "/usr/share/qemu/pvh.bin",
    "/usr/share/qemu/linuxboot_dma.bin",
    "/usr/share/qemu/kvmvapic.bin",
    "/usr/share/qemu/qboot.rom",
    "/usr/share/seabios/bios-microvm.bin",
];

#[test]
fn a_host_with_cgroup_version_2_limits_the_machines_of_pods() {
    let images = tempfile::tempdir().unwrap();
    ImageBuilder::busybox()
        .build()
        .write_layout(images.path(), "busybox");
    let kernel = small_kernel();
    let mut machine = machine_checks::machine(SCRIPT, &CHECKS, images.path())
        .copy(kernel.path(), "/kernel")
        .copy(Path::new(QEMU), QEMU)
        .libraries_of(Path::new(QEMU))
        .module("overlay")
        .memory(2048);
    for file in LOADED {
        machine = machine.copy(Path::new(file), file);
    }
    machine_checks::expect_all(machine, &CHECKS);
}

/// The kernel, with few of its modules.
fn small_kernel() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let kernel = installed_kernel();
    let name = kernel.file_name().unwrap();
    let tree = kernel.ancestors().nth(2).unwrap();
    let copy = |file: &Path| {
        let place = folder.path().join(file.strip_prefix(tree).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, place).unwrap();
    };
    copy(&tree.join("boot").join(name));
    let mut folders = vec![tree.join("lib")];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let stem = path
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .replace('-', "_");
            if path.is_dir() {
                folders.push(path);
            } else if MODULES.contains(&stem.as_str()) {
                copy(&path);
            }
        }
    }
    folder
}
