//! A tree as a filesystem image.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use image_erofs::{Attributes, ErofsError, FileWriter, Inode, Mtime, Special, Writer};
use image_layer::Device;
use rustix::fs::Stat;

use super::member::{Kind, Member, Sink};
use super::merged::{root, unfit, walk};
use crate::error::StoreError;
use crate::file_content::segments;

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// Writes what these trees, topmost first, show together as an EROFS image into an empty file; `name` is for messages.
///
/// # Errors
/// If something can't be read or written, or has no place in such an image.
pub(crate) fn write_erofs(trees: &[PathBuf], file: File, name: &Path) -> Result<File, StoreError> {
    let mut roots = Vec::with_capacity(trees.len());
    for tree in trees {
        roots.push(root(tree)?.into());
    }
    let mut image = Image {
        file: Some(file),
        writer: None,
        name,
        depth: 0,
        linked: HashMap::new(),
        buffer: vec![0; CHUNK],
    };
    walk(&roots, &mut image)?.nothing_deep()?;
    let writer = image.writer.take().ok_or_else(|| outside(b""))?;
    writer.finish().map_err(failed(name, b""))
}

/// An image that members are added to.
struct Image<'a> {
    /// Where it is written, until the root has come.
    file: Option<File>,
    writer: Option<Writer>,
    name: &'a Path,
    /// How many directories below the root are not complete.
    depth: usize,
    /// Files that have more names, by device and inode.
    linked: HashMap<(u64, u64), Inode>,
    buffer: Vec<u8>,
}

impl Sink for Image<'_> {
    fn member(&mut self, member: Member<'_>) -> Result<(), StoreError> {
        let Member {
            path,
            kind,
            stat,
            xattrs,
        } = member;
        let attributes = attributes(stat, xattrs);
        let failed = failed(self.name, path);
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let Some(writer) = &mut self.writer else {
            let file = self.file.take().ok_or_else(|| outside(path))?;
            self.writer = Some(Writer::new(file, &attributes).map_err(failed)?);
            return Ok(());
        };
        let inode = (stat.st_dev, stat.st_ino);
        let added = match kind {
            Kind::Folder => {
                self.depth += 1;
                return writer.open_directory(name, &attributes).map_err(failed);
            }
            Kind::HardLink(_) => {
                let first = self.linked.get(&inode).ok_or_else(|| outside(path))?;
                return writer.hard_link(name, *first).map_err(failed);
            }
            Kind::File(content) => {
                let size = u64::try_from(stat.st_size).unwrap_or_default();
                let unread = |error| StoreError::io("cannot read", self.name, error);
                let map = segments(&content, size).map_err(unread)?;
                let mut file = writer
                    .file(name, &attributes, size, map.is_some())
                    .map_err(&failed)?;
                let mut at = 0;
                for (offset, length) in match map {
                    Some(map) => map.iter().map(|part| (part.offset, part.length)).collect(),
                    None => vec![(0, size)],
                } {
                    file.hole(offset - at).map_err(&failed)?;
                    copy(
                        &content,
                        &mut file,
                        (offset, length),
                        &mut self.buffer,
                        path,
                    )?;
                    at = offset + length;
                }
                file.finish()
            }
            Kind::Symlink(target) => writer.symlink(name, &attributes, target),
            Kind::Fifo => writer.special(name, &attributes, Special::Fifo),
            // What overlayfs shows has none.
            Kind::Whiteout | Kind::Opaque => return Err(outside(path)),
            Kind::Device(device) => writer.special(name, &attributes, special(device)),
        };
        let added = added.map_err(failed)?;
        if stat.st_nlink > 1 {
            self.linked.insert(inode, added);
        }
        Ok(())
    }

    fn end_of_folder(&mut self) -> Result<(), StoreError> {
        // The root ends with the image.
        let Some(depth) = self.depth.checked_sub(1) else {
            return Ok(());
        };
        self.depth = depth;
        let writer = self.writer.as_mut().ok_or_else(|| outside(b""))?;
        writer.close_directory().map_err(failed(self.name, b""))
    }
}

/// Copies a part of a file. What it has less than that is zeros.
fn copy(
    content: &File,
    file: &mut FileWriter<'_>,
    (mut at, mut length): (u64, u64),
    buffer: &mut [u8],
    path: &[u8],
) -> Result<(), StoreError> {
    let unread = |error: io::Error| {
        let path = String::from_utf8_lossy(path).into_owned();
        StoreError::io("cannot read", Path::new(&path), error)
    };
    while length > 0 {
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        let wanted = wanted.min(buffer.len());
        let space = buffer.get_mut(..wanted).unwrap_or_default();
        let count = match content.read_at(space, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(unread)?,
        };
        if count == 0 {
            return file.hole(length).map_err(failed(Path::new(""), path));
        }
        let bytes = space.get(..count).unwrap_or_default();
        file.data(bytes).map_err(failed(Path::new(""), path))?;
        at += count as u64;
        length -= count as u64;
    }
    Ok(())
}

fn attributes<'a>(stat: &Stat, xattrs: &'a BTreeMap<String, Vec<u8>>) -> Attributes<'a> {
    Attributes {
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Mtime {
            seconds: stat.st_mtime,
            // Below 2^30.
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        },
        xattrs,
    }
}

fn special(device: Device) -> Special {
    let Device {
        is_block,
        major,
        minor,
    } = device;
    match is_block {
        true => Special::BlockDevice { major, minor },
        false => Special::CharacterDevice { major, minor },
    }
}

/// What came in an order that no tree has.
fn outside(path: &[u8]) -> StoreError {
    unfit(path, "it is in no directory of the image")
}

fn failed(image: &Path, path: &[u8]) -> impl Fn(ErofsError) -> StoreError + use<> {
    let (image, path) = (image.to_owned(), path.to_vec());
    move |error| match error {
        ErofsError::Io(error) => StoreError::io("cannot write", &image, error),
        error => unfit(&path, &error.to_string()),
    }
}
