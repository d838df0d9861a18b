//! Tar files being written, on top of the crate `tar`: layers with all that their members have, and
//! archives of plain files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use image_layer::{Device, Segment, Time};
use tar::{Builder, EntryType, Header};

use crate::error::StoreError;

const BLOCK: u64 = 512;

/// What the octal fields of ustar can hold.
const MAX_ID: u32 = 0o777_7777;
const MAX_SIZE: u64 = 0o777_7777_7777;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What<'a> {
    File {
        size: u64,
    },
    /// A file with holes, of which as many bytes are stored: what [`sparse_map`] gives, and the content of its segments.
    Sparse {
        size: u64,
        stored: u64,
    },
    Folder,
    Symlink(&'a [u8]),
    /// To an earlier member.
    HardLink(&'a [u8]),
    Fifo,
    Device(Device),
}

/// A member of a layer without its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// Relative to the root; empty for the root itself.
    pub(crate) path: &'a [u8],
    pub(crate) what: What<'a>,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Time,
    pub(crate) xattrs: &'a BTreeMap<String, Vec<u8>>,
}

/// The tar file. The same members give the same bytes.
pub(crate) struct TarWriter<W: Write> {
    builder: Builder<W>,
    path: PathBuf,
}

impl<W: Write> TarWriter<W> {
    /// Writes to `out`; `path` is for messages.
    pub(crate) fn new(out: W, path: &Path) -> Self {
        Self {
            builder: Builder::new(out),
            path: path.to_owned(),
        }
    }

    /// Begins a member. The content of a file follows by [`TarWriter::data`], as many bytes as its
    /// size says, and [`TarWriter::pad`].
    pub(crate) fn begin(&mut self, entry: &Entry<'_>) -> Result<(), StoreError> {
        let records = records(entry);
        let records = records
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_slice()));
        let written = self.builder.append_pax_extensions(records);
        written.map_err(|error| self.error(error))?;
        let header = header(entry).map_err(|error| self.error(error))?;
        let written = self.builder.append(&header, io::empty());
        written.map_err(|error| self.error(error))
    }

    pub(crate) fn data(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let written = self.builder.get_mut().write_all(bytes);
        written.map_err(|error| self.error(error))
    }

    /// Zeros, such as those in the holes of a sparse file.
    pub(crate) fn zeros(&mut self, mut count: u64) -> Result<(), StoreError> {
        let zeros = [0; 64 << 10];
        while count > 0 {
            let now = usize::try_from(count)
                .unwrap_or(usize::MAX)
                .min(zeros.len());
            self.data(zeros.get(..now).unwrap_or_default())?;
            count -= now as u64;
        }
        Ok(())
    }

    /// Fills the last block of content of this size.
    pub(crate) fn pad(&mut self, size: u64) -> Result<(), StoreError> {
        self.zeros(size.next_multiple_of(BLOCK) - size)
    }

    /// Adds a regular file with this content, of mode 0644 and time 0: equal images give equal
    /// archives.
    pub(crate) fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut header = plain_file();
        header.set_size(bytes.len() as u64);
        let written = self.builder.append_data(&mut header, name, bytes);
        written.map_err(|error| self.error(error))
    }

    /// Writes the mark of the end, and gives back what was written to.
    pub(crate) fn finish(self) -> Result<W, StoreError> {
        let Self { builder, path } = self;
        let failed = |error| StoreError::io("cannot write", &path, error);
        let mut out = builder.into_inner().map_err(failed)?;
        out.flush().map_err(failed)?;
        Ok(out)
    }

    fn error(&self, error: io::Error) -> StoreError {
        StoreError::io("cannot write", &self.path, error)
    }
}

impl<W: Write + Seek> TarWriter<W> {
    /// Adds a file as [`TarWriter::file`] does, with what `content` writes; it gets the path of the
    /// archive for its errors. How much that is is known only then.
    pub(crate) fn stream(
        &mut self,
        name: &str,
        content: impl FnOnce(&Path, &mut dyn Write) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let failed = |error| StoreError::io("cannot write", &self.path, error);
        let mut header = plain_file();
        let begun = self.builder.append_writer(&mut header, name);
        let mut member = begun.map_err(failed)?;
        content(&self.path, &mut member)?;
        member.finish().map_err(failed)
    }
}

fn plain_file() -> Header {
    let mut header = Header::new_ustar();
    header.set_mode(0o644);
    header.set_entry_type(EntryType::Regular);
    header
}

/// The map that stands before the content of a file with holes (GNU's format 1.0): where there is data, in whole blocks.
pub(crate) fn sparse_map(segments: &[Segment], size: u64) -> Vec<u8> {
    // An empty segment at the end tells readers how long the file is if it ends with a hole.
    let end = Segment {
        offset: size,
        length: 0,
    };
    let mut map = format!("{}\n", segments.len() + 1);
    for Segment { offset, length } in segments.iter().chain([&end]) {
        // Writing to a string doesn't fail.
        let _ = writeln!(map, "{offset}\n{length}");
    }
    let mut map = map.into_bytes();
    map.resize(map.len().next_multiple_of(BLOCK as usize), 0);
    map
}

/// The header of a member. What is too large for its field is cut short or zero there, and stands in
/// a pax record, which counts.
fn header(entry: &Entry<'_>) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    let mut name = entry.path.to_vec();
    let (kind, link) = match entry.what {
        What::File { .. } => (EntryType::Regular, &b""[..]),
        What::Sparse { .. } => {
            // Whoever knows nothing of holes makes a file of this name, as with GNU tar.
            let last = entry.path.rsplit(|byte| *byte == b'/').next();
            name = [b"GNUSparseFile.0/", last.unwrap_or_default()].concat();
            (EntryType::Regular, &b""[..])
        }
        What::Folder => {
            name = if name.is_empty() { b".".to_vec() } else { name };
            name.push(b'/');
            (EntryType::Directory, &b""[..])
        }
        What::Symlink(target) => (EntryType::Symlink, target),
        What::HardLink(target) => (EntryType::Link, target),
        What::Fifo => (EntryType::Fifo, &b""[..]),
        What::Device(device) => {
            header.set_device_major(device.major)?;
            header.set_device_minor(device.minor)?;
            match device.is_block {
                true => (EntryType::Block, &b""[..]),
                false => (EntryType::Char, &b""[..]),
            }
        }
    };
    let size = match entry.what {
        What::File { size: stored } | What::Sparse { stored, .. } if stored <= MAX_SIZE => stored,
        _ => 0,
    };
    let fitting = |id: u32| if id > MAX_ID { 0 } else { u64::from(id) };
    let seconds = u64::try_from(entry.mtime.seconds).unwrap_or_default();
    header.set_entry_type(kind);
    header.set_mode(entry.mode & 0o7777);
    header.set_uid(fitting(entry.uid));
    header.set_gid(fitting(entry.gid));
    header.set_size(size);
    header.set_mtime(if seconds > MAX_SIZE { 0 } else { seconds });
    // The crate's own setters take paths, and refuse some that a layer may have.
    let old = header.as_old_mut();
    put(&mut old.name, &name);
    put(&mut old.linkname, link);
    header.set_cksum();
    Ok(header)
}

/// Puts as many of `bytes` into a field as it holds.
fn put(field: &mut [u8], bytes: &[u8]) {
    for (to, from) in field.iter_mut().zip(bytes) {
        *to = *from;
    }
}

/// The pax records that a member needs, in a fixed order.
fn records(entry: &Entry<'_>) -> Vec<(String, Vec<u8>)> {
    let mut records = Vec::new();
    let mut record = |key: &str, value: &[u8]| records.push((key.to_owned(), value.to_vec()));
    if let What::Sparse { size, .. } = entry.what {
        record("GNU.sparse.major", b"1");
        record("GNU.sparse.minor", b"0");
        record("GNU.sparse.name", entry.path);
        record("GNU.sparse.realsize", size.to_string().as_bytes());
    } else if entry.path.len() >= 100 {
        record("path", entry.path);
    }
    if let What::Symlink(link) | What::HardLink(link) = entry.what
        && link.len() > 100
    {
        record("linkpath", link);
    }
    if let What::File { size: stored } | What::Sparse { stored, .. } = entry.what
        && stored > MAX_SIZE
    {
        record("size", stored.to_string().as_bytes());
    }
    for (key, id) in [("uid", entry.uid), ("gid", entry.gid)] {
        if id > MAX_ID {
            record(key, id.to_string().as_bytes());
        }
    }
    let Time {
        seconds,
        nanoseconds,
    } = entry.mtime;
    let fits = u64::try_from(seconds).is_ok_and(|seconds| seconds <= MAX_SIZE);
    if nanoseconds != 0 || !fits {
        record("mtime", &time(seconds, nanoseconds));
    }
    for (name, value) in entry.xattrs {
        record(&format!("SCHILY.xattr.{name}"), value);
    }
    records
}

/// A time in decimal; before 1970 the fraction counts towards zero.
fn time(seconds: i64, nanoseconds: u32) -> Vec<u8> {
    let text = match (seconds, nanoseconds) {
        (seconds, 0) => seconds.to_string(),
        (seconds, nanoseconds) if seconds < 0 => {
            let whole = seconds.saturating_add(1).unsigned_abs();
            let text = format!("-{whole}.{:09}", 1_000_000_000 - nanoseconds);
            text.trim_end_matches('0').to_owned()
        }
        (seconds, nanoseconds) => {
            let text = format!("{seconds}.{nanoseconds:09}");
            text.trim_end_matches('0').to_owned()
        }
    };
    text.into_bytes()
}
