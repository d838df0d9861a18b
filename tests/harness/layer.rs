//! A layer, written as tar in memory: proper ones, and those that no honest tool makes.

use std::io::Write;

use flate2::GzBuilder;
use tar::{EntryType, Header};

/// How a layer's tar is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// gzip.
    #[default]
    Gzip,
    /// zstd.
    Zstd,
    /// Plain tar.
    None,
}

/// One filesystem change set. Entries come in the order of the calls; parents are not added.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    entries: Vec<Entry>,
    pub(crate) compression: Compression,
    pub(crate) packed: Option<(Vec<u8>, Vec<u8>)>,
    owner: (u64, u64),
}

#[derive(Debug, Clone)]
struct Entry {
    kind: EntryType,
    path: Vec<u8>,
    link: Vec<u8>,
    mode: u32,
    owner: (u64, u64),
    device: (u32, u32),
    data: Vec<u8>,
    xattrs: Vec<(String, Vec<u8>)>,
}

impl Layer {
    /// A layer without entries, gzip.
    pub fn new() -> Self {
        Self::default()
    }

    /// A layer of which a test has made both forms itself. Where it is to fail before its end, the
    /// tar may be any bytes.
    pub fn ready(tar: impl Into<Vec<u8>>, blob: impl Into<Vec<u8>>) -> Self {
        Self {
            packed: Some((tar.into(), blob.into())),
            ..Self::default()
        }
    }

    /// How the layer is packed.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The owner of the entries that follow (at first root).
    pub fn owner(mut self, uid: u64, gid: u64) -> Self {
        self.owner = (uid, gid);
        self
    }

    /// A regular file. Paths are written as given, also with `..` or a leading `/`.
    pub fn file(self, path: &str, data: impl AsRef<[u8]>, mode: u32) -> Self {
        self.entry(EntryType::Regular, path, "", mode, (0, 0), data.as_ref())
    }

    /// A directory.
    pub fn folder(self, path: &str, mode: u32) -> Self {
        self.entry(EntryType::Directory, path, "", mode, (0, 0), &[])
    }

    /// A symbolic link to `target`.
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, target, 0o777, (0, 0), &[])
    }

    /// A hard link to the entry `target`.
    pub fn hardlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Link, path, target, 0o644, (0, 0), &[])
    }

    /// A character device.
    pub fn character_device(self, path: &str, major: u32, minor: u32) -> Self {
        self.entry(EntryType::Char, path, "", 0o666, (major, minor), &[])
    }

    /// A named pipe.
    pub fn fifo(self, path: &str) -> Self {
        self.entry(EntryType::Fifo, path, "", 0o644, (0, 0), &[])
    }

    /// The removal of `path` from the layers below (`.wh.NAME`).
    pub fn whiteout(self, path: &str) -> Self {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let slash = if folder.is_empty() { "" } else { "/" };
        self.file(&format!("{folder}{slash}.wh.{name}"), "", 0o644)
    }

    /// The removal of all that the layers below have in `folder` (`.wh..wh..opq`).
    pub fn opaque(self, folder: &str) -> Self {
        self.file(&format!("{folder}/.wh..wh..opq"), "", 0o644)
    }

    /// Gives the last entry an extended attribute, as a PAX record `SCHILY.xattr.NAME`.
    pub fn xattr(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let entry = self
            .entries
            .last_mut()
            .expect("an entry to give the attribute to");
        entry
            .xattrs
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    fn entry(
        mut self,
        kind: EntryType,
        path: &str,
        link: &str,
        mode: u32,
        device: (u32, u32),
        data: &[u8],
    ) -> Self {
        self.entries.push(Entry {
            kind,
            path: path.as_bytes().to_vec(),
            link: link.as_bytes().to_vec(),
            mode,
            owner: self.owner,
            device,
            data: data.to_vec(),
            xattrs: Vec::new(),
        });
        self
    }

    /// The tar.
    pub fn tar(&self) -> Vec<u8> {
        if let Some((tar, _)) = &self.packed {
            return tar.clone();
        }
        let mut tar = Vec::new();
        for entry in &self.entries {
            entry.write(&mut tar);
        }
        tar.resize(tar.len() + 1024, 0);
        tar
    }

    /// The blob: the tar, packed.
    pub fn blob(&self) -> Vec<u8> {
        match &self.packed {
            Some((_, blob)) => blob.clone(),
            None => pack(&self.tar(), self.compression),
        }
    }
}

pub(crate) fn pack(tar: &[u8], compression: Compression) -> Vec<u8> {
    match compression {
        Compression::None => tar.to_vec(),
        Compression::Zstd => zstd::encode_all(tar, 1).expect("zstd in memory"),
        Compression::Gzip => {
            let mut encoder = GzBuilder::new().write(Vec::new(), flate2::Compression::fast());
            encoder.write_all(tar).expect("gzip in memory");
            encoder.finish().expect("gzip in memory")
        }
    }
}

impl Entry {
    fn write(&self, tar: &mut Vec<u8>) {
        let mut records = Vec::new();
        for (name, value) in &self.xattrs {
            record(&mut records, &format!("SCHILY.xattr.{name}"), value);
        }
        if self.path.len() > 100 {
            record(&mut records, "path", &self.path);
        }
        if self.link.len() > 100 {
            record(&mut records, "linkpath", &self.link);
        }
        if !records.is_empty() {
            append(
                tar,
                &Self::header(EntryType::XHeader, b"pax", b"", 0o644),
                &records,
            );
        }
        let mut header = Self::header(self.kind, &self.path, &self.link, self.mode);
        header.set_uid(self.owner.0);
        header.set_gid(self.owner.1);
        if self.kind == EntryType::Char {
            header.set_device_major(self.device.0).expect("ustar");
            header.set_device_minor(self.device.1).expect("ustar");
        }
        append(tar, &header, &self.data);
    }

    /// A ustar header. The `tar` crate refuses hostile paths, so names are put in by hand.
    fn header(kind: EntryType, path: &[u8], link: &[u8], mode: u32) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_700_000_000);
        header.set_uid(0);
        header.set_gid(0);
        let fields = header.as_old_mut();
        for (field, value) in [(&mut fields.name, path), (&mut fields.linkname, link)] {
            let length = value.len().min(field.len());
            field[..length].copy_from_slice(&value[..length]);
        }
        header
    }
}

fn append(tar: &mut Vec<u8>, header: &Header, data: &[u8]) {
    let mut header = header.clone();
    header.set_size(data.len().try_into().expect("a length"));
    header.set_cksum();
    tar.extend_from_slice(header.as_bytes());
    tar.extend_from_slice(data);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

/// A PAX record: its own length in decimal, a blank, `key=value`, a newline.
fn record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while rest + length.to_string().len() != length {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tar_crate_reads_what_is_written() {
        let long = "d/".repeat(80) + "name";
        let layer = Layer::new()
            .folder("etc", 0o755)
            .owner(7, 8)
            .file("etc/motd", "hello", 0o640)
            .xattr("user.note", "yes")
            .symlink("link", "/etc/motd")
            .file(&long, "deep", 0o600)
            .whiteout("etc/gone");
        let tar = layer.tar();
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let xattrs = entry.pax_extensions().unwrap().map_or(0, |records| {
                records
                    .filter(|r| r.as_ref().unwrap().key().unwrap() == "SCHILY.xattr.user.note")
                    .count()
            });
            found.push((
                entry.path().unwrap().display().to_string(),
                entry.header().uid().unwrap(),
                entry.size(),
                xattrs,
            ));
        }
        assert_eq!(
            found,
            [
                ("etc".to_owned(), 0, 0, 0),
                ("etc/motd".to_owned(), 7, 5, 1),
                ("link".to_owned(), 7, 0, 0),
                (long, 7, 4, 0),
                ("etc/.wh.gone".to_owned(), 7, 0, 0),
            ]
        );
    }
}
