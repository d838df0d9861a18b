//! The label of SELinux that a process gets when it executes its program.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pod::selinux::Context;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, write};
use rustix::mount::MountAttrFlags;

use crate::app::detached::mount_detached;
use crate::failure::StartFailure;

/// A label, and a procfs through which it is asked for. Whoever is in a root of an app's sees what the app has made of
/// `/proc` there (CVE-2019-16884), so it is one that no app has ever had.
#[derive(Debug)]
pub(crate) struct ExecLabel<'a> {
    label: CString,
    proc: Procfs<'a>,
}

#[derive(Debug)]
enum Procfs<'a> {
    /// The app's, before it is attached anywhere.
    OfApp(BorrowedFd<'a>),
    Own(OwnedFd),
}

impl<'a> ExecLabel<'a> {
    /// For an app, whose procfs nobody has seen yet.
    pub(crate) fn of_app(
        label: Option<&Context>,
        proc: BorrowedFd<'a>,
    ) -> Result<Option<Self>, StartFailure> {
        let with = |label| {
            let label = text(label)?;
            let proc = Procfs::OfApp(proc);
            Ok(Self { label, proc })
        };
        label.map(with).transpose()
    }

    /// For a command in an app that runs.
    pub(crate) fn of_command(label: Option<&Context>) -> Result<Option<Self>, StartFailure> {
        let with = |label| {
            let guarded = MountAttrFlags::MOUNT_ATTR_NOSUID
                | MountAttrFlags::MOUNT_ATTR_NODEV
                | MountAttrFlags::MOUNT_ATTR_NOEXEC;
            let label = text(label)?;
            let proc = Procfs::Own(mount_detached("proc", &[], guarded)?);
            Ok(Self { label, proc })
        };
        label.map(with).transpose()
    }

    /// The procfs through which it is asked for.
    pub(crate) fn procfs(&self) -> BorrowedFd<'_> {
        match &self.proc {
            Procfs::OfApp(proc) => *proc,
            Procfs::Own(proc) => proc.as_fd(),
        }
    }

    /// Asks the kernel for it, as of the next program that this thread executes. System calls only: for use between clone
    /// and exec.
    pub(crate) fn request(&self, proc: BorrowedFd<'_>) -> Result<(), Errno> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(proc, c"thread-self/attr/exec", flags, Mode::empty())?;
        write(file, self.label.to_bytes()).map(drop)
    }
}

fn text(label: &Context) -> Result<CString, StartFailure> {
    CString::new(label.to_string()).map_err(|_| StartFailure::other("a label holds a zero byte"))
}
