//! What virtual machines of pods are made of, and where that is installed: for the isolator, and for who looks whether
//! it is there.

mod kernel;
mod modules;

use std::path::{Path, PathBuf};

pub use self::kernel::{Kernel, NoKernel, find};
pub use self::modules::ModuleFiles;

/// Where QEMU is.
pub const QEMU: [&str; 3] = [
    "/usr/bin/qemu-system-x86_64",
    "/usr/local/bin/qemu-system-x86_64",
    "/usr/libexec/qemu-kvm",
];
/// Where virtiofsd is, which shares files with machines: the one in Rust, and last the one in C.
pub const VIRTIOFSD: [&str; 4] = [
    "/usr/libexec/virtiofsd",
    "/usr/lib/virtiofsd",
    "/usr/local/libexec/virtiofsd",
    "/usr/lib/qemu/virtiofsd",
];

/// Modules of which a pod needs each, built into the kernel or not.
pub const MODULES: [&str; 6] = [
    "virtio_mmio",
    "virtio_console",
    "virtio_blk",
    "virtio_net",
    "erofs",
    "overlay",
];
/// By which a kernel checks disks while it reads them.
pub const VERITY: &str = "dm_verity";
/// By which files of the host are shared.
pub const VIRTIOFS: &str = "virtiofs";

/// The first of these programs that is there.
#[must_use]
pub fn installed(programs: &[&str]) -> Option<PathBuf> {
    let mut paths = programs.iter().map(Path::new);
    paths.find(|path| path.exists()).map(Path::to_owned)
}
