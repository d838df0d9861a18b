//! Templates of virtual machines at rest, and which of them nobody needs.
//!
//! The isolator makes them, beside what a machine boots from. What they are is its own business; here stands what it takes
//! to collect them.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// What machines boot from, in the directory of images and pods: a directory for each kernel and pod init.
pub const BOOT_FILES: &str = "kvm";
/// Templates that were booted from that, in such a directory. Names of templates begin with the ID of the host's boot.
pub const FOLDER: &str = "templates";
/// Held with flock(2) by who makes one.
pub const LOCK: &str = "lock";
/// One that is being made, or was.
pub const NEW: &str = "new";
/// How the names of boot files begin that are being made. Held with flock(2) by who makes them.
pub const NEW_BOOT_FILES: &str = "new-";
/// A file of each, whose time of change is that of the last use.
pub const RECORD: &str = "record.json";

/// Removes templates of earlier boots than the one with this ID, those that were not used for this long, and what killed
/// makers left. Machines that run have open what they need.
///
/// # Errors
/// What can't be read or removed; the rest is all the same.
pub fn collect(data: &Path, boot_id: &str, unused: Duration) -> io::Result<()> {
    let folder = data.join(BOOT_FILES);
    let mut result = collect_half_made(&folder);
    for boot_files in entries(&folder)? {
        let collected = collect_in(&boot_files.join(FOLDER), boot_id, unused);
        result = result.and(collected);
    }
    result
}

/// Removes boot files whose makers were killed.
///
/// # Errors
/// What can't be read or removed; the rest is all the same.
pub fn collect_half_made(folder: &Path) -> io::Result<()> {
    let mut result = Ok(());
    for entry in entries(folder)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(NEW_BOOT_FILES) {
            continue;
        }
        let removed = match File::open(&entry) {
            Ok(lock) => match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => fs::remove_dir_all(&entry),
                // Somebody makes them.
                Err(Errno::WOULDBLOCK) => Ok(()),
                Err(errno) => Err(errno.into()),
            },
            Err(error) => Err(error),
        };
        result = result.and(match removed {
            // They are made by now.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        });
    }
    result
}

fn collect_in(folder: &Path, boot_id: &str, unused: Duration) -> io::Result<()> {
    let lock = match File::open(folder.join(LOCK)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        lock => lock?,
    };
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        // Somebody makes one, and tidies up for that.
        Err(Errno::WOULDBLOCK) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    }
    let mut result = Ok(());
    for entry in entries(folder)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        if name == LOCK || is_needed(&entry, &name, boot_id, unused) {
            continue;
        }
        let removed = match fs::remove_dir_all(&entry) {
            // Who found it wrong has removed it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        };
        result = result.and(removed);
    }
    result
}

fn is_needed(template: &Path, name: &str, boot_id: &str, unused: Duration) -> bool {
    let used = || fs::metadata(template.join(RECORD))?.modified();
    let is_used = || {
        used().is_ok_and(|used| {
            let age = SystemTime::now().duration_since(used);
            // A clock that was set back says nothing.
            age.is_ok_and(|age| age < unused)
        })
    };
    name.strip_prefix(boot_id)
        .is_some_and(|rest| rest.starts_with('.'))
        && is_used()
}

fn entries(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn boot_files_go_whose_maker_was_killed() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join(BOOT_FILES);
        let [made, dead, alive] = ["hex", "new-1", "new-2"].map(|name| folder.join(name));
        for place in [&made, &dead, &alive] {
            fs::create_dir_all(place).unwrap();
            fs::write(place.join("vmlinux"), "").unwrap();
        }
        let lock = File::open(&alive).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        collect(data.path(), "now", DAY).unwrap();
        assert!(made.exists() && !dead.exists() && alive.exists());
    }

    #[test]
    fn what_is_old_unused_or_half_made_goes_and_the_rest_stays() {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().join(BOOT_FILES).join("hex").join(FOLDER);
        let make = |name: &str, age: Duration| {
            let template = folder.join(name);
            fs::create_dir_all(&template).unwrap();
            let record = File::create(template.join(RECORD)).unwrap();
            record.set_modified(SystemTime::now() - age).unwrap();
        };
        for (name, age) in [
            ("now.used", Duration::ZERO),
            ("now.unused", 2 * DAY),
            ("earlier.used", Duration::ZERO),
            ("nowhere", Duration::ZERO),
        ] {
            make(name, age);
        }
        fs::create_dir(folder.join(NEW)).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        let lock = File::create(folder.join(LOCK)).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let names = || {
            let mut names: Vec<_> = entries(&folder).unwrap();
            names.sort();
            let names = names.iter().map(|path| path.file_name().unwrap());
            names
                .map(|name| name.to_owned().into_string().unwrap())
                .collect::<Vec<_>>()
        };
        collect(data.path(), "now", DAY).unwrap();
        assert_eq!(names().len(), 7, "somebody makes one: {:?}", names());
        drop(lock);
        // A file is none of these, and can't be removed as one.
        assert!(collect(data.path(), "now", DAY).is_err());
        assert_eq!(names(), ["file", "lock", "now.used"]);
        // Where there are none, there is nothing to do.
        collect(tempfile::tempdir().unwrap().path(), "now", DAY).unwrap();
    }
}
