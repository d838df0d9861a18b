//! By what a root filesystem is told from other directories and archives.

/// Names at the top of root filesystems, and of no form of an image.
pub(crate) const NAMES: [&str; 21] = [
    "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "media", "mnt", "nix", "opt",
    "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var",
];

/// Whether root filesystems have something of this name at their top.
pub(crate) fn is_one(name: &[u8]) -> bool {
    NAMES.iter().any(|known| known.as_bytes() == name)
}
