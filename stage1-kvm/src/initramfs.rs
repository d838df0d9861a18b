//! A machine's first root: a cpio archive in the form `newc` (the kernel's
//! `Documentation/driver-api/early-userspace/buffer-format.rst`), not compressed.

use stage1::first_root::{MODULES, Purpose};

use crate::kernel::Module;

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;

/// The archive of pod init and the modules that it loads for each purpose, in this order.
pub(crate) fn archive(pod_init: &[u8], modules: &[(Purpose, Vec<Module>)]) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.entry("dev", FOLDER, &[]);
    archive.entry(MODULES, FOLDER, &[]);
    for (purpose, modules) in modules {
        let folder = format!("{MODULES}/{}", purpose.name());
        archive.entry(&folder, FOLDER, &[]);
        for (number, module) in modules.iter().enumerate() {
            let path = format!("{folder}/{number:03}-{}.ko", module.name);
            archive.entry(&path, FILE, &module.bytes);
        }
    }
    archive.entry("init", PROGRAM, pod_init);
    archive.entry("TRAILER!!!", 0, &[]);
    archive.bytes
}

#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        // Modules and pod init are a few megabytes.
        let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (size, name) = (length(content.len()), length(path.len() + 1));
        // Number, mode, owner, group, links, time, size, four numbers of devices, length of the name, checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            let digits = format!("{field:08x}");
            self.bytes.extend_from_slice(digits.as_bytes());
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
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn busybox_unpacks_what_is_written() {
        let module = |name: &str, bytes: &[u8]| Module {
            name: name.to_owned(),
            bytes: bytes.to_vec(),
        };
        let modules = [
            (
                Purpose::Machine,
                vec![module("second", b"12345"), module("first", b"")],
            ),
            (Purpose::Disks, vec![module("third", b"6")]),
        ];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("archive");
        fs::write(&file, archive(b"program", &modules)).unwrap();
        let output = Command::new("busybox")
            .args(["cpio", "-i", "-F"])
            .arg(&file)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let read = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
        assert_eq!(read("init"), "program");
        assert_eq!(read("modules/machine/000-second.ko"), "12345");
        assert_eq!(read("modules/machine/001-first.ko"), "");
        assert_eq!(read("modules/disks/000-third.ko"), "6");
    }
}
