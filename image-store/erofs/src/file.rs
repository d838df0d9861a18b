//! The content of one file.

use crate::directory::check_name;
use crate::error::ErofsError;
use crate::format::{Attributes, BLOCK, CHUNK, HOLE, INODE, Kind, Layout, chunk_format};
use crate::writer::{Inode, NewInode, Writer};

/// Takes the content of a file, which ends with [`FileWriter::finish`].
#[derive(Debug)]
pub struct FileWriter<'w> {
    writer: &'w mut Writer,
    inode: NewInode,
    size: u64,
    /// How many bytes have come.
    come: u64,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// In blocks; what does not fill the last one is in memory if it goes after the inode.
    Blocks {
        first: u32,
        /// Bytes that go into blocks.
        length: u64,
        tail: Vec<u8>,
    },
    /// In chunks, of which the one that is not complete is in memory. It is empty as long as it is nothing but a hole.
    Chunks { addresses: Vec<u32>, chunk: Vec<u8> },
}

impl<'w> FileWriter<'w> {
    pub(crate) fn new(
        writer: &'w mut Writer,
        inode: NewInode,
        size: u64,
        has_holes: bool,
    ) -> Result<Self, ErofsError> {
        let block = BLOCK as u64;
        let body = match has_holes {
            true => Body::Chunks {
                addresses: Vec::new(),
                chunk: Vec::new(),
            },
            false => {
                let tail = (size % block) as usize;
                let is_inline = INODE + inode.xattrs.bytes.len() + tail <= BLOCK;
                let length = if is_inline { size - tail as u64 } else { size };
                Body::Blocks {
                    first: writer.output.allocate(length.div_ceil(block))?,
                    length,
                    tail: Vec::new(),
                }
            }
        };
        Ok(Self {
            writer,
            inode,
            size,
            come: 0,
            body,
        })
    }

    /// The next bytes. What is beyond the file's size is left out.
    ///
    /// # Errors
    /// If they can't be written.
    pub fn data(&mut self, bytes: &[u8]) -> Result<(), ErofsError> {
        let left = usize::try_from(self.size - self.come).unwrap_or(usize::MAX);
        let mut bytes = bytes.get(..left).unwrap_or(bytes);
        let at = self.come;
        self.come += bytes.len() as u64;
        match &mut self.body {
            Body::Blocks {
                first,
                length,
                tail,
            } => {
                let left = length.saturating_sub(at);
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                let (whole, rest) = bytes.split_at(left.min(bytes.len()));
                if !whole.is_empty() {
                    let begin = u64::from(*first) * BLOCK as u64;
                    self.writer.output.write(begin + at, whole)?;
                }
                if !rest.is_empty() {
                    // What was skipped before it is zeros.
                    tail.resize(usize::try_from(at.saturating_sub(*length)).unwrap_or(0), 0);
                    tail.extend_from_slice(rest);
                }
            }
            Body::Chunks { addresses, chunk } => {
                let mut at = at;
                while !bytes.is_empty() {
                    let within = (at % CHUNK as u64) as usize;
                    let (part, rest) = bytes.split_at((CHUNK - within).min(bytes.len()));
                    chunk.resize(within, 0);
                    chunk.extend_from_slice(part);
                    at += part.len() as u64;
                    bytes = rest;
                    if chunk.len() == CHUNK {
                        self.writer.chunk(addresses, chunk)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// So many zeros.
    ///
    /// # Errors
    /// If what came before them can't be written.
    pub fn hole(&mut self, length: u64) -> Result<(), ErofsError> {
        let end = self.come.saturating_add(length).min(self.size);
        if let Body::Chunks { addresses, chunk } = &mut self.body {
            let whole = usize::try_from(end / CHUNK as u64).unwrap_or(usize::MAX);
            if addresses.len() < whole {
                if !chunk.is_empty() {
                    chunk.resize(CHUNK, 0);
                }
                self.writer.chunk(addresses, chunk)?;
                addresses.resize(whole, HOLE);
            }
        }
        self.come = end;
        Ok(())
    }

    /// The file is complete; what has not come is zeros.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn finish(mut self) -> Result<Inode, ErofsError> {
        self.hole(self.size - self.come)?;
        let Self {
            writer,
            inode,
            size,
            body,
            ..
        } = self;
        match body {
            Body::Blocks {
                first,
                length,
                mut tail,
            } => {
                let inlined = usize::try_from(size - length).unwrap_or(0);
                tail.resize(inlined, 0);
                let layout = match tail.is_empty() {
                    true => Layout::Plain,
                    false => Layout::Inline,
                };
                writer.add(inode, Kind::Regular, layout, size, first, &tail)
            }
            Body::Chunks {
                mut addresses,
                mut chunk,
            } => {
                let last = (size % CHUNK as u64) as usize;
                if last > 0 {
                    if !chunk.is_empty() {
                        chunk.resize(last, 0);
                    }
                    writer.chunk(&mut addresses, &mut chunk)?;
                }
                let map: Vec<u8> = addresses.iter().flat_map(|a| a.to_le_bytes()).collect();
                writer.has_chunks = true;
                let format = chunk_format();
                writer.add(inode, Kind::Regular, Layout::Chunks, size, format, &map)
            }
        }
    }
}

impl Writer {
    /// Begins a file of this size; whether it has holes that take no space has to be known before.
    ///
    /// # Errors
    /// If that can't be its name, it is too large, or its attributes don't fit.
    pub fn file(
        &mut self,
        name: &[u8],
        attributes: &Attributes<'_>,
        size: u64,
        has_holes: bool,
    ) -> Result<FileWriter<'_>, ErofsError> {
        check_name(name)?;
        let inode = NewInode::new(name, attributes)?;
        FileWriter::new(self, inode, size, has_holes)
    }

    /// Writes a chunk, and takes it out of memory. One that is empty is a hole.
    fn chunk(&mut self, addresses: &mut Vec<u32>, chunk: &mut Vec<u8>) -> Result<(), ErofsError> {
        let address = match chunk.is_empty() {
            true => HOLE,
            false => {
                let first = self.output.allocate(chunk.len().div_ceil(BLOCK) as u64)?;
                self.output.write(u64::from(first) * BLOCK as u64, chunk)?;
                first
            }
        };
        addresses.push(address);
        chunk.clear();
        Ok(())
    }
}
