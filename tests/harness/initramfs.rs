//! A machine's first filesystem: a cpio archive in the format `newc` (the kernel's
//! `Documentation/driver-api/early-userspace/buffer-format.rst`), not packed.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::{fs, io};

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// The archive while it is put together. Paths are relative; directories above them are added.
#[derive(Debug, Default)]
pub(crate) struct Initramfs {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    entries: u32,
}

impl Initramfs {
    pub(crate) fn folder(&mut self, path: &str) {
        if path.is_empty() || !self.folders.insert(path.to_owned()) {
            return;
        }
        self.folders_above(path);
        self.entry(path, FOLDER | 0o755, &[]);
    }

    pub(crate) fn file(&mut self, path: &str, content: &[u8], mode: u32) {
        self.folders_above(path);
        self.entry(path, FILE | mode, content);
    }

    pub(crate) fn symlink(&mut self, path: &str, target: &str) {
        self.folders_above(path);
        self.entry(path, LINK | 0o777, target.as_bytes());
    }

    /// A copy of a file, or of a directory with all that is in it.
    pub(crate) fn copy(&mut self, source: &Path, path: &str) -> io::Result<()> {
        let kind = fs::symlink_metadata(source)?;
        if kind.is_symlink() {
            self.symlink(path, &fs::read_link(source)?.to_string_lossy());
        } else if kind.is_dir() {
            self.folder(path);
            for entry in fs::read_dir(source)? {
                let entry = entry?;
                let name = entry.file_name();
                self.copy(&entry.path(), &format!("{path}/{}", name.to_string_lossy()))?;
            }
        } else {
            let mode = kind.permissions().mode() & 0o7777;
            debug_assert_eq!(kind.mode() & 0o170_000, FILE);
            self.file(path, &fs::read(source)?, mode);
        }
        Ok(())
    }

    /// The archive with its end.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn folders_above(&mut self, path: &str) {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("a file below 4 GiB");
        let name = u32::try_from(path.len() + 1).expect("a short path");
        // Number, mode, uid, gid, links, mtime, size, device (two), device number (two), length
        // of the name, checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        let length = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(length, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn busybox_unpacks_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut archive = Initramfs::default();
        archive.file("etc/deep/motd", b"hello", 0o640);
        archive.symlink("link", "etc/deep/motd");
        archive.folder("etc/empty");
        let file = folder.path().join("archive");
        fs::write(&file, archive.finish()).unwrap();
        let output = Command::new("busybox")
            .args(["cpio", "-i", "-F"])
            .arg(&file)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = fs::read_to_string(folder.path().join("link")).unwrap();
        assert_eq!(text, "hello");
        let mode = fs::metadata(folder.path().join("etc/deep/motd")).unwrap();
        assert_eq!(mode.mode() & 0o7777, 0o640);
        assert!(folder.path().join("etc/empty").is_dir());
    }
}
