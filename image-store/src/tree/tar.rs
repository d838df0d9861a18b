//! A tree as a tar file.

use std::io::{Read, Write};
use std::path::Path;

use image_layer::Time;

use super::member::{Kind, Member, Sink};
use crate::error::StoreError;
use crate::tar_writer::{Entry, TarWriter, What};

/// Bytes that are copied at once.
const CHUNK: usize = 256 << 10;

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

    pub(super) fn finish(self) -> Result<(), StoreError> {
        self.tar.finish().map(drop)
    }

    /// Adds the content of a file, as many bytes as were announced: of one that grows meanwhile the beginning, of one
    /// that shrinks zeros for what is gone.
    fn content(&mut self, mut file: impl Read, size: u64, path: &[u8]) -> Result<(), StoreError> {
        let mut left = size;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK);
            let space = self.buffer.get_mut(..wanted).unwrap_or_default();
            let count = match file.read(space) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other.map_err(|error| {
                    let path = String::from_utf8_lossy(path).into_owned();
                    StoreError::io("cannot read", Path::new(&path), error)
                })?,
            };
            if count == 0 {
                self.tar.zeros(left)?;
                break;
            }
            self.tar
                .data(self.buffer.get(..count).unwrap_or_default())?;
            left -= count as u64;
        }
        self.tar.pad(size)
    }
}

impl<W: Write> Sink for Tar<W> {
    fn member(&mut self, member: Member<'_>) -> Result<(), StoreError> {
        let stat = member.stat;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        self.tar.begin(&Entry {
            path: member.path,
            what: match &member.kind {
                Kind::File(_) => What::File { size },
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
        })?;
        match member.kind {
            Kind::File(file) => self.content(file, size, member.path),
            _ => Ok(()),
        }
    }

    fn end_of_folder(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
