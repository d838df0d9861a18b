//! Digests of what is in files, links and extended attributes.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{
    FileType, Mode, OFlags, SeekFrom, fgetxattr, flistxattr, getxattr, listxattr, openat2,
    readlinkat, seek,
};
use rustix::io::Errno;

use super::facts::Facts;
use crate::tree::BELOW;

/// Bytes of a content record in `contents`.
pub(super) const RECORD: usize = 66;
/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;
/// Sparse files are taken in pieces of so many bytes; those that are all zeros are left out.
const PIECE: usize = 64 << 10;
/// Largest extended attribute, and largest list of their names, that the kernel gives.
const MAX_XATTR: usize = 64 << 10;

/// A digest of the content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    /// Whether it is made of the pieces that are not all zeros: so a huge file that is all hole costs
    /// nothing. The layer says which of its files are sparse.
    sparse: bool,
    hash: [u8; 32],
}

/// Makes a [`Sum`] from content as it comes.
pub(super) struct Summer {
    hasher: blake3::Hasher,
    /// Of sparse files: the piece that is being filled, and its number.
    piece: Option<(u64, Vec<u8>)>,
}

impl Summer {
    pub(super) fn new(sparse: bool) -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            piece: sparse.then(|| (0, Vec::new())),
        }
    }

    pub(super) fn append(&mut self, mut chunk: &[u8]) {
        let Some((number, piece)) = &mut self.piece else {
            self.hasher.update(chunk);
            return;
        };
        while !chunk.is_empty() {
            let (now, later) = chunk
                .split_at_checked(PIECE - piece.len())
                .unwrap_or((chunk, &[]));
            piece.extend_from_slice(now);
            chunk = later;
            if piece.len() == PIECE {
                add_piece(&mut self.hasher, *number, piece);
                piece.clear();
                *number += 1;
            }
        }
    }

    /// Of sparse files: leaves a hole up to `offset`, which is not below what has come.
    pub(super) fn skip_to(&mut self, offset: u64) {
        let Some((number, piece)) = &mut self.piece else {
            return;
        };
        let size = PIECE as u64;
        if offset / size != *number {
            add_piece(&mut self.hasher, *number, piece);
            piece.clear();
            *number = offset / size;
        }
        let within = usize::try_from(offset % size).unwrap_or_default();
        if within > piece.len() {
            piece.resize(within, 0);
        }
    }

    pub(super) fn finish(mut self, size: u64) -> Sum {
        let sparse = self.piece.is_some();
        if let Some((number, piece)) = &self.piece {
            add_piece(&mut self.hasher, *number, piece);
            self.hasher.update(&size.to_le_bytes());
        }
        Sum {
            sparse,
            hash: self.hasher.finalize().into(),
        }
    }
}

/// Zeros at the end of a piece are as good as a hole.
fn add_piece(hasher: &mut blake3::Hasher, number: u64, piece: &[u8]) {
    let Some(last) = piece.iter().rposition(|byte| *byte != 0) else {
        return;
    };
    let data = piece.get(..=last).unwrap_or_default();
    hasher.update(&number.to_le_bytes());
    hasher.update(&(data.len() as u64).to_le_bytes());
    hasher.update(data);
}

/// What a file holds beside what its inode shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// Of files, and of the targets of symbolic links.
    pub(super) data: Option<Sum>,
    /// Of extended attributes, where there are any.
    pub(super) xattrs: Option<[u8; 32]>,
}

impl Content {
    pub(super) fn to_bytes(self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        let kind = match self.data {
            None => 0,
            Some(Sum { sparse: false, .. }) => 1,
            Some(Sum { sparse: true, .. }) => 2,
        };
        let parts = [
            &[kind, u8::from(self.xattrs.is_some())][..],
            &self.data.map_or([0; 32], |sum| sum.hash),
            &self.xattrs.unwrap_or_default(),
        ];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// Reads a record; `None` for what no writer makes.
    pub(super) fn from_bytes(bytes: &[u8; RECORD]) -> Option<Self> {
        let ([kind, attributes], rest) = bytes.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        let data = match kind {
            0 => None,
            1 | 2 => Some(Sum {
                sparse: *kind == 2,
                hash: *hash,
            }),
            _ => return None,
        };
        let xattrs = match attributes {
            0 => None,
            1 => Some(*rest.first_chunk()?),
            _ => return None,
        };
        Some(Self { data, xattrs })
    }

    /// How what is found differs from this; `None` if it doesn't.
    pub(super) fn change(&self, now: &Self, kind: FileType) -> Option<&'static str> {
        if self.data != now.data {
            return Some(match kind {
                FileType::Symlink => "has a different target",
                _ => "has different content",
            });
        }
        (self.xattrs != now.xattrs).then_some("has different extended attributes")
    }
}

/// Reads what a file holds. `data` is what is known of its content; without, it is read, as
/// `like` was.
pub(super) fn content(
    root: BorrowedFd<'_>,
    path: &[u8],
    facts: &Facts,
    known: Option<Sum>,
    like: Option<Sum>,
) -> io::Result<Content> {
    let kind = facts.kind();
    match kind {
        FileType::RegularFile | FileType::Directory => {
            // A FIFO that took the file's place must not make this wait.
            let file = open(root, path, OFlags::NONBLOCK)?;
            let xattrs = xattrs(&|buffer| flistxattr(&file, buffer), &|name, buffer| {
                fgetxattr(&file, name, buffer)
            })?;
            let data = match (kind, known) {
                (FileType::Directory, _) => None,
                (_, Some(known)) => Some(known),
                (_, None) => Some(read(&File::from(file), like.is_some_and(|sum| sum.sparse))?),
            };
            Ok(Content { data, xattrs })
        }
        _ => {
            // These can't be opened to be asked; what stands for their descriptor can.
            let handle = open(root, path, OFlags::PATH)?;
            let number = std::os::fd::AsRawFd::as_raw_fd(&handle);
            let name = format!("/proc/self/fd/{number}");
            let xattrs = xattrs(&|buffer| listxattr(&name, buffer), &|attribute, buffer| {
                getxattr(&name, attribute, buffer)
            })?;
            let data = match kind {
                FileType::Symlink => {
                    let mut summer = Summer::new(false);
                    summer.append(readlinkat(&handle, c"", Vec::new())?.as_bytes());
                    Some(summer.finish(0))
                }
                _ => None,
            };
            Ok(Content { data, xattrs })
        }
    }
}

/// Opens something below the root, through no symbolic link.
pub(super) fn open(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = flags.union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
    // With `PATH`, the last name may be a link that is asked for itself.
    Ok(openat2(root, path, flags, Mode::empty(), BELOW)?)
}

/// Reads a file to its end.
fn read(file: &File, sparse: bool) -> io::Result<Sum> {
    let mut summer = Summer::new(sparse);
    let mut buffer = vec![0; CHUNK];
    let mut at = 0_u64;
    loop {
        if sparse {
            // Holes are not read: a file may have more of them than anyone can wait for.
            match seek(file.as_fd(), SeekFrom::Data(at)) {
                Ok(data) => at = data,
                Err(Errno::NXIO) => break,
                Err(error) => return Err(error.into()),
            }
            summer.skip_to(at);
        }
        let read = match file.read_at(&mut buffer, at) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        summer.append(buffer.get(..read).unwrap_or_default());
        at += read as u64;
    }
    Ok(summer.finish(file.metadata()?.len()))
}

/// Gives the value of an extended attribute, and its length.
type GetXattr<'a> = &'a dyn Fn(&[u8], &mut [u8]) -> rustix::io::Result<usize>;

/// The digest of all extended attributes that a layer could have, or that decide over access.
/// Labels that security modules of the machine set by themselves are none of the layer's.
fn xattrs(
    list: &dyn Fn(&mut [u8]) -> rustix::io::Result<usize>,
    get: GetXattr<'_>,
) -> io::Result<Option<[u8; 32]>> {
    let unsupported = |error| match error {
        Errno::OPNOTSUPP => Ok(0),
        other => Err(other),
    };
    // Most files have none, and few more than fit here.
    if list(&mut [0; 256]).or_else(unsupported) == Ok(0) {
        return Ok(None);
    }
    let mut names = vec![0; MAX_XATTR];
    let length = list(&mut names).or_else(unsupported)?;
    names.truncate(length);
    let mut names: Vec<&[u8]> = names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .filter(|name| !name.starts_with(b"security.") || *name == b"security.capability")
        .collect();
    names.sort_unstable();
    if names.is_empty() {
        return Ok(None);
    }
    let mut hasher = blake3::Hasher::new();
    let mut value = vec![0; MAX_XATTR];
    for name in names {
        let length = match get(name, &mut value) {
            // Gone since: then it isn't there.
            Err(Errno::NODATA) => continue,
            other => other?,
        };
        for part in [name, value.get(..length).unwrap_or_default()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    Ok(Some(hasher.finalize().into()))
}

#[cfg(test)]
mod tests;
