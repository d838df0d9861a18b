//! Headers of tar members. What does not fit into a field stands in a pax record, which counts.

use std::io::{self, Write};

use rustix::fs::Stat;
use tar::{Builder, EntryType, Header};

const BLOCK: u64 = 512;
/// What the octal fields of ustar can hold.
const MAX_ID: u32 = 0o777_7777;
const MAX_SIZE: u64 = 0o777_7777_7777;

/// What a member is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    /// As many bytes follow.
    File(u64),
    Directory,
    Symlink(&'a [u8]),
    Fifo,
}

/// A tar stream being written.
pub(crate) struct TarStream<W: Write>(Builder<W>);

impl<W: Write> TarStream<W> {
    pub(crate) fn new(out: W) -> Self {
        Self(Builder::new(out))
    }

    /// Begins a member. The content of a file follows by [`TarStream::data`], and [`TarStream::pad`].
    pub(crate) fn begin(&mut self, path: &[u8], what: What<'_>, stat: &Stat) -> io::Result<()> {
        let records = records(path, what, stat);
        let records = records.iter().map(|(key, value)| (*key, value.as_slice()));
        self.0.append_pax_extensions(records)?;
        self.0.append(&header(path, what, stat), io::empty())
    }

    pub(crate) fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Fills the last block of content of this size.
    pub(crate) fn pad(&mut self, size: u64) -> io::Result<()> {
        let padding = usize::try_from(size.next_multiple_of(BLOCK) - size).unwrap_or_default();
        let zeros = [0; BLOCK as usize];
        self.data(zeros.get(..padding).unwrap_or_default())
    }

    /// Writes the mark of the end.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.0.into_inner()?.flush()
    }
}

fn header(path: &[u8], what: What<'_>, stat: &Stat) -> Header {
    let mut header = Header::new_ustar();
    let mut name = path.to_vec();
    let (kind, link, size) = match what {
        What::File(size) => (EntryType::Regular, &b""[..], size),
        What::Directory => {
            name.push(b'/');
            (EntryType::Directory, &b""[..], 0)
        }
        What::Symlink(target) => (EntryType::Symlink, target, 0),
        What::Fifo => (EntryType::Fifo, &b""[..], 0),
    };
    let fitting = |id: u32| if id > MAX_ID { 0 } else { u64::from(id) };
    let seconds = u64::try_from(stat.st_mtime).unwrap_or_default();
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(fitting(stat.st_uid));
    header.set_gid(fitting(stat.st_gid));
    header.set_size(if size > MAX_SIZE { 0 } else { size });
    header.set_mtime(if seconds > MAX_SIZE { 0 } else { seconds });
    let old = header.as_old_mut();
    put(&mut old.name, &name);
    put(&mut old.linkname, link);
    header.set_cksum();
    header
}

/// Puts as many of `bytes` into a field as it holds.
fn put(field: &mut [u8], bytes: &[u8]) {
    for (to, from) in field.iter_mut().zip(bytes) {
        *to = *from;
    }
}

fn records(path: &[u8], what: What<'_>, stat: &Stat) -> Vec<(&'static str, Vec<u8>)> {
    let mut records = Vec::new();
    if path.len() >= 100 {
        records.push(("path", path.to_vec()));
    }
    match what {
        What::Symlink(target) if target.len() > 100 => records.push(("linkpath", target.to_vec())),
        What::File(size) if size > MAX_SIZE => {
            records.push(("size", size.to_string().into_bytes()));
        }
        _ => {}
    }
    for (key, id) in [("uid", stat.st_uid), ("gid", stat.st_gid)] {
        if id > MAX_ID {
            records.push((key, id.to_string().into_bytes()));
        }
    }
    // Times before 1970 are no more than that.
    if let (Ok(seconds), true) = (u64::try_from(stat.st_mtime), stat.st_mtime_nsec != 0) {
        let time = format!("{seconds}.{:09}", stat.st_mtime_nsec);
        records.push(("mtime", time.into_bytes()));
    }
    records
}
