//! A layer being written: ustar headers, and pax records for what they can't say.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::layer_file::LayerFile;
use crate::digest::Hasher;
use crate::error::StoreError;
use crate::layer::{Device, Time};

const BLOCK: u64 = 512;

/// What the octal fields of ustar can hold.
const MAX_ID: u32 = 0o777_7777;
const MAX_SIZE: u64 = 0o777_7777_7777;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What<'a> {
    File {
        size: u64,
    },
    Folder,
    Symlink(&'a [u8]),
    /// To an earlier member.
    HardLink(&'a [u8]),
    Fifo,
    Device(Device),
}

/// A member without its content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// Relative to the root; empty for the root itself.
    pub(super) path: &'a [u8],
    pub(super) what: What<'a>,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Time,
    pub(super) xattrs: &'a BTreeMap<String, Vec<u8>>,
}

/// The layer. The same members give the same bytes.
pub(super) struct TarWriter {
    out: BufWriter<File>,
    path: PathBuf,
    hasher: Hasher,
    size: u64,
}

impl TarWriter {
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        let file = File::create_new(path).map_err(|e| StoreError::io("cannot create", path, e))?;
        Ok(Self {
            out: BufWriter::with_capacity(256 << 10, file),
            path: path.to_owned(),
            hasher: Hasher::new(),
            size: 0,
        })
    }

    /// Begins a member. The content of a file follows by [`TarWriter::data`], as many bytes as its
    /// size says, and [`TarWriter::pad`].
    pub(super) fn begin(&mut self, entry: &Entry<'_>) -> Result<(), StoreError> {
        let records = records(entry);
        if !records.is_empty() {
            let size = records.len() as u64;
            let header = header(b'x', b"pax", b"", 0o644, (0, 0), size, 0, (0, 0));
            self.data(&header)?;
            self.data(&records)?;
            self.pad(size)?;
        }
        let mut name = entry.path.to_vec();
        let (kind, link, size, device) = match entry.what {
            What::File { size } => (b'0', &b""[..], size, (0, 0)),
            What::Folder => {
                name = if name.is_empty() { b".".to_vec() } else { name };
                name.push(b'/');
                (b'5', &b""[..], 0, (0, 0))
            }
            What::Symlink(target) => (b'2', target, 0, (0, 0)),
            What::HardLink(target) => (b'1', target, 0, (0, 0)),
            What::Fifo => (b'6', &b""[..], 0, (0, 0)),
            What::Device(device) => {
                let kind = if device.is_block { b'4' } else { b'3' };
                (kind, &b""[..], 0, (device.major, device.minor))
            }
        };
        let ids = (entry.uid, entry.gid);
        let seconds = u64::try_from(entry.mtime.seconds).unwrap_or_default();
        let header = header(kind, &name, link, entry.mode, ids, size, seconds, device);
        self.data(&header)
    }

    pub(super) fn data(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.out
            .write_all(bytes)
            .map_err(|error| StoreError::io("cannot write", &self.path, error))
    }

    /// Zeros, such as those in the holes of a sparse file.
    pub(super) fn zeros(&mut self, mut count: u64) -> Result<(), StoreError> {
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
    pub(super) fn pad(&mut self, size: u64) -> Result<(), StoreError> {
        self.zeros(size.next_multiple_of(BLOCK) - size)
    }

    /// Writes the mark of the end.
    pub(super) fn finish(mut self) -> Result<LayerFile, StoreError> {
        self.zeros(2 * BLOCK)?;
        self.end()
    }

    fn end(mut self) -> Result<LayerFile, StoreError> {
        self.out
            .flush()
            .map_err(|error| StoreError::io("cannot write", &self.path, error))?;
        let digest = self.hasher.finish();
        Ok(LayerFile {
            path: self.path,
            suffix: "",
            diff_id: digest.clone(),
            digest,
            size: self.size,
        })
    }
}

/// The pax records that a member needs, in a fixed order.
fn records(entry: &Entry<'_>) -> Vec<u8> {
    let mut records = Vec::new();
    if entry.path.len() >= 100 {
        record(&mut records, b"path", entry.path);
    }
    if let What::Symlink(link) | What::HardLink(link) = entry.what
        && link.len() > 100
    {
        record(&mut records, b"linkpath", link);
    }
    if let What::File { size } = entry.what
        && size > MAX_SIZE
    {
        record(&mut records, b"size", size.to_string().as_bytes());
    }
    for (key, id) in [(&b"uid"[..], entry.uid), (b"gid", entry.gid)] {
        if id > MAX_ID {
            record(&mut records, key, id.to_string().as_bytes());
        }
    }
    let Time {
        seconds,
        nanoseconds,
    } = entry.mtime;
    let fits = u64::try_from(seconds).is_ok_and(|seconds| seconds <= MAX_SIZE);
    if nanoseconds != 0 || !fits {
        record(&mut records, b"mtime", &time(seconds, nanoseconds));
    }
    for (name, value) in entry.xattrs {
        record(
            &mut records,
            format!("SCHILY.xattr.{name}").as_bytes(),
            value,
        );
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

/// A record: its own length in decimal, a blank, `key=value`, a newline.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    length = rest + length.to_string().len();
    records.extend_from_slice(length.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

#[allow(clippy::too_many_arguments, reason = "the fields of a header block")]
fn header(
    kind: u8,
    name: &[u8],
    link: &[u8],
    mode: u32,
    (uid, gid): (u32, u32),
    size: u64,
    mtime: u64,
    (major, minor): (u32, u32),
) -> [u8; BLOCK as usize] {
    let mut block = [0; BLOCK as usize];
    let mut put = |at: usize, length: usize, bytes: &[u8]| {
        let bytes = bytes.get(..length).unwrap_or(bytes);
        if let Some(field) = block.get_mut(at..at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    };
    let octal = |value: u64, digits: usize| format!("{value:0digits$o}").into_bytes();
    // What is too large for its field stands in a pax record, which counts.
    let id = |id: u32| octal(u64::from(if id > MAX_ID { 0 } else { id }), 7);
    let large = |value: u64| octal(if value > MAX_SIZE { 0 } else { value }, 11);
    put(0, 100, name);
    put(100, 7, &octal(u64::from(mode & 0o7777), 7));
    put(108, 7, &id(uid));
    put(116, 7, &id(gid));
    put(124, 11, &large(size));
    put(136, 11, &large(mtime));
    put(148, 8, b"        ");
    put(156, 1, &[kind]);
    put(157, 100, link);
    put(257, 8, b"ustar\x0000");
    if kind == b'3' || kind == b'4' {
        put(329, 7, &octal(u64::from(major), 7));
        put(337, 7, &octal(u64::from(minor), 7));
    }
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ").into_bytes();
    if let Some(field) = block.get_mut(148..156) {
        field.copy_from_slice(sum.get(..8).unwrap_or(b"        "));
    }
    block
}

/// Writes what `reader`, a tar stream, gives as a layer, byte for byte. `from` is for messages.
pub(super) fn copy_plain(
    reader: &mut dyn Read,
    from: &Path,
    file: &Path,
) -> Result<LayerFile, StoreError> {
    let mut layer = TarWriter::create(file)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = match reader.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            other => {
                let what = from.display().to_string();
                other.map_err(|error| StoreError::from_source(&what, error))?
            }
        };
        match buffer.get(..count) {
            Some(bytes) if !bytes.is_empty() => layer.data(bytes)?,
            _ => return layer.end(),
        }
    }
}
