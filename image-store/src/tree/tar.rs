//! A tree as a tar file.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use image_layer::Time;

use super::member::{Kind, Member, Sink};
use crate::error::StoreError;
use crate::file_content::{Content, Part};
use crate::tar_writer::{Entry, TarWriter, What};

/// A tar file that members are added to.
pub(super) struct Tar<W: Write> {
    tar: TarWriter<W>,
}

impl<W: Write> Tar<W> {
    pub(super) fn new(out: W, name: &Path) -> Self {
        Self {
            tar: TarWriter::new(out, name),
        }
    }

    pub(super) fn finish(self) -> Result<(), StoreError> {
        self.tar.finish().map(drop)
    }

    /// Adds the content of a file, as many bytes as were announced: of one that grows meanwhile the beginning, of one
    /// that shrinks zeros for what is gone.
    fn content(&mut self, file: &File, size: u64, path: &[u8]) -> Result<(), StoreError> {
        let failed = |error| {
            let path = String::from_utf8_lossy(path).into_owned();
            StoreError::io("cannot read", Path::new(&path), error)
        };
        let mut content = Content::of(file, size);
        while let Some(part) = content.next().map_err(failed)? {
            match part {
                Part::Data(bytes) => self.tar.data(bytes)?,
                Part::Hole(length) => self.tar.zeros(length)?,
            }
        }
        self.tar.zeros(content.missing())?;
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
            Kind::File(file) => self.content(&file, size, member.path),
            _ => Ok(()),
        }
    }

    fn end_of_folder(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
