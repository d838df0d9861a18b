//! One cgroup: a directory whose files are read and written.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::error::CgroupError;

/// Makes a cgroup. `false` if it was there already.
pub(super) fn make(path: &Path) -> Result<bool, CgroupError> {
    match DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(CgroupError::io("create the cgroup", path)(e)),
    }
}

pub(super) fn open(path: &Path, flags: OFlags) -> Result<OwnedFd, CgroupError> {
    openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty()).map_err(CgroupError::io("open", path))
}

/// The text of one of its files, or of one of those in `/proc` that speak of it.
pub(super) fn read(path: &Path) -> Result<String, CgroupError> {
    // Such files say nothing of their size, and with room for little the kernel would be asked again and again.
    let mut text = String::with_capacity(16 << 10);
    let read = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    read.map_err(CgroupError::io("read", path))?;
    Ok(text)
}

/// Writes to one of its files, which is there.
pub(super) fn write(path: &Path, text: &str) -> Result<(), CgroupError> {
    let mut options = OpenOptions::new();
    let opened = options.write(true).truncate(true).open(path);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(CgroupError::io("write to", path))
}

/// Moves a process into a cgroup. One that has ended meanwhile is where it belongs.
pub(super) fn move_process(pid: &str, to: &Path) -> Result<(), CgroupError> {
    match write(&to.join("cgroup.procs"), pid) {
        Err(CgroupError::Io { source, .. })
            if source.raw_os_error() == Some(Errno::SRCH.raw_os_error()) =>
        {
            Ok(())
        }
        other => other,
    }
}
