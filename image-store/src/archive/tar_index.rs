//! A tar file read in place: one walk over its headers, then readers by offset.
//!
//! Nothing is unpacked, so a name in the archive is only ever a key of a map. The walk refuses
//! what two parsers could read differently (sizes on entries that have no data, global sizes, two
//! files of one name), because such an archive can hide an entry from whoever checked it before.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Component, Path};
use std::sync::Arc;

use crate::error::StoreError;
use crate::layout::files::{LayoutFiles, OpenFile, open_regular};

const BLOCK: u64 = 512;

/// Most entries of one archive; real image archives have some hundred.
const MAX_ENTRIES: usize = 100_000;

/// Longest name and longest extension record, in bytes.
const MAX_NAME: usize = 4096;
const MAX_EXTENSION: u64 = 64 << 10;

/// Links in a row; `docker save` of old made one hop for a layer that two images share.
const MAX_LINKS: usize = 8;

/// What a tar file holds and where.
pub(crate) struct TarIndex {
    file: Arc<File>,
    what: String,
    entries: HashMap<String, Entry>,
}

enum Entry {
    File { offset: u64, size: u64 },
    Link(String),
}

impl TarIndex {
    /// Walks over the headers of the file.
    ///
    /// # Errors
    /// [`StoreError::InvalidSource`] if it is not a tar file or one that is refused,
    /// [`StoreError::Truncated`] if it ends within an entry.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let what = path.display().to_string();
        let opened = open_regular(path)?.ok_or_else(|| {
            StoreError::io(
                "cannot open",
                path,
                io::Error::from(io::ErrorKind::NotFound),
            )
        })?;
        let mut walk = Walk {
            file: &opened.0,
            length: opened.1,
            at: 0,
            what: &what,
        };
        let entries = walk.entries()?;
        Ok(Self {
            file: Arc::new(opened.0),
            what,
            entries,
        })
    }

    /// Whether a regular file of that name (or a link) is in the archive.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// A reader of the file `name`; links within the archive are followed.
    pub(crate) fn section(&self, name: &str) -> Result<Option<Section>, StoreError> {
        let mut name = normalize(name);
        for _ in 0..MAX_LINKS {
            match name.as_ref().and_then(|name| self.entries.get(name)) {
                None => return Ok(None),
                Some(Entry::File { offset, size }) => {
                    let file = Arc::clone(&self.file);
                    return Ok(Some(Section {
                        file,
                        start: *offset,
                        at: *offset,
                        end: offset + size,
                    }));
                }
                Some(Entry::Link(target)) => name = Some(target.clone()),
            }
        }
        Err(refused(&self.what, "too many links in a row"))
    }
}

impl LayoutFiles for TarIndex {
    fn open(&self, name: &str) -> Result<Option<OpenFile>, StoreError> {
        Ok(self.section(name)?.map(|section| {
            let size = section.len();
            OpenFile {
                reader: Box::new(section),
                size,
            }
        }))
    }

    fn what(&self) -> &str {
        &self.what
    }
}

/// One file within the archive, readable and seekable without a copy.
#[derive(Clone)]
pub(crate) struct Section {
    file: Arc<File>,
    start: u64,
    at: u64,
    end: u64,
}

impl Section {
    /// Bytes of the file.
    pub(crate) fn len(&self) -> u64 {
        self.end - self.start
    }
}

impl Read for Section {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buf.len().min(left);
        let Some(buf) = buf.get_mut(..wanted).filter(|buf| !buf.is_empty()) else {
            return Ok(0);
        };
        match self.file.read_at(buf, self.at)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.at += count as u64;
                Ok(count)
            }
        }
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => self.start.checked_add(offset),
            SeekFrom::End(offset) => self.end.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        match target.filter(|target| *target >= self.start) {
            Some(target) => {
                self.at = target;
                Ok(target - self.start)
            }
            None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

struct Walk<'a> {
    file: &'a File,
    length: u64,
    at: u64,
    what: &'a str,
}

/// What extension headers say about the entry after them.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Walk<'_> {
    fn entries(&mut self) -> Result<HashMap<String, Entry>, StoreError> {
        let mut entries = HashMap::new();
        let mut extension = Extension::default();
        let mut count = 0_usize;
        while let Some(header) = self.header()? {
            count += 1;
            if count > MAX_ENTRIES {
                return Err(StoreError::LimitExceeded {
                    what: self.what.to_owned(),
                    limit: format!("{MAX_ENTRIES} entries"),
                });
            }
            let size = header
                .entry_size()
                .map_err(|_| self.refused("bad size field"))?;
            match header.entry_type().as_byte() {
                b'x' => self.pax(size, &mut extension)?,
                b'g' => {
                    let mut global = Extension::default();
                    self.pax(size, &mut global)?;
                    if global.path.is_some() || global.link.is_some() || global.size.is_some() {
                        return Err(self.refused("global header with a path or size"));
                    }
                }
                b'L' => extension.path = Some(trim_nul(self.extension_bytes(size)?)),
                b'K' => extension.link = Some(trim_nul(self.extension_bytes(size)?)),
                kind => {
                    let extension = std::mem::take(&mut extension);
                    self.member(&header, kind, size, extension, &mut entries)?;
                }
            }
        }
        if count == 0 {
            return Err(self.refused("it is an empty archive"));
        }
        Ok(entries)
    }

    fn member(
        &mut self,
        header: &tar::Header,
        kind: u8,
        size: u64,
        extension: Extension,
        entries: &mut HashMap<String, Entry>,
    ) -> Result<(), StoreError> {
        let size = extension.size.unwrap_or(size);
        let path = extension
            .path
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let name = std::str::from_utf8(&path).ok().and_then(normalize);
        let entry = match kind {
            b'0' | b'7' | 0 if path.ends_with(b"/") => None,
            b'0' | b'7' | 0 => Some(Entry::File {
                offset: self.at,
                size,
            }),
            b'1' | b'2' => {
                let link = extension
                    .link
                    .or_else(|| header.link_name_bytes().map(|link| link.into_owned()))
                    .unwrap_or_default();
                let base = if kind == b'2' {
                    name.as_deref().unwrap_or("")
                } else {
                    ""
                };
                std::str::from_utf8(&link)
                    .ok()
                    .and_then(|link| link_target(base, link))
                    .map(Entry::Link)
            }
            b'3'..=b'6' => None,
            _ => {
                let kind = char::from(kind).escape_default();
                return Err(self.refused(&format!("entry of unknown type '{kind}'")));
            }
        };
        if size != 0 && !matches!(kind, b'0' | b'7' | 0) {
            return Err(self.refused("entry without content that has a size"));
        }
        self.skip(size)?;
        if let (Some(name), Some(entry)) = (name, entry)
            && entries.insert(name.clone(), entry).is_some()
        {
            return Err(self.refused(&format!("two files of the name {name:?}")));
        }
        Ok(())
    }

    /// The next header, or `None` at the end of the archive.
    fn header(&mut self) -> Result<Option<tar::Header>, StoreError> {
        if self.at >= self.length {
            return Ok(None);
        }
        let mut block = [0_u8; BLOCK as usize];
        self.read_exact(&mut block)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if self.at == BLOCK {
            self.check_magic(&block)?;
        }
        let header = tar::Header::from_byte_slice(&block).clone();
        // The checksum is over the block with its own eight bytes taken as blanks.
        let sum: u32 = block
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u32::from(*byte)
                }
            })
            .sum();
        if header.cksum().ok() != Some(sum) {
            return Err(self.refused("it is not a tar file, or a corrupt one (header checksum)"));
        }
        Ok(Some(header))
    }

    fn check_magic(&self, block: &[u8]) -> Result<(), StoreError> {
        for (magic, name) in [
            (&b"\x1f\x8b"[..], "gzip"),
            (&b"\x28\xb5\x2f\xfd"[..], "zstd"),
            (&b"\xfd7zXZ"[..], "xz"),
            (&b"BZh"[..], "bzip2"),
        ] {
            if block.starts_with(magic) {
                return Err(self.refused(&format!(
                    "it is compressed with {name}; decompress it first, archives are read in place"
                )));
            }
        }
        Ok(())
    }

    fn extension_bytes(&mut self, size: u64) -> Result<Vec<u8>, StoreError> {
        if size > MAX_EXTENSION {
            return Err(StoreError::LimitExceeded {
                what: format!("{}: extension header", self.what),
                limit: format!("{MAX_EXTENSION} bytes"),
            });
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        let start = self.at;
        self.read_exact(&mut bytes)?;
        self.at = start;
        self.skip(size)?;
        Ok(bytes)
    }

    /// Reads `LENGTH KEY=VALUE\n` records (POSIX pax).
    fn pax(&mut self, size: u64, extension: &mut Extension) -> Result<(), StoreError> {
        let bytes = self.extension_bytes(size)?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (key, value, after) =
                pax_record(rest).ok_or_else(|| self.refused("bad PAX record"))?;
            match key {
                b"path" => extension.path = Some(value.to_vec()),
                b"linkpath" => extension.link = Some(value.to_vec()),
                b"size" => {
                    let size = decimal(value).ok_or_else(|| self.refused("bad PAX size"))?;
                    extension.size = Some(size);
                }
                _ if key.starts_with(b"GNU.sparse.") => {
                    return Err(self.refused("sparse file"));
                }
                _ => {}
            }
            rest = after;
        }
        Ok(())
    }

    fn read_exact(&mut self, buf: &mut [u8]) -> Result<(), StoreError> {
        self.file
            .read_exact_at(buf, self.at)
            .map_err(|error| StoreError::from_read(self.what, error))?;
        self.at += buf.len() as u64;
        Ok(())
    }

    /// Goes over the content of an entry and the padding after it.
    fn skip(&mut self, size: u64) -> Result<(), StoreError> {
        let end = self.at.checked_add(size).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| StoreError::Truncated {
            what: self.what.to_owned(),
        })?;
        self.at = end.next_multiple_of(BLOCK);
        Ok(())
    }

    fn refused(&self, reason: &str) -> StoreError {
        refused(self.what, reason)
    }
}

fn refused(what: &str, reason: &str) -> StoreError {
    StoreError::InvalidSource {
        origin: what.to_owned(),
        reason: reason.to_owned(),
    }
}

fn pax_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = bytes.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(bytes.get(..blank)?)?).ok()?;
    let record = bytes.get(blank + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((
        record.get(..equals)?,
        record.get(equals + 1..)?,
        bytes.get(length..)?,
    ))
}

fn decimal(bytes: &[u8]) -> Option<u64> {
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(bytes)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()
}

fn trim_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    bytes
}

/// `./a//b` as `a/b`; `None` for names that no image archive has: absolute, with `..`, too long.
fn normalize(name: &str) -> Option<String> {
    link_target("", name).filter(|name| !name.is_empty())
}

/// Where a link leads, seen from the root of the archive; `None` if that is outside.
fn link_target(from: &str, link: &str) -> Option<String> {
    if link.len() > MAX_NAME {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for component in Path::new(link).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => {
                parts.pop()?;
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
#[path = "tar_index_tests.rs"]
mod tests;
