//! Images of real programs, made from Debian's packages.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::binaries::repository;

/// An OCI layout directory with the images `nginx`, `redis`, `postgres`, `etcd` and `systemd` by tag. Made on first use,
/// which takes a minute or two, and kept between runs.
///
/// # Panics
/// If they cannot be made.
pub fn debian_images_dir() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let script = repository().join("tests/images/debian-images");
            // The script takes a lock, so that only the first of several tests makes images.
            let output = Command::new(&script).output().expect("start debian-images");
            assert!(
                output.status.success(),
                "{} failed\n{}",
                script.display(),
                String::from_utf8_lossy(&output.stderr)
            );
            PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
        })
        .clone()
}

/// One of them as an image source, `oci:FOLDER:TAG`.
pub fn debian_image(tag: &str) -> String {
    format!("oci:{}:{tag}", debian_images_dir().display())
}
