//! The label of SELinux, or the profile of AppArmor, that a process gets when it executes its program.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use pod::selinux::Context;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, write};
use rustix::mount::MountAttrFlags;

use crate::app::detached::mount_detached;
use crate::failure::StartFailure;
use crate::protocol::AppSpec;

/// What a security module is told of an app's processes. A kernel has one such module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModuleLabel {
    /// The file of procfs that takes it.
    file: &'static CStr,
    text: CString,
}

/// A label, and a procfs through which it is asked for. Whoever is in a root of an app's sees what the app has made of
/// `/proc` there (CVE-2019-16884), so it is one that no app has ever had.
#[derive(Debug)]
pub(crate) struct ExecLabel<'a> {
    label: &'a ModuleLabel,
    proc: Procfs<'a>,
}

#[derive(Debug)]
enum Procfs<'a> {
    /// The app's, before it is attached anywhere.
    OfApp(BorrowedFd<'a>),
    Own(OwnedFd),
}

impl ModuleLabel {
    /// That of an app, if it has one.
    ///
    /// # Errors
    /// If the kernel can't be told.
    pub(crate) fn of(spec: &AppSpec) -> Result<Option<Self>, StartFailure> {
        let own = spec.security.as_ref();
        let profile = own.and_then(|own| own.apparmor_profile.as_deref());
        Self::with(spec.selinux_label.as_ref(), profile)
    }

    fn with(label: Option<&Context>, profile: Option<&str>) -> Result<Option<Self>, StartFailure> {
        let (file, text) = match (label, profile) {
            // The file of all modules takes what the first one understands; this one is AppArmor's alone.
            (_, Some(profile)) => (c"thread-self/attr/apparmor/exec", format!("exec {profile}")),
            (Some(label), None) => (c"thread-self/attr/exec", label.to_string()),
            (None, None) => return Ok(None),
        };
        let text =
            CString::new(text).map_err(|_| StartFailure::other("a label holds a zero byte"))?;
        Ok(Some(Self { file, text }))
    }

    /// For an app, through its procfs, which nobody has seen yet.
    pub(crate) fn through<'a>(&'a self, proc: BorrowedFd<'a>) -> ExecLabel<'a> {
        let proc = Procfs::OfApp(proc);
        ExecLabel { label: self, proc }
    }

    /// For a command in an app that runs.
    ///
    /// # Errors
    /// If there can be no procfs for it.
    pub(crate) fn of_command(&self) -> Result<ExecLabel<'_>, StartFailure> {
        let guarded = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let proc = Procfs::Own(mount_detached("proc", &[], guarded)?);
        Ok(ExecLabel { label: self, proc })
    }
}

impl ExecLabel<'_> {
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
        let file = openat(proc, self.label.file, flags, Mode::empty())?;
        write(file, self.label.text.to_bytes()).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What is written to a file below `thread-self/attr`.
    fn asked(label: Option<&str>, profile: Option<&str>, file: &str) -> String {
        let proc = tempfile::tempdir().unwrap();
        let path = proc.path().join("thread-self/attr").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let label: Option<Context> = label.map(|text| text.to_owned().try_into().unwrap());
        let label = ModuleLabel::with(label.as_ref(), profile).unwrap().unwrap();
        let proc = fs::File::open(proc.path()).unwrap();
        label.through(proc.as_fd()).request(proc.as_fd()).unwrap();
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn each_module_is_asked_for_its_label_where_and_as_it_takes_it() {
        assert_eq!(asked(None, Some("web"), "apparmor/exec"), "exec web");
        let label = "system_u:system_r:container_t:s0:c1,c2";
        assert_eq!(asked(Some(label), None, "exec"), label);
        assert_eq!(ModuleLabel::with(None, None).unwrap(), None);
    }
}
