//! Where things go in the file: blocks of data one after the other, and between them regions for inodes.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::error::ErofsError;
use crate::format::{BLOCK, SLOT};

/// Data that are written at once.
const BUFFER: usize = 1 << 20;
/// Blocks of the first region for inodes, and of the largest: what is left of the last one is wasted.
const REGION_MIN: usize = 4;
const REGION_MAX: usize = 256;

/// The file of an image.
#[derive(Debug)]
pub(crate) struct Output {
    file: File,
    /// The first block that nothing is in.
    free: u64,
    data: Buffer,
    region: Buffer,
    /// Bytes that the region has.
    region_size: usize,
    /// Blocks of the next region.
    region_next: usize,
}

/// Bytes that belong at a place in the file.
#[derive(Debug, Default)]
struct Buffer {
    at: u64,
    bytes: Vec<u8>,
}

impl Buffer {
    fn flush(&mut self, file: &File) -> Result<(), ErofsError> {
        file.write_all_at(&self.bytes, self.at)?;
        self.at += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }

    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }
}

impl Output {
    /// Into an empty file, of which the first block is left out.
    pub(crate) fn new(file: File) -> Self {
        Self {
            file,
            free: 1,
            data: Buffer::default(),
            region: Buffer::default(),
            region_size: 0,
            region_next: REGION_MIN,
        }
    }

    /// Takes blocks for data. Gives the number of the first.
    pub(crate) fn allocate(&mut self, blocks: u64) -> Result<u32, ErofsError> {
        let first = self.free;
        let next = first.checked_add(blocks);
        // The last number means none.
        let next = next.filter(|next| *next < u64::from(u32::MAX));
        self.free = next.ok_or(ErofsError::TooLarge)?;
        u32::try_from(first).map_err(|_| ErofsError::TooLarge)
    }

    /// Writes data there. What nobody writes reads as zeros.
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), ErofsError> {
        let gap = at.checked_sub(self.data.end()).unwrap_or(u64::MAX);
        match usize::try_from(gap) {
            // The rest of a file's last block.
            Ok(gap) if gap < BLOCK => {
                let length = self.data.bytes.len() + gap;
                self.data.bytes.resize(length, 0);
            }
            _ => {
                self.data.flush(&self.file)?;
                self.data.at = at;
            }
        }
        if self.data.bytes.is_empty() && bytes.len() >= BUFFER {
            self.file.write_all_at(bytes, at)?;
            self.data.at = at + bytes.len() as u64;
            return Ok(());
        }
        self.data.bytes.extend_from_slice(bytes);
        if self.data.bytes.len() >= BUFFER {
            self.data.flush(&self.file)?;
        }
        Ok(())
    }

    /// Writes an inode with what follows it, which is all in one block if one is enough. Gives where it is.
    pub(crate) fn place(&mut self, record: &[u8]) -> Result<u64, ErofsError> {
        let slot = SLOT as usize;
        let mut at = self.region.bytes.len().next_multiple_of(slot);
        let left = BLOCK - at % BLOCK;
        if record.len() <= BLOCK && record.len() > left {
            at += left;
        }
        if at + record.len() > self.region_size {
            self.region.flush(&self.file)?;
            let blocks = record.len().div_ceil(BLOCK).max(self.region_next);
            self.region_next = (self.region_next * 2).min(REGION_MAX);
            let first = self.allocate(blocks as u64)?;
            self.region_size = blocks * BLOCK;
            self.region.at = u64::from(first) * BLOCK as u64;
            at = 0;
        }
        self.region.bytes.resize(at, 0);
        self.region.bytes.extend_from_slice(record);
        Ok(self.region.at + at as u64)
    }

    /// Writes over what was placed or written before.
    pub(crate) fn patch(&mut self, at: u64, bytes: &[u8]) -> Result<(), ErofsError> {
        for buffer in [&mut self.region, &mut self.data] {
            let begin = at.checked_sub(buffer.at);
            let begin = begin.and_then(|begin| usize::try_from(begin).ok());
            let place = begin.and_then(|begin| {
                let end = begin.checked_add(bytes.len())?;
                buffer.bytes.get_mut(begin..end)
            });
            if let Some(place) = place {
                place.copy_from_slice(bytes);
                return Ok(());
            }
        }
        self.file.write_all_at(bytes, at)?;
        Ok(())
    }

    /// Writes all that is left, and the first block, which is made from how many there are.
    pub(crate) fn finish(
        mut self,
        first_block: impl FnOnce(u32) -> Vec<u8>,
    ) -> Result<File, ErofsError> {
        self.data.flush(&self.file)?;
        self.region.flush(&self.file)?;
        let blocks = u32::try_from(self.free).map_err(|_| ErofsError::TooLarge)?;
        self.file.write_all_at(&first_block(blocks), 0)?;
        self.file.set_len(u64::from(blocks) * BLOCK as u64)?;
        Ok(self.file)
    }
}
