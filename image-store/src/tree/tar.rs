//! A tree as a tar file.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use image_layer::{Segment, Time};

use super::member::{Kind, Member, Sink};
use super::merged::WHITEOUT;
use crate::error::StoreError;
use crate::file_content::segments;
use crate::tar_writer::{Entry, TarWriter, What, sparse_map};

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// The name of the file that makes the directory that it is in opaque (image-spec: layer.md).
const OPAQUE: &[u8] = b".wh..wh..opq";

/// A tar file that members are added to.
pub(super) struct Tar<W: Write> {
    tar: TarWriter<W>,
    buffer: Vec<u8>,
}

impl<W: Write> Tar<W> {
    pub(super) fn new(out: W, name: &Path) -> Self {
        Self {
            tar: TarWriter::new(out, name),
            buffer: vec![0; CHUNK],
        }
    }

    /// What was written to, once all of it is.
    pub(super) fn finish(self) -> Result<W, StoreError> {
        self.tar.finish()
    }

    /// Adds a file: as many bytes as were announced where it has data, of one that grows meanwhile the beginning, of one
    /// that shrinks zeros for what is gone. Its holes are told and not written, however large they are.
    fn file(&mut self, file: &File, size: u64, entry: Entry<'_>) -> Result<(), StoreError> {
        let map = segments(file, size).map_err(unread(entry.path))?;
        let Some(map) = map else {
            self.tar.begin(&entry)?;
            self.content(file, 0, size, entry.path)?;
            return self.tar.pad(size);
        };
        let head = sparse_map(&map, size);
        let data: u64 = map.iter().map(|segment| segment.length).sum();
        let stored = head.len() as u64 + data;
        let what = What::Sparse { size, stored };
        self.tar.begin(&Entry { what, ..entry })?;
        self.tar.data(&head)?;
        for Segment { offset, length } in map {
            self.content(file, offset, length, entry.path)?;
        }
        self.tar.pad(stored)
    }

    fn content(
        &mut self,
        file: &File,
        mut at: u64,
        mut length: u64,
        path: &[u8],
    ) -> Result<(), StoreError> {
        while length > 0 {
            let wanted = usize::try_from(length).unwrap_or(usize::MAX).min(CHUNK);
            let space = self.buffer.get_mut(..wanted).unwrap_or_default();
            let count = match file.read_at(space, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(unread(path))?,
            };
            if count == 0 {
                return self.tar.zeros(length);
            }
            self.tar.data(space.get(..count).unwrap_or_default())?;
            at += count as u64;
            length -= count as u64;
        }
        Ok(())
    }
}

/// The path of the file by which a layer says that something is gone, or a directory not merged.
fn mark(member: &Member<'_>) -> Option<Vec<u8>> {
    let path = member.path;
    match member.kind {
        Kind::Whiteout => {
            let (folder, name) = match path.iter().rposition(|byte| *byte == b'/') {
                Some(slash) => path.split_at(slash + 1),
                None => (&b""[..], path),
            };
            Some([folder, WHITEOUT, name].concat())
        }
        Kind::Opaque if path.is_empty() => Some(OPAQUE.to_vec()),
        Kind::Opaque => Some([path, b"/", OPAQUE].concat()),
        _ => None,
    }
}

fn unread(path: &[u8]) -> impl Fn(io::Error) -> StoreError + use<> {
    let path = String::from_utf8_lossy(path).into_owned();
    move |error| StoreError::io("cannot read", Path::new(&path), error)
}

impl<W: Write> Sink for Tar<W> {
    fn member(&mut self, member: Member<'_>) -> Result<(), StoreError> {
        let stat = member.stat;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let mark = mark(&member);
        let entry = Entry {
            path: mark.as_deref().unwrap_or(member.path),
            what: match &member.kind {
                Kind::File(_) => What::File { size },
                Kind::Whiteout | Kind::Opaque => What::File { size: 0 },
                Kind::Folder => What::Folder,
                Kind::Symlink(target) => What::Symlink(target),
                Kind::HardLink(first) => What::HardLink(first),
                Kind::Fifo => What::Fifo,
                Kind::Device(device) => What::Device(*device),
            },
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime: Time::of(stat),
            xattrs: member.xattrs,
        };
        match &member.kind {
            Kind::File(file) => self.file(file, size, entry),
            _ => self.tar.begin(&entry),
        }
    }

    fn end_of_folder(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
