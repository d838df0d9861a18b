//! What is at a path, as a tar stream.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, fstatfs, openat, readlinkat, statat,
};
use rustix::io::Errno;

use crate::error::CopyError;
use crate::header::{TarStream, What};
use crate::left_out::LeftOut;

/// Directories within directories that are gone into. Each takes a descriptor.
const DEPTH_MAX: usize = 200;
/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// What was no regular file when it was looked at may be one now: nothing is waited for.
const CONTENT: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// What is to be sent.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it is. With `/.` or `/` at the end it is a directory, and a link to one is followed.
    pub path: PathBuf,
    /// Whether the path may be a symbolic link to what is meant.
    pub follow: bool,
}

impl Source {
    /// Whether a directory's content is meant, without the directory: the path ends with `/.`.
    #[must_use]
    pub fn is_content(&self) -> bool {
        let bytes = self.path.as_os_str().as_bytes();
        bytes == b"." || bytes.ends_with(b"/.") || self.name().is_none()
    }

    /// The last name of the path, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&OsStr> {
        self.path.file_name()
    }

    fn names_directory(&self) -> bool {
        let bytes = self.path.as_os_str().as_bytes();
        bytes.ends_with(b"/") || self.is_content()
    }
}

/// Writes what is there as a tar stream: the first member is what was asked for, all others are below it. `left_out` is
/// told of what is not.
///
/// # Errors
/// If it can't be read, or nobody takes it.
pub fn send(
    source: &Source,
    out: impl Write,
    left_out: &mut dyn FnMut(&Path, LeftOut),
) -> Result<(), CopyError> {
    let mut sender = Sender {
        tar: TarStream::new(out),
        left_out,
    };
    sender.source(source)?;
    let Sender { tar, .. } = sender;
    tar.finish().map_err(CopyError::io("send", &source.path))
}

/// Most that is read of a file of the kernel's, in bytes: one may have no end.
const KERNEL_FILE_MAX: u64 = 16 << 20;

/// Filesystems (`linux/magic.h`) whose files are the kernel's: proc, sysfs, both versions of cgroups, debugfs, tracefs, bpf,
/// securityfs, and that of SELinux.
const OF_KERNEL: [u32; 9] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0xcafe_4a11,
    0x7363_6673,
    0xf97c_ff8c,
];

fn is_of_kernel(file: &impl AsFd) -> bool {
    fstatfs(file).is_ok_and(|found| {
        u32::try_from(found.f_type).is_ok_and(|magic| OF_KERNEL.contains(&magic))
    })
}

struct Sender<'a, W: Write> {
    tar: TarStream<W>,
    left_out: &'a mut dyn FnMut(&Path, LeftOut),
}

/// A directory that is being sent.
struct Level {
    directory: OwnedFd,
    entries: Dir,
    path: PathBuf,
}

impl<W: Write> Sender<'_, W> {
    fn source(&mut self, source: &Source) -> Result<(), CopyError> {
        let path = &source.path;
        let follow = source.follow || source.names_directory();
        let flags = match follow {
            true => AtFlags::empty(),
            false => AtFlags::SYMLINK_NOFOLLOW,
        };
        let stat = statat(CWD, path, flags).map_err(CopyError::errno("find", path))?;
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if source.names_directory() && !is_directory {
            return Err(CopyError::Contents(path.clone()));
        }
        let name = match source.is_content() {
            true => Path::new("."),
            false => Path::new(source.name().unwrap_or_default()),
        };
        let nofollow = match follow {
            true => OFlags::empty(),
            false => OFlags::NOFOLLOW,
        };
        if is_directory {
            let flags = DIRECTORY.difference(OFlags::NOFOLLOW).union(nofollow);
            let directory = openat(CWD, path, flags, Mode::empty());
            let directory = directory.map_err(CopyError::errno("open", path))?;
            return self.tree(directory, name);
        }
        let open = || {
            let flags = CONTENT.difference(OFlags::NOFOLLOW).union(nofollow);
            openat(CWD, path, flags, Mode::empty())
        };
        let link = || readlinkat(CWD, path, Vec::new()).map(|link| link.to_bytes().to_vec());
        let before = |path: &Path, why| CopyError::InTheWay {
            path: path.to_path_buf(),
            why,
        };
        match self.member(name, &stat, open, link)? {
            None => Ok(()),
            Some(why) => Err(before(path, why.in_words())),
        }
    }

    /// Sends what is no directory; why it is left out, if it is.
    fn member(
        &mut self,
        path: &Path,
        stat: &Stat,
        open: impl FnOnce() -> Result<OwnedFd, Errno>,
        link: impl FnOnce() -> Result<Vec<u8>, Errno>,
    ) -> Result<Option<LeftOut>, CopyError> {
        let name = path.as_os_str().as_bytes();
        let sent = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let file = match open() {
                    Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::STALE) => {
                        return Ok(Some(LeftOut::Gone));
                    }
                    opened => opened.map_err(CopyError::errno("open", path))?,
                };
                let stat = fstat(&file).map_err(CopyError::errno("look at", path))?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                    return Ok(Some(LeftOut::Gone));
                }
                let file = File::from(file);
                let sent = match is_of_kernel(&file) {
                    true => self.kernel_file(path, &stat, file),
                    false => self.file(path, &stat, file),
                };
                return sent.map(|()| None);
            }
            FileType::Symlink => match link() {
                Err(Errno::NOENT | Errno::INVAL) => return Ok(Some(LeftOut::Gone)),
                target => {
                    let target = target.map_err(CopyError::errno("read the link", path))?;
                    self.tar.begin(name, What::Symlink(&target), stat)
                }
            },
            FileType::Fifo => self.tar.begin(name, What::Fifo, stat),
            FileType::Socket => return Ok(Some(LeftOut::Socket)),
            _ => return Ok(Some(LeftOut::Device)),
        };
        sent.map_err(CopyError::io("send", path))?;
        Ok(None)
    }

    /// What the kernel says of itself in a file, which has no size before it is read.
    fn kernel_file(&mut self, path: &Path, stat: &Stat, file: File) -> Result<(), CopyError> {
        let mut text = Vec::new();
        file.take(KERNEL_FILE_MAX)
            .read_to_end(&mut text)
            .map_err(CopyError::io("read", path))?;
        let size = text.len() as u64;
        let name = path.as_os_str().as_bytes();
        self.tar
            .begin(name, What::File(size), stat)
            .and_then(|()| self.tar.data(&text))
            .and_then(|()| self.tar.pad(size))
            .map_err(CopyError::io("send", path))
    }

    /// As many bytes as it has now: of one that grows meanwhile the beginning, of one that shrinks zeros for what is gone.
    fn file(&mut self, path: &Path, stat: &Stat, mut file: File) -> Result<(), CopyError> {
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let begun = self
            .tar
            .begin(path.as_os_str().as_bytes(), What::File(size), stat);
        begun.map_err(CopyError::io("send", path))?;
        let mut buffer = vec![0; CHUNK];
        let mut left = size;
        let mut is_ended = false;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let room = buffer.get_mut(..wanted).unwrap_or_default();
            let count = match is_ended {
                true => 0,
                false => match file.read(room) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    read => read.map_err(CopyError::io("read", path))?,
                },
            };
            if count == 0 {
                is_ended = true;
                room.fill(0);
            }
            let count = if count == 0 { room.len() } else { count };
            let data = room.get(..count).unwrap_or_default();
            self.tar.data(data).map_err(CopyError::io("send", path))?;
            left -= count as u64;
        }
        self.tar.pad(size).map_err(CopyError::io("send", path))
    }

    fn tree(&mut self, directory: OwnedFd, name: &Path) -> Result<(), CopyError> {
        let mut levels = vec![self.enter(directory, name.to_path_buf())?];
        while let Some(level) = levels.last_mut() {
            let entry = match level.entries.next() {
                None => {
                    levels.pop();
                    continue;
                }
                Some(entry) => entry.map_err(CopyError::errno("list", &level.path))?,
            };
            let file_name = entry.file_name();
            if matches!(file_name.to_bytes(), b"." | b"..") {
                continue;
            }
            let path = level.path.join(OsStr::from_bytes(file_name.to_bytes()));
            let Some(directory) = self.entry(&level.directory, file_name, &path)? else {
                continue;
            };
            if levels.len() >= DEPTH_MAX {
                (self.left_out)(&path, LeftOut::Deep);
                continue;
            }
            let is_of_kernel = is_of_kernel(&directory);
            let level = self.enter(directory, path)?;
            match is_of_kernel {
                true => (self.left_out)(&level.path, LeftOut::Kernel),
                false => levels.push(level),
            }
        }
        Ok(())
    }

    /// Sends an entry of a directory, or gives it if it is a directory itself.
    fn entry(
        &mut self,
        parent: &OwnedFd,
        name: &CStr,
        path: &Path,
    ) -> Result<Option<OwnedFd>, CopyError> {
        let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {
                (self.left_out)(path, LeftOut::Gone);
                return Ok(None);
            }
            stat => stat.map_err(CopyError::errno("look at", path))?,
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return match openat(parent, name, DIRECTORY, Mode::empty()) {
                Ok(directory) => Ok(Some(directory)),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                    (self.left_out)(path, LeftOut::Gone);
                    Ok(None)
                }
                Err(errno) => Err(CopyError::errno("open", path)(errno)),
            };
        }
        let open = || openat(parent, name, CONTENT, Mode::empty());
        let link = || readlinkat(parent, name, Vec::new()).map(|link| link.to_bytes().to_vec());
        if let Some(why) = self.member(path, &stat, open, link)? {
            (self.left_out)(path, why);
        }
        Ok(None)
    }

    fn enter(&mut self, directory: OwnedFd, path: PathBuf) -> Result<Level, CopyError> {
        let stat = fstat(&directory).map_err(CopyError::errno("look at", &path))?;
        let name = path.as_os_str().as_bytes();
        let begun = self.tar.begin(name, What::Directory, &stat);
        begun.map_err(CopyError::io("send", &path))?;
        let entries = Dir::read_from(directory.as_fd());
        let entries = entries.map_err(CopyError::errno("list", &path))?;
        Ok(Level {
            directory,
            entries,
            path,
        })
    }
}
