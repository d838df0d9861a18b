//! Which files of `/proc` and `/sys` open for writing. Opening writes nothing.

use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Sorted paths. Of processes only pid 1 and this one are looked at: those of others are like one of them.
pub(crate) fn writable() -> Vec<String> {
    let mut found = Vec::new();
    walk(Path::new("/proc"), &mut found);
    walk(Path::new("/proc/self"), &mut found);
    walk(Path::new("/sys"), &mut found);
    found.sort();
    found
}

/// What a process has many of, and what leads out of `/proc`.
const SKIPPED: [&str; 8] = [
    "task",
    "fd",
    "fdinfo",
    "map_files",
    "cwd",
    "root",
    "exe",
    "thread-self",
];

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let of_another = folder == Path::new("/proc")
            && name != "1"
            && name.bytes().all(|byte| byte.is_ascii_digit());
        if kind.is_symlink() || of_another || SKIPPED.contains(&&*name) {
            continue;
        }
        if kind.is_dir() {
            walk(&path, found);
            continue;
        }
        let mut options = OpenOptions::new();
        let opened = options
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(&path);
        let metadata = opened.and_then(|file| file.metadata());
        // What is masked is the null device. What nobody may write has nothing that would take it, though root gets to
        // open that, too.
        if metadata.is_ok_and(|found| found.file_type().is_file() && found.mode() & 0o222 != 0) {
            found.push(path.display().to_string());
        }
    }
}
