//! Paths inside of an app's root filesystem, resolved as the app will see them.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, chownat, fstat, mkdirat};
use rustix::io::Errno;

use crate::app::accounts::Accounts;
use crate::app::resolve::{IN_ROOT, STRICT, open_within};
use crate::failure::StartFailure;

/// Largest account file of an image that is read, in bytes.
const ACCOUNT_FILE_MAX: u64 = 4 << 20;

/// A root filesystem that is attached to nothing yet.
#[derive(Debug)]
pub(crate) struct RootFs(pub(crate) OwnedFd);

impl RootFs {
    /// Makes sure that `name` in the root is a directory and not a link to one elsewhere.
    pub(crate) fn mount_point(&self, name: &str) -> Result<(), StartFailure> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match open_within(&self.0, name, flags, Mode::empty(), STRICT) {
            Ok(_) => Ok(()),
            Err(Errno::NOENT) => mkdirat(&self.0, name, Mode::from_raw_mode(0o755)).map_err(
                StartFailure::os(format_args!("make /{name} in the app's root")),
            ),
            Err(Errno::NOTDIR | Errno::LOOP) => Err(StartFailure::other(format!(
                "/{name} in the image is a link or a file, where a directory is needed to mount on"
            ))),
            Err(errno) => Err(StartFailure::os(format_args!(
                "open /{name} in the app's root"
            ))(errno)),
        }
    }

    /// Makes sure that there is a file at `path` to mount on. `false` if the image has something else there.
    pub(crate) fn mount_file(&self, path: &str) -> Result<bool, StartFailure> {
        let found = match open_within(&self.0, path, OFlags::PATH, Mode::empty(), IN_ROOT) {
            Err(Errno::NOENT) => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NONBLOCK;
                open_within(&self.0, path, flags, Mode::from_raw_mode(0o644), IN_ROOT)
            }
            found => found,
        };
        match found.and_then(fstat) {
            Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile),
            // A link into nowhere, a loop, a directory, a path through a file.
            Err(Errno::NOENT | Errno::LOOP | Errno::ISDIR | Errno::NOTDIR | Errno::NXIO) => {
                Ok(false)
            }
            Err(errno) => Err(StartFailure::os(format_args!(
                "open /{path} in the app's root"
            ))(errno)),
        }
    }

    /// Makes the working directory if the image lacks it, owned by the app's user.
    pub(crate) fn workdir(&self, path: &str, uid: u32, gid: u32) -> Result<(), StartFailure> {
        let what = format!("make the working directory {path}");
        if !path.starts_with('/') {
            return Err(StartFailure::other(format!(
                "the working directory `{path}` is not absolute"
            )));
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut so_far = String::new();
        for component in path.split('/').filter(|c| !c.is_empty()) {
            let parent = if so_far.is_empty() {
                "/".to_owned()
            } else {
                so_far.clone()
            };
            so_far = format!("{so_far}/{component}");
            match open_within(&self.0, so_far.as_str(), flags, Mode::empty(), IN_ROOT) {
                Ok(_) => {}
                Err(Errno::NOENT) => {
                    let parent =
                        open_within(&self.0, parent.as_str(), flags, Mode::empty(), IN_ROOT)
                            .map_err(StartFailure::os(&what))?;
                    mkdirat(&parent, component, Mode::from_raw_mode(0o755))
                        .map_err(StartFailure::os(&what))?;
                    let owner = (
                        rustix::fs::Uid::from_raw(uid),
                        rustix::fs::Gid::from_raw(gid),
                    );
                    chownat(
                        &parent,
                        component,
                        Some(owner.0),
                        Some(owner.1),
                        AtFlags::SYMLINK_NOFOLLOW,
                    )
                    .map_err(StartFailure::os(&what))?;
                }
                // A magic link of /proc, say: the app's own view decides when it gets there.
                Err(Errno::LOOP) => return Ok(()),
                Err(errno) => return Err(StartFailure::os(&what)(errno)),
            }
        }
        Ok(())
    }

    /// Reads the image's account files.
    pub(crate) fn accounts(&self) -> Result<Accounts, StartFailure> {
        Ok(Accounts {
            passwd: self.text("etc/passwd")?,
            group: self.text("etc/group")?,
        })
    }

    /// The text of a regular file of the image; empty if there is none.
    fn text(&self, path: &str) -> Result<String, StartFailure> {
        let what = format!("read the image's /{path}");
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match open_within(&self.0, path, flags, Mode::empty(), IN_ROOT) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(String::new()),
            Err(errno) => return Err(StartFailure::os(&what)(errno)),
        };
        let stat = fstat(&file).map_err(StartFailure::os(&what))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(StartFailure::other(format!(
                "cannot {what}: it is not a regular file"
            )));
        }
        let mut bytes = Vec::new();
        File::from(file)
            .take(ACCOUNT_FILE_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(StartFailure::os(&what))?;
        if bytes.len() as u64 > ACCOUNT_FILE_MAX {
            return Err(StartFailure::other(format!(
                "cannot {what}: it is larger than 4 MiB"
            )));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
