//! Memory of templates that copies have which run: a later copy shares it with them.
//!
//! The monitor of each holds the memory open, and says where in its pod's runtime directory. Nobody but root writes there,
//! and what is found is compared with what was said: the process, the file, and that nobody can change it.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use serde::{Deserialize, Serialize};

use super::key::Key;
use super::memory::is_sealed;

/// In a pod's runtime directory.
const FILE: &str = "template";
/// Where in what `/proc/PID/stat` says behind the name it is told when the process began.
const START: usize = 19;

/// Where a template's memory is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Record {
    key: String,
    process: u32,
    /// When it began: no other process has both numbers.
    began: u64,
    descriptor: i32,
    device: u64,
    inode: u64,
}

/// Says where this process has a template's memory open. Who can't keeps it for itself.
pub(super) fn record(run_dir: &Path, key: &Key, memory: &OwnedFd) {
    let record = (|| {
        let metadata = File::from(memory.try_clone().ok()?).metadata().ok()?;
        let process = std::process::id();
        let record = Record {
            key: key.to_string(),
            process,
            began: began(&open_process(process)?)?,
            descriptor: memory.as_raw_fd(),
            device: metadata.dev(),
            inode: metadata.ino(),
        };
        serde_json::to_vec(&record).ok()
    })();
    if let Some(bytes) = record {
        // Later copies read the memory from disk then.
        let _ = fs::write(run_dir.join(FILE), bytes);
    }
}

/// The memory of that template, if a pod that runs beside this one has it.
pub(super) fn memory_of(run_dir: &Path, key: &Key) -> Option<OwnedFd> {
    let pods = fs::read_dir(run_dir.parent()?).ok()?;
    pods.flatten().find_map(|pod| {
        let text = fs::read(pod.path().join(FILE)).ok()?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        let is_wanted = record.key == key.to_string();
        is_wanted.then(|| open(&record)).flatten()
    })
}

fn open(record: &Record) -> Option<OwnedFd> {
    // What is opened in there is this process's, or nobody's.
    let process = open_process(record.process)?;
    let path = format!("fd/{}", record.descriptor);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let memory = openat(&process, path, flags, Mode::empty()).ok()?;
    let metadata = File::from(memory.try_clone().ok()?).metadata().ok()?;
    let is_same = (metadata.dev(), metadata.ino()) == (record.device, record.inode);
    let is_its = began(&process) == Some(record.began);
    (is_same && is_its && is_sealed(&memory)).then_some(memory)
}

fn open_process(number: u32) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, format!("/proc/{number}"), flags, Mode::empty()).ok()
}

fn began(process: &OwnedFd) -> Option<u64> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let stat = openat(process, "stat", flags, Mode::empty()).ok()?;
    let mut text = Vec::new();
    File::from(stat).read_to_end(&mut text).ok()?;
    began_of(&String::from_utf8_lossy(&text))
}

/// A name may hold anything, and ends where the last parenthesis closes.
fn began_of(stat: &str) -> Option<u64> {
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_whitespace().nth(START)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::memory;

    #[test]
    fn when_a_process_began_is_told_behind_its_name() {
        let numbers: Vec<String> = (3..53).map(|number| number.to_string()).collect();
        let stat = format!("7 (a ) 8 (b)) {}", numbers.join(" "));
        assert_eq!(began_of(&stat), Some(22));
        assert_eq!(began_of("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_found_where_it_was_recorded_and_no_other() {
        let pods = tempfile::tempdir().unwrap();
        let (one, two) = (pods.path().join("one"), pods.path().join("two"));
        fs::create_dir(&one).unwrap();
        fs::create_dir(&two).unwrap();
        let [key, other] = ["boot.key", "boot.other"].map(Key::named);
        let memory = memory::make(4096).unwrap();
        record(&one, &key, &memory);
        assert!(memory_of(&two, &key).is_none(), "anybody can change it");
        memory::seal(&memory).unwrap();
        let found = memory_of(&two, &key).unwrap();
        let inode = |fd: &OwnedFd| {
            File::from(fd.try_clone().unwrap())
                .metadata()
                .unwrap()
                .ino()
        };
        assert_eq!(inode(&found), inode(&memory));
        assert!(memory_of(&two, &other).is_none());
        // Another file, another process, or one that began at another time.
        let text = fs::read(one.join(FILE)).unwrap();
        let recorded: Record = serde_json::from_slice(&text).unwrap();
        let changed = |change: fn(&mut Record)| {
            let mut record = recorded.clone();
            change(&mut record);
            fs::write(one.join(FILE), serde_json::to_vec(&record).unwrap()).unwrap();
            memory_of(&two, &key).is_some()
        };
        assert!(changed(|_| ()));
        assert!(!changed(|record| record.inode += 1));
        assert!(!changed(|record| record.process = 1));
        assert!(!changed(|record| record.began += 1));
        assert!(!changed(|record| record.descriptor = 0));
    }
}
