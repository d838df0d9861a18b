//! Paths inside of an app's root filesystem, resolved as the app will see them.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, chownat, fstat, mkdirat,
};
use rustix::io::Errno;

use crate::app::resolve::{IN_OWN_ROOT, IN_ROOT, STRICT, open_within};
use crate::failure::StartFailure;
use pod::accounts::Accounts;

/// Largest account file of an image that is read, in bytes.
const ACCOUNT_FILE_MAX: u64 = 4 << 20;

/// How a directory is opened that is only a place to go on from.
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

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
        match self.directory(path) {
            // A magic link of /proc, say: the app's own view decides when it gets there.
            Ok(_) | Err(Errno::LOOP) => Ok(()),
            Err(Errno::NOENT) => self
                .make_all(path, uid, gid)
                .map_err(StartFailure::os(&what)),
            Err(errno) => Err(StartFailure::os(&what)(errno)),
        }
    }

    /// Makes what is missing of a directory. Each step begins where the last one ended, for the longest path would else
    /// be walked some thousand times; only links and `..`, which lead to other places, are followed from the root.
    fn make_all(&self, path: &str, uid: u32, gid: u32) -> Result<(), Errno> {
        let mut at = self.directory("/")?;
        let mut end = 0;
        for component in path.split('/') {
            // Of what has been walked, with the slash behind the component.
            end += component.len() + 1;
            if component.is_empty() || component == "." {
                continue;
            }
            let next = match component {
                ".." => Err(Errno::LOOP),
                name => open_within(&at, name, DIRECTORY, Mode::empty(), STRICT),
            };
            at = match next {
                Err(Errno::LOOP) => match self.directory(path.get(..end - 1).unwrap_or(path)) {
                    Err(Errno::LOOP) => return Ok(()),
                    followed => followed?,
                },
                Err(Errno::NOENT) => make_directory(&at, component, uid, gid)?,
                found => found?,
            };
        }
        Ok(())
    }

    fn directory(&self, path: &str) -> Result<OwnedFd, Errno> {
        open_within(&self.0, path, DIRECTORY, Mode::empty(), IN_ROOT)
    }

    /// Reads the image's account files.
    pub(crate) fn accounts(&self) -> Result<Accounts, StartFailure> {
        self.accounts_by(IN_ROOT)
    }

    /// The same of an app that runs. What is mounted there is not entered: it may be a filesystem that doesn't answer.
    pub(crate) fn own_accounts(&self) -> Result<Accounts, StartFailure> {
        self.accounts_by(IN_OWN_ROOT)
    }

    fn accounts_by(&self, resolve: ResolveFlags) -> Result<Accounts, StartFailure> {
        Ok(Accounts {
            passwd: self.text("etc/passwd", resolve)?,
            group: self.text("etc/group", resolve)?,
        })
    }

    /// The text of a regular file of the image; empty if there is none.
    fn text(&self, path: &str, resolve: ResolveFlags) -> Result<String, StartFailure> {
        let what = format!("read the image's /{path}");
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match open_within(&self.0, path, flags, Mode::empty(), resolve) {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(String::new()),
            Err(Errno::XDEV) => {
                return Err(StartFailure::other(format!(
                    "cannot {what}: something is mounted there; name user and group by number"
                )));
            }
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

/// Makes a directory of this owner, and opens it.
fn make_directory(parent: &OwnedFd, name: &str, uid: u32, gid: u32) -> Result<OwnedFd, Errno> {
    mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    chownat(
        parent,
        name,
        Some(uid),
        Some(gid),
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    open_within(parent, name, DIRECTORY, Mode::empty(), STRICT)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    fn root() -> (tempfile::TempDir, RootFs) {
        let folder = tempfile::tempdir().unwrap();
        let root = RootFs(File::open(folder.path()).unwrap().into());
        (folder, root)
    }

    fn make(root: &RootFs, path: &str) -> Result<(), StartFailure> {
        let owner = (rustix::process::getuid(), rustix::process::getgid());
        root.workdir(path, owner.0.as_raw(), owner.1.as_raw())
    }

    #[test]
    fn a_working_directory_is_made_where_the_links_of_the_image_lead() {
        let (folder, root) = root();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        symlink("/a", at("a/b/absolute")).unwrap();
        symlink("../../../../../a", at("a/b/up")).unwrap();
        for (asked, made) in [
            ("/x/y//z/", "x/y/z"),
            ("/a/b/absolute/one", "a/one"),
            ("/a/b/up/two/./three", "a/two/three"),
            ("/a/b/absolute/../four", "four"),
            ("/../../five/six/../seven", "five/seven"),
        ] {
            make(&root, asked).unwrap();
            assert!(at(made).is_dir(), "{asked}");
        }
        assert!(at("five/six").is_dir());
    }

    #[test]
    fn what_is_no_directory_is_refused_and_a_loop_left_to_the_app() {
        let (folder, root) = root();
        std::fs::write(folder.path().join("file"), "").unwrap();
        symlink("loop", folder.path().join("loop")).unwrap();
        symlink("nowhere", folder.path().join("dangling")).unwrap();
        for refused in ["/file", "/file/x", "/dangling", "/dangling/x", "relative"] {
            assert!(make(&root, refused).is_err(), "{refused}");
        }
        make(&root, "/loop/x").unwrap();
        assert!(!folder.path().join("nowhere").exists());
    }

    /// Processor time of this thread, whatever else the machine does.
    fn spent() -> Duration {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        let nanoseconds = text.split(' ').next().unwrap();
        Duration::from_nanos(nanoseconds.parse().unwrap())
    }

    #[test]
    fn the_longest_working_directory_is_made_soon() {
        let (_folder, root) = root();
        let before = spent();
        make(&root, &"/z".repeat(2040)).unwrap();
        let spent = spent() - before;
        assert!(spent < Duration::from_secs(2), "{spent:?}");
    }
}
