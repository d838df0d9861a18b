//! What tests are made of: layers byte by byte, good and bad ones.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "for tests, of this crate and of those above; the names say what is made"
)]

use std::fs;
use std::io::Write;
use std::path::Path;

/// A tar stream that may hold anything.
#[derive(Default, Clone)]
pub struct Tar(Vec<u8>);

/// A header to be written, with fields to be changed.
#[derive(Clone)]
pub struct Head<'a> {
    pub name: &'a [u8],
    pub kind: u8,
    pub link: &'a [u8],
    pub mode: u64,
    pub uid: u64,
    pub gid: u64,
    pub mtime: u64,
    pub size: Option<u64>,
    pub data: &'a [u8],
}

impl Default for Head<'_> {
    fn default() -> Self {
        Head {
            name: b"x",
            kind: b'0',
            link: b"",
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: 1_000_000,
            size: None,
            data: b"",
        }
    }
}

impl Tar {
    pub fn head(mut self, head: &Head<'_>) -> Self {
        let mut block = tar::Header::new_ustar();
        let bytes = block.as_mut_bytes();
        bytes[..head.name.len()].copy_from_slice(head.name);
        bytes[157..157 + head.link.len()].copy_from_slice(head.link);
        block.set_mode(u32::try_from(head.mode).unwrap());
        block.set_uid(head.uid);
        block.set_gid(head.gid);
        block.set_mtime(head.mtime);
        block.set_size(head.size.unwrap_or(head.data.len() as u64));
        block.set_entry_type(tar::EntryType::new(head.kind));
        block.set_cksum();
        self.0.extend_from_slice(block.as_bytes());
        self.0.extend_from_slice(head.data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// A header of which some bytes are others, at their offsets; its checksum is right.
    pub fn patched(mut self, head: &Head<'_>, patches: &[(usize, &[u8])]) -> Self {
        let start = self.0.len();
        self = self.head(head);
        let block = &mut self.0[start..start + 512];
        for (offset, bytes) in patches {
            block[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self
    }

    pub fn file(self, name: &str, data: &[u8]) -> Self {
        self.head(&Head {
            name: name.as_bytes(),
            data,
            ..Head::default()
        })
    }

    pub fn folder(self, name: &str) -> Self {
        self.head(&Head {
            name: name.as_bytes(),
            kind: b'5',
            mode: 0o755,
            ..Head::default()
        })
    }

    pub fn symlink(self, name: &str, link: &str) -> Self {
        let (name, link) = (name.as_bytes(), link.as_bytes());
        self.head(&Head {
            name,
            link,
            kind: b'2',
            mode: 0o777,
            ..Head::default()
        })
    }

    pub fn hard_link(self, name: &str, link: &str) -> Self {
        let (name, link) = (name.as_bytes(), link.as_bytes());
        self.head(&Head {
            name,
            link,
            kind: b'1',
            ..Head::default()
        })
    }

    /// Extended header records for the member that follows.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + rest.to_string().len();
            length = rest + length.to_string().len();
            data.extend_from_slice(format!("{length} {key}=").as_bytes());
            data.extend_from_slice(value);
            data.push(b'\n');
        }
        self.head(&Head {
            name: b"pax",
            kind: b'x',
            data: &data,
            ..Head::default()
        })
    }

    /// Bytes as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The stream with its end mark.
    pub fn end(self) -> Vec<u8> {
        self.raw(&[0; 1024]).0
    }

    /// The stream without an end mark.
    pub fn open_end(self) -> Vec<u8> {
        self.0
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

/// All below a directory: type, mode, owner, size and target of each, sorted.
pub fn tree(root: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    fn walk(root: &Path, at: &Path, lines: &mut Vec<String>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let target = fs::read_link(&path).map_or(String::new(), |t| format!(" -> {t:?}"));
            let size = if meta.is_file() { meta.size() } else { 0 };
            let (mode, uid, gid) = (meta.mode(), meta.uid(), meta.gid());
            let name = path.strip_prefix(root).unwrap().display().to_string();
            lines.push(format!("{name} {mode:o} {uid}:{gid} {size}{target}"));
            if meta.is_dir() {
                walk(root, &path, lines);
            }
        }
    }
    let mut lines = Vec::new();
    if root.exists() {
        walk(root, root, &mut lines);
    }
    lines.sort();
    lines
}
