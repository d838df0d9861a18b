//! The one place of this crate that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};

/// Takes ownership of a descriptor that a parent or an earlier program image handed down under a number, and marks it
/// close-on-exec. That is possible once for a number.
///
/// # Errors
/// EBADF if it is a standard stream, is not open, or belongs to somebody in this program: what that has opened or taken
/// over is close-on-exec, which nothing is that has come through exec.
pub fn adopt_fd(number: RawFd) -> Result<OwnedFd, Errno> {
    if number <= 2 {
        return Err(Errno::BADF);
    }
    // SAFETY: borrowed for two calls, which fail if the number isn't open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl_getfd(borrowed)?;
    if flags.contains(FdFlags::CLOEXEC) {
        return Err(Errno::BADF);
    }
    fcntl_setfd(borrowed, flags | FdFlags::CLOEXEC)?;
    // SAFETY: the flag has said that nobody in this program owns it, and says from now on that somebody does.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Whether a descriptor of this number is open.
pub(crate) fn is_open(number: RawFd) -> bool {
    // SAFETY: asks about a number and changes nothing.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

/// Makes a write to a pipe that nobody reads an error.
pub(crate) fn ignore_closed_pipes() {
    // SAFETY: no code of ours runs as a handler. It can't fail for this signal.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// What the kernel keeps of a file beside its mode (`linux/fs.h`).
#[repr(C)]
#[derive(Debug, Default)]
struct FsXattr {
    xflags: u32,
    extsize: u32,
    nextents: u32,
    projid: u32,
    cowextsize: u32,
    pad: [u8; 8],
}

// From `linux/fs.h`: `_IOR('X', 31, struct fsxattr)` and `_IOW('X', 32, struct fsxattr)`.
const FS_IOC_FSGETXATTR: u32 = 0x801c_581f;
const FS_IOC_FSSETXATTR: u32 = 0x401c_5820;
/// What is made in a directory is of its project.
const FS_XFLAG_PROJINHERIT: u32 = 0x200;

// From `linux/quota.h` and `linux/dqblk_xfs.h`.
const PRJQUOTA: u32 = 2;
const Q_GETQUOTA: u32 = 0x80_0007;
const Q_SETQUOTA: u32 = 0x80_0008;
const Q_XGETQSTAT: u32 = 0x5805;
const FS_QUOTA_PDQ_ENFD: u16 = 1 << 5;
/// The limits of space are what is set.
const QIF_BLIMITS: u32 = 1;
/// The kernel counts limits in these, and use in bytes.
const BLOCK: u64 = 1024;

/// What a project takes of a filesystem, and how it is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProjectUsage {
    /// Space on the disk, in bytes.
    pub(crate) bytes: u64,
    files: u64,
    limited: bool,
}

impl ProjectUsage {
    /// Whether nothing has the project's ID.
    pub(crate) fn is_none(self) -> bool {
        self.bytes == 0 && self.files == 0 && !self.limited
    }
}

fn check(answer: i64) -> Result<(), Errno> {
    match answer {
        -1 => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)),
        _ => Ok(()),
    }
}

/// Makes a directory, and what will be made in it, a part of a project.
pub(crate) fn give_project(directory: BorrowedFd<'_>, project: u32) -> Result<(), Errno> {
    let number = directory.as_raw_fd();
    let mut attributes = FsXattr::default();
    // SAFETY: the kernel writes a `struct fsxattr` there, which this is.
    check(unsafe { libc::ioctl(number, FS_IOC_FSGETXATTR as _, &raw mut attributes) }.into())?;
    attributes.projid = project;
    attributes.xflags |= FS_XFLAG_PROJINHERIT;
    // SAFETY: the kernel reads the same.
    check(unsafe { libc::ioctl(number, FS_IOC_FSSETXATTR as _, &raw const attributes) }.into())
}

/// What a project takes of the filesystem of an open file. `None` if the filesystem has never heard of it.
pub(crate) fn project_usage(
    file: BorrowedFd<'_>,
    project: u32,
) -> Result<Option<ProjectUsage>, Errno> {
    // SAFETY: a structure of numbers.
    let mut quota: libc::dqblk = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes a `struct if_dqblk` there, which this is.
    match unsafe { quotactl(file, Q_GETQUOTA, project, &raw mut quota) } {
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
        Ok(()) => Ok(Some(ProjectUsage {
            bytes: quota.dqb_curspace,
            files: quota.dqb_curinodes,
            limited: quota.dqb_bhardlimit != 0
                || quota.dqb_bsoftlimit != 0
                || quota.dqb_ihardlimit != 0
                || quota.dqb_isoftlimit != 0,
        })),
    }
}

/// Limits what a project takes of the filesystem of an open file; 0 is no limit.
pub(crate) fn limit_project(file: BorrowedFd<'_>, project: u32, bytes: u64) -> Result<(), Errno> {
    // SAFETY: a structure of numbers.
    let mut quota: libc::dqblk = unsafe { std::mem::zeroed() };
    quota.dqb_bhardlimit = bytes.div_ceil(BLOCK);
    quota.dqb_valid = QIF_BLIMITS;
    // SAFETY: the kernel reads a `struct if_dqblk` there, which this is.
    unsafe { quotactl(file, Q_SETQUOTA, project, &raw mut quota) }
}

/// Whether the filesystem of an open file holds projects to their limits.
pub(crate) fn enforces_projects(file: BorrowedFd<'_>) -> Result<bool, Errno> {
    // A `struct fs_quota_stat` has 80 bytes: version, a byte of padding, and then the flags.
    let mut state = [0_u64; 16];
    // SAFETY: there is room for the whole structure, and its alignment.
    unsafe { quotactl(file, Q_XGETQSTAT, 0, &raw mut state) }?;
    let [first, ..] = state;
    let [_, _, low, high, ..] = first.to_ne_bytes();
    Ok(u16::from_ne_bytes([low, high]) & FS_QUOTA_PDQ_ENFD != 0)
}

/// quotactl_fd(2), of projects.
///
/// # Safety
/// `data` must be what the command reads or writes.
unsafe fn quotactl<T>(
    file: BorrowedFd<'_>,
    command: u32,
    project: u32,
    data: *mut T,
) -> Result<(), Errno> {
    let command = command << 8 | PRJQUOTA;
    // SAFETY: as the caller says.
    check(unsafe {
        libc::syscall(
            libc::SYS_quotactl_fd,
            file.as_raw_fd(),
            command,
            project,
            data,
        )
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsRawFd, IntoRawFd};

    use super::*;

    #[test]
    fn what_came_through_exec_is_taken_once_and_what_was_opened_here_never() {
        let own = OwnedFd::from(tempfile::tempfile().unwrap());
        assert_eq!(adopt_fd(own.as_raw_fd()).unwrap_err(), Errno::BADF);
        for number in [-1, 0, 2, 987_654] {
            assert_eq!(adopt_fd(number).unwrap_err(), Errno::BADF, "{number}");
        }
        fcntl_setfd(&own, FdFlags::empty()).unwrap();
        let adopted = adopt_fd(own.into_raw_fd()).unwrap();
        assert_eq!(adopt_fd(adopted.as_raw_fd()).unwrap_err(), Errno::BADF);
    }
}
