//! Files made of a tar stream.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use image_layer::{ContentError, Kind, Limits, Member, Segment, Time, Walk};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, chownat,
    fchmod, fchown, futimens, linkat, mkdirat, mknodat, openat, statat, symlinkat, unlinkat,
    utimensat,
};
use rustix::io::Errno;

use crate::error::CopyError;
use crate::left_out::LeftOut;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const NEW: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Permission bits that give no rights of the owner to whoever runs a program.
const PLAIN_BITS: u32 = 0o1777;

/// Where what comes goes.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// A path of this machine, there or not.
    pub path: PathBuf,
    /// What is meant to come.
    pub of: Sent,
}

/// What is meant to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// A file or directory of this name.
    Named(PathBuf),
    /// What is in a directory.
    Content,
    /// A tar file, to be unpacked into a directory that is there.
    Archive,
}

/// What is made of members.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Whether files get the owners that the stream names. Else they are of whoever makes them.
    pub owners: bool,
    /// Whether what comes is trusted as far as whoever makes files of it: hard links are made, and programs may run as their
    /// owner.
    pub trusted: bool,
    /// How much may come.
    pub limits: Limits,
}

/// A directory that was made, and gets its mode and time once all is in it.
struct Made {
    components: Vec<Vec<u8>>,
    mode: u32,
    owner: (u32, u32),
    time: Time,
}

/// Makes files of a stream.
pub struct Receiver<'a> {
    rules: &'a Rules,
    left_out: &'a mut dyn FnMut(&Path, LeftOut),
    base: OwnedFd,
    /// For messages.
    base_path: PathBuf,
    names: Names,
    made: Vec<Made>,
}

/// What becomes of the first name of each member.
enum Names {
    /// It stays: members are below the base.
    Same,
    /// It is another one. All have to have the first one's.
    Replaced { first: Vec<u8>, by: Vec<u8> },
}

impl<'a> Receiver<'a> {
    /// Makes files of all that comes. `left_out` is told of what is not.
    ///
    /// # Errors
    /// If that is no tar stream, or something can't be made. What was made stays.
    pub fn receive(
        arrival: &Arrival,
        input: impl BufRead,
        rules: &'a Rules,
        left_out: &'a mut dyn FnMut(&Path, LeftOut),
    ) -> Result<(), CopyError> {
        let mut walk = Walk::new(input, "what comes", &rules.limits);
        let mut member = match walk.next_member()? {
            Some(member) => member,
            None if arrival.of == Sent::Archive => {
                place(arrival, true, &[])?;
                return Ok(());
            }
            None => return Err(CopyError::Nothing),
        };
        let first = member.path.components().next().unwrap_or_default().to_vec();
        let (base, base_path, names) = place(arrival, member.kind == Kind::Folder, &first)?;
        let mut receiver = Self {
            rules,
            left_out,
            base,
            base_path,
            names,
            made: Vec::new(),
        };
        loop {
            receiver.member(&member, &mut walk)?;
            match walk.next_member()? {
                Some(next) => member = next,
                None => break,
            }
        }
        walk.finish()?;
        receiver.close()
    }

    fn shown(&self, components: &[Vec<u8>]) -> PathBuf {
        let mut path = self.base_path.clone();
        path.extend(components.iter().map(|name| OsStr::from_bytes(name)));
        path
    }

    /// Where a member goes.
    fn components(&self, member: &[u8]) -> Result<Vec<Vec<u8>>, CopyError> {
        let mut all: Vec<Vec<u8>> = member
            .split(|byte| *byte == b'/')
            .filter(|name| !name.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        if let Names::Replaced { first, by } = &self.names {
            match all.first_mut() {
                Some(name) if name == first => name.clone_from(by),
                _ => return Err(CopyError::Stray(Path::new(OsStr::from_bytes(first)).into())),
            }
        }
        Ok(all)
    }

    /// Opens a directory below the base, through no link. What is missing is made.
    fn directory(&self, components: &[Vec<u8>]) -> Result<OwnedFd, CopyError> {
        let base = openat(&self.base, ".", DIRECTORY, Mode::empty());
        let mut at = base.map_err(CopyError::errno("open", &self.base_path))?;
        for (depth, name) in (1..).zip(components) {
            let path = || self.shown(components.get(..depth).unwrap_or_default());
            let open = |at: &OwnedFd| openat(at, name.as_slice(), DIRECTORY, Mode::empty());
            at = match open(&at) {
                Err(Errno::NOENT) => {
                    let made = mkdirat(&at, name.as_slice(), Mode::from_raw_mode(0o755));
                    made.map_err(CopyError::errno("make", path()))?;
                    open(&at).map_err(CopyError::errno("open", path()))?
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    return Err(CopyError::InTheWay {
                        path: path(),
                        why: "it is no directory, and nothing is written through links",
                    });
                }
                opened => opened.map_err(CopyError::errno("open", path()))?,
            };
        }
        Ok(at)
    }

    fn member<R: BufRead>(
        &mut self,
        member: &Member,
        walk: &mut Walk<'_, R>,
    ) -> Result<(), CopyError> {
        let components = self.components(member.path.as_bytes())?;
        let Some((name, parents)) = components.split_last() else {
            // The base itself, which is as it is.
            return Ok(());
        };
        let path = self.shown(&components);
        let parent = self.directory(parents)?;
        match member.kind {
            Kind::Folder => self.folder(member, &parent, name, &components),
            Kind::File => self.file(member, &parent, name, &path, walk),
            Kind::Symlink => {
                let made = replacing(&parent, name, || {
                    symlinkat(member.target.as_slice(), &parent, name.as_slice())
                });
                made.map_err(in_the_way("make the link", &path))?;
                self.finish_name(member, &parent, name, &path)
            }
            Kind::Fifo => {
                let mode = Mode::from_raw_mode(member.mode & 0o777);
                let made = replacing(&parent, name, || {
                    mknodat(&parent, name.as_slice(), FileType::Fifo, mode, 0)
                });
                made.map_err(in_the_way("make the pipe", &path))?;
                self.finish_name(member, &parent, name, &path)
            }
            Kind::HardLink if self.rules.trusted => self.hard_link(member, &parent, name, &path),
            Kind::HardLink => {
                (self.left_out)(&path, LeftOut::HardLink);
                Ok(())
            }
            Kind::Device(_) => {
                (self.left_out)(&path, LeftOut::Device);
                Ok(())
            }
        }
    }

    fn folder(
        &mut self,
        member: &Member,
        parent: &OwnedFd,
        name: &[u8],
        components: &[Vec<u8>],
    ) -> Result<(), CopyError> {
        match mkdirat(parent, name, Mode::RWXU) {
            Ok(()) => self.made.push(Made {
                components: components.to_vec(),
                mode: member.mode,
                owner: (member.uid, member.gid),
                time: member.mtime,
            }),
            Err(Errno::EXIST) => {
                // One that is there is filled up, and stays as it is.
                self.directory(components)?;
            }
            Err(errno) => return Err(CopyError::errno("make", self.shown(components))(errno)),
        }
        Ok(())
    }

    fn file<R: BufRead>(
        &mut self,
        member: &Member,
        parent: &OwnedFd,
        name: &[u8],
        path: &Path,
        walk: &mut Walk<'_, R>,
    ) -> Result<(), CopyError> {
        let open = || openat(parent, name, NEW, Mode::RUSR.union(Mode::WUSR));
        let file = replacing(parent, name, open).map_err(in_the_way("make", path))?;
        let mut file = File::from(file);
        let whole = [Segment {
            offset: 0,
            length: member.size,
        }];
        for segment in member.segments.as_deref().unwrap_or(&whole) {
            let mut at = segment.offset;
            let file = &mut file;
            walk.read_data(segment.length, &mut |chunk| {
                let written = write_at(file, at, chunk);
                written.map_err(|error| ContentError::io("cannot write", path, error))?;
                at += chunk.len() as u64;
                Ok(())
            })?;
        }
        file.set_len(member.size)
            .map_err(CopyError::io("write", path))?;
        self.finish(member, &file, path)
    }

    fn hard_link(
        &self,
        member: &Member,
        parent: &OwnedFd,
        name: &[u8],
        path: &Path,
    ) -> Result<(), CopyError> {
        let target = member.linked.as_ref().map(|linked| linked.as_bytes());
        let components = self.components(target.unwrap_or_default())?;
        let Some((old, parents)) = components.split_last() else {
            return Err(CopyError::Stray(path.to_path_buf()));
        };
        let from = self.directory(parents)?;
        let link = || linkat(&from, old.as_slice(), parent, name, AtFlags::empty());
        let same = components == self.components(member.path.as_bytes())?;
        match same {
            true => Ok(()),
            false => replacing(parent, name, link).map_err(in_the_way("make the link", path)),
        }
    }

    fn mode(&self, mode: u32) -> Mode {
        Mode::from_raw_mode(match self.rules.trusted {
            true => mode & 0o7777,
            false => mode & PLAIN_BITS,
        })
    }

    fn owner(&self, (uid, gid): (u32, u32)) -> Option<(Uid, Gid)> {
        let owner = (Uid::from_raw(uid), Gid::from_raw(gid));
        self.rules.owners.then_some(owner)
    }

    /// Owner, then mode, which a change of the owner would change; then the time.
    fn finish(&self, member: &Member, file: &impl AsFd, path: &Path) -> Result<(), CopyError> {
        if let Some((uid, gid)) = self.owner((member.uid, member.gid)) {
            fchown(file, Some(uid), Some(gid)).map_err(CopyError::errno("own", path))?;
        }
        fchmod(file, self.mode(member.mode)).map_err(CopyError::errno("set the mode of", path))?;
        let times = timestamps(member.mtime);
        futimens(file, &times).map_err(CopyError::errno("set the time of", path))
    }

    /// The same of what can't be opened, but for its mode.
    fn finish_name(
        &self,
        member: &Member,
        parent: &OwnedFd,
        name: &[u8],
        path: &Path,
    ) -> Result<(), CopyError> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        if let Some((uid, gid)) = self.owner((member.uid, member.gid)) {
            let owned = chownat(parent, name, Some(uid), Some(gid), flags);
            owned.map_err(CopyError::errno("own", path))?;
        }
        let times = timestamps(member.mtime);
        utimensat(parent, name, &times, flags).map_err(CopyError::errno("set the time of", path))
    }

    /// Gives directories what they are to have: the innermost first.
    fn close(mut self) -> Result<(), CopyError> {
        for made in std::mem::take(&mut self.made).into_iter().rev() {
            let path = self.shown(&made.components);
            let directory = self.directory(&made.components)?;
            if let Some((uid, gid)) = self.owner(made.owner) {
                fchown(&directory, Some(uid), Some(gid)).map_err(CopyError::errno("own", &path))?;
            }
            let mode = self.mode(made.mode);
            fchmod(&directory, mode).map_err(CopyError::errno("set the mode of", &path))?;
            let times = timestamps(made.time);
            futimens(&directory, &times).map_err(CopyError::errno("set the time of", &path))?;
        }
        Ok(())
    }
}

/// Finds out where what comes goes: a directory, its path for messages, and the names below it.
fn place(
    arrival: &Arrival,
    is_directory: bool,
    first: &[u8],
) -> Result<(OwnedFd, PathBuf, Names), CopyError> {
    let path = &arrival.path;
    let open = |path: &Path| {
        let flags = DIRECTORY.difference(OFlags::NOFOLLOW);
        let opened = openat(CWD, path, flags, Mode::empty());
        opened.map_err(CopyError::errno("open", path))
    };
    let replaced = |by: &OsStr| Names::Replaced {
        first: first.to_vec(),
        by: by.as_bytes().to_vec(),
    };
    let there = match statat(CWD, path, AtFlags::empty()) {
        Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Some(true),
            FileType::RegularFile => Some(false),
            _ => {
                return Err(CopyError::InTheWay {
                    path: path.clone(),
                    why: "it is neither a file nor a directory",
                });
            }
        },
        Err(Errno::NOENT) => None,
        // A path with a slash at its end through what is no directory.
        Err(Errno::NOTDIR) => return Err(CopyError::NoDirectory(path.clone())),
        Err(errno) => return Err(CopyError::errno("find", path)(errno)),
    };
    let ends_as_directory = {
        let bytes = path.as_os_str().as_bytes();
        bytes.ends_with(b"/") || bytes.ends_with(b"/.")
    };
    match (there, &arrival.of) {
        (Some(true), Sent::Content | Sent::Archive) => Ok((open(path)?, path.clone(), Names::Same)),
        (Some(true), Sent::Named(name)) => {
            Ok((open(path)?, path.clone(), replaced(name.as_os_str())))
        }
        (_, Sent::Archive) => Err(CopyError::NoDirectory(path.clone())),
        (Some(false), _) if is_directory => Err(CopyError::ToFile(path.clone())),
        (Some(false), _) => {
            // Behind links: it is the file that is replaced, and not the link.
            let real = path.canonicalize().map_err(CopyError::io("find", path))?;
            let (parent, name) = split(&real)?;
            Ok((open(parent)?, parent.to_path_buf(), replaced(name)))
        }
        (None, _) if ends_as_directory && !is_directory => {
            Err(CopyError::NoDirectory(path.clone()))
        }
        (None, of) => {
            let (parent, name) = split(path)?;
            let base = open(parent)?;
            if *of == Sent::Content {
                mkdirat(&base, name, Mode::from_raw_mode(0o755))
                    .map_err(CopyError::errno("make", path))?;
                let inside = openat(&base, name, DIRECTORY, Mode::empty());
                let inside = inside.map_err(CopyError::errno("open", path))?;
                return Ok((inside, path.clone(), Names::Same));
            }
            Ok((base, parent.to_path_buf(), replaced(name)))
        }
    }
}

fn split(path: &Path) -> Result<(&Path, &OsStr), CopyError> {
    let name = path.file_name();
    let name = name.ok_or_else(|| CopyError::NoDirectory(path.to_path_buf()))?;
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    Ok((parent.unwrap_or(Path::new(".")), name))
}

/// Makes something in the place of a file, a link or a pipe that is there.
fn replacing<T>(
    parent: &OwnedFd,
    name: &[u8],
    make: impl Fn() -> Result<T, Errno>,
) -> Result<T, Errno> {
    match make() {
        Err(Errno::EXIST) => {
            let there = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            match FileType::from_raw_mode(there.st_mode) {
                FileType::RegularFile | FileType::Symlink | FileType::Fifo => {}
                FileType::Directory => return Err(Errno::ISDIR),
                // A device, or a socket that somebody listens at.
                _ => return Err(Errno::NODEV),
            }
            unlinkat(parent, name, AtFlags::empty())?;
            make()
        }
        made => made,
    }
}

fn in_the_way(what: &'static str, path: &Path) -> impl FnOnce(Errno) -> CopyError {
    move |errno| match errno {
        Errno::ISDIR => CopyError::InTheWay {
            path: path.to_path_buf(),
            why: "it is a directory",
        },
        Errno::NODEV => CopyError::InTheWay {
            path: path.to_path_buf(),
            why: "it is a device or a socket",
        },
        errno => CopyError::errno(what, path)(errno),
    }
}

/// Writes, leaving holes where there is nothing but zeros.
fn write_at(file: &mut File, at: u64, chunk: &[u8]) -> io::Result<()> {
    if chunk.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    file.seek(SeekFrom::Start(at))?;
    file.write_all(chunk)
}

fn timestamps(time: Time) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: time.seconds,
            tv_nsec: i64::from(time.nanoseconds),
        },
    }
}
