//! Credentials of a service, as an app has them: files in memory that no kernel swaps out.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use pod::manifest::CredentialName;
use pod::selinux::Context;
use rustix::fs::{CWD, FileType, Gid, Mode, OFlags, Uid, fchown, fstat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

use crate::app::detached::CONTEXT;
use crate::failure::StartFailure;

/// Longest credential, in bytes, as systemd has it.
const SIZE_MAX: u64 = 1 << 20;

/// These credentials from where the manager has them, in a filesystem that is attached to nothing. The pod's root owns it:
/// whoever starts the app gives it to the app's user, and lets nobody write any more.
///
/// # Errors
/// Which of them can't be had, and why.
pub(crate) fn detached(
    directory: Option<&Path>,
    names: &[CredentialName],
    (uid, gid): (Uid, Gid),
    label: Option<&Context>,
) -> Result<OwnedFd, StartFailure> {
    let directory = directory
        .ok_or_else(|| StartFailure::other("no service manager hands the pod credentials"))?;
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let from = openat(CWD, directory, flags, Mode::empty()).map_err(StartFailure::os(
        format_args!("open the credentials in {}", directory.display()),
    ))?;
    let made = empty(label).and_then(|made| {
        // What a mount is made with can't be opened for reading itself.
        let root = openat(&made, ".", flags, Mode::empty())?;
        fchown(&root, Some(uid), Some(gid)).map(|()| (made, root))
    });
    let (made, root) = made.map_err(StartFailure::os("make a place for credentials"))?;
    for name in names {
        let content = read(&from, name)?;
        let failed = |error: std::io::Error| {
            StartFailure::os(format_args!("hand the credential {name} over"))(error)
        };
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(&root, name.as_str(), flags, Mode::from_raw_mode(0o400));
        let file = file.and_then(|file| fchown(&file, Some(uid), Some(gid)).map(|()| file));
        let mut file = std::fs::File::from(file.map_err(|errno| failed(errno.into()))?);
        file.write_all(&content).map_err(failed)?;
    }
    Ok(made)
}

fn empty(label: Option<&Context>) -> Result<OwnedFd, Errno> {
    let context = fsopen("ramfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let context = context.as_fd();
    fsconfig_set_string(context, "mode", "500")?;
    if let Some(label) = label {
        fsconfig_set_string(context, CONTEXT, label.to_string())?;
    }
    fsconfig_create(context)?;
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    fsmount(context, flags, MountAttrFlags::empty())
}

fn read(directory: &OwnedFd, name: &CredentialName) -> Result<Vec<u8>, StartFailure> {
    let failed =
        |why: String| StartFailure::other(format!("cannot read the credential {name}: {why}"));
    // A pipe in its place keeps nobody waiting.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(directory, name.as_str(), flags, Mode::empty())
        .and_then(|file| Ok((fstat(&file)?.st_mode, file)));
    let (mode, file) = file.map_err(|errno| failed(errno.to_string()))?;
    if FileType::from_raw_mode(mode) != FileType::RegularFile {
        return Err(failed("it is not a regular file".to_owned()));
    }
    let mut content = Vec::new();
    let file = std::fs::File::from(file);
    let read = file.take(SIZE_MAX + 1).read_to_end(&mut content);
    read.map_err(|error| failed(error.to_string()))?;
    match content.len() as u64 > SIZE_MAX {
        true => Err(failed("it is longer than 1 MiB".to_owned())),
        false => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{getgid, getuid};

    fn name(text: &str) -> CredentialName {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_credential_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        std::fs::create_dir(path.join("directory")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path.join("link")).unwrap();
        std::fs::write(path.join("long"), vec![b'x'; (1 << 20) + 1]).unwrap();
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(CWD, path.join("pipe"), FileType::Fifo, mode, 0).unwrap();
        let root: OwnedFd = std::fs::File::open(path).unwrap().into();
        for (text, why) in [
            ("missing", "No such file"),
            ("directory", "not a regular file"),
            ("pipe", "not a regular file"),
            ("link", "Too many"),
            ("long", "1 MiB"),
        ] {
            let error = read(&root, &name(text)).unwrap_err();
            assert!(error.message.contains(why), "{error}");
        }
        let own = (getuid(), getgid());
        let error = detached(None, &[name("a")], own, None).unwrap_err();
        assert!(error.message.contains("no service manager"), "{error}");
    }
}
