//! What is noted of a layer's contents while it is unpacked.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};

use super::content::{Sum, Summer};

/// Files of one layer whose digests are kept in memory; those beyond are read again.
const KEPT: usize = 200_000;

/// The digests of files that were unpacked, by inode.
#[derive(Debug, Default)]
pub struct Record {
    sums: HashMap<u64, Sum>,
    /// The files themselves are not wanted: they get size and attributes, and no content.
    hollow: bool,
}

impl Record {
    /// For a tree that is only to be compared with.
    pub fn hollow() -> Self {
        Self {
            sums: HashMap::new(),
            hollow: true,
        }
    }

    /// Begins a new file; `sparse` if it is written in pieces.
    pub(crate) fn file(&mut self, file: File, sparse: bool) -> Recorded<'_> {
        // To read a sparse file again could take longer than anyone can wait.
        let full = self.sums.len() >= KEPT && !sparse;
        Recorded {
            // What has no digest in memory can only be read again if it was written.
            write: !self.hollow || full,
            summer: (!full).then(|| Summer::new(sparse)),
            file,
            sparse,
            record: self,
        }
    }

    /// The digest of a file, if it is at hand.
    pub(super) fn sum(&self, ino: u64) -> Option<Sum> {
        self.sums.get(&ino).copied()
    }
}

/// A file that is being unpacked.
pub(crate) struct Recorded<'a> {
    file: File,
    record: &'a mut Record,
    write: bool,
    sparse: bool,
    summer: Option<Summer>,
}

impl Recorded<'_> {
    /// Adds to the end of the file.
    pub(crate) fn append(&mut self, chunk: &[u8]) -> io::Result<()> {
        if let Some(summer) = &mut self.summer {
            summer.append(chunk);
        }
        if self.write {
            self.file.write_all(chunk)?;
        }
        Ok(())
    }

    /// Writes at an offset that is not below any before.
    pub(crate) fn put(&mut self, chunk: &[u8], offset: u64) -> io::Result<()> {
        if let Some(summer) = &mut self.summer {
            summer.skip_to(offset);
            summer.append(chunk);
        }
        if self.write {
            self.file.write_all_at(chunk, offset)?;
        }
        Ok(())
    }

    /// Ends the file, which has `size` bytes in all.
    pub(crate) fn end(self, size: u64) -> io::Result<File> {
        if self.sparse || !self.write {
            self.file.set_len(size)?;
        }
        if self.sparse && self.record.sums.len() >= 2 * KEPT {
            return Err(io::Error::other("the layer has too many sparse files"));
        }
        if let Some(summer) = self.summer {
            let ino = self.file.metadata()?.ino();
            self.record.sums.insert(ino, summer.finish(size));
        }
        Ok(self.file)
    }
}
