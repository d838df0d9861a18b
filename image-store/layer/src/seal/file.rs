//! The files of a seal: a header, and blocks that can be read one by one.
//!
//! ```text
//! header   magic 8, version u32, blocks u32, entries u64, flags u32, zero u32, diff ID 32, checksum 32
//! block    at 96 + 65536 * number: checksum 32, length u32, payload
//! ```
//!
//! Numbers are little-endian. Checksums are BLAKE3, keyed by the diff ID, over what follows them (the
//! header's: over what is ahead of it), and a block's over its number too. In `seal` a payload holds
//! entries (see `block`), in `contents` records (see `record`): block N of the one is about the
//! entries in block N of the other.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use image_name::Digest;

use super::block::{BLOCK, HEAD};
use super::key::{Key, key};
use crate::error::ContentError;
use crate::regular_file::open_regular;

/// What each inode of the tree showed when the layer was unpacked.
pub const SEAL: &str = "seal";
/// Digests of what is in the files.
pub const CONTENTS: &str = "contents";

const VERSION: u32 = 1;
const HEADER: usize = 96;
const UNSUMMED: usize = HEADER - 32;
/// The layer hides everything below it.
const OPAQUE: u32 = 1;

fn magic(name: &str) -> [u8; 8] {
    match name {
        SEAL => *b"fairseal",
        _ => *b"faircont",
    }
}

/// A file of a seal that is being written.
pub(super) struct Output {
    file: File,
    path: PathBuf,
    name: &'static str,
    key: Key,
    blocks: u32,
}

impl Output {
    /// Makes the file `name` in the directory of a layer.
    pub(super) fn create(
        folder: &Path,
        name: &'static str,
        diff_id: &Digest,
    ) -> Result<Self, ContentError> {
        let path = folder.join(name);
        let file = File::create_new(&path)
            .map_err(|error| ContentError::io("cannot create", &path, error))?;
        let key = key(diff_id);
        let mut output = Self {
            file,
            path,
            name,
            key,
            blocks: 0,
        };
        // The header's place, filled at the end: a file that was never finished has no magic.
        output.write(&[0; HEADER])?;
        Ok(output)
    }

    /// Adds a block.
    pub(super) fn block(&mut self, payload: &[u8]) -> Result<(), ContentError> {
        if self.blocks > 0 {
            // The block before is shorter than its place.
            let next = HEADER as u64 + BLOCK as u64 * u64::from(self.blocks);
            std::io::Seek::seek(&mut self.file, std::io::SeekFrom::Start(next))
                .map_err(|error| ContentError::io("cannot write", &self.path, error))?;
        }
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let mut block = Vec::with_capacity(HEAD + payload.len());
        block.extend_from_slice(&[0; 32]);
        block.extend_from_slice(&length.to_le_bytes());
        block.extend_from_slice(payload);
        let sum = block_sum(&self.key, self.blocks, block.get(32..).unwrap_or_default());
        if let Some(place) = block.first_chunk_mut() {
            *place = sum;
        }
        self.blocks += 1;
        self.write(&block)
    }

    /// Writes the header, and gives the bytes of the file.
    pub(super) fn finish(self, entries: u64, opaque: bool) -> Result<u64, ContentError> {
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&magic(self.name));
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&self.blocks.to_le_bytes());
        header.extend_from_slice(&entries.to_le_bytes());
        header.extend_from_slice(&(if opaque { OPAQUE } else { 0 }).to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&self.key);
        let sum = blake3::keyed_hash(&self.key, &header);
        header.extend_from_slice(sum.as_bytes());
        self.file
            .write_all_at(&header, 0)
            .and_then(|()| self.file.metadata())
            .map(|metadata| metadata.len())
            .map_err(|error| ContentError::io("cannot write", &self.path, error))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        self.file
            .write_all(bytes)
            .map_err(|error| ContentError::io("cannot write", &self.path, error))
    }
}

fn block_sum(key: &Key, number: u32, rest: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&number.to_le_bytes());
    hasher.update(rest);
    hasher.finalize().into()
}

/// A file of a seal, open for reading; its header is proven.
#[derive(Debug)]
pub(super) struct Input {
    file: File,
    path: PathBuf,
    name: &'static str,
    diff_id: Digest,
    key: Key,
    pub(super) blocks: u32,
    pub(super) entries: u64,
    pub(super) opaque: bool,
}

impl Input {
    /// Opens the file `name` in the directory of a layer.
    ///
    /// # Errors
    /// [`ContentError::Unsealed`] if it isn't there, isn't whole, or isn't of this version or layer.
    pub(super) fn open(
        folder: &Path,
        name: &'static str,
        diff_id: &Digest,
    ) -> Result<Self, ContentError> {
        let path = folder.join(name);
        let unsealed = |reason: String| ContentError::Unsealed {
            diff_id: diff_id.clone(),
            reason,
        };
        let damaged = || unsealed(format!("its file {name:?} is damaged"));
        let (file, _) = match open_regular(&path) {
            Ok(found) => found.ok_or_else(|| unsealed(format!("its file {name:?} is missing")))?,
            Err(ContentError::NotRegular { .. }) => return Err(damaged()),
            Err(error) => return Err(error),
        };
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => damaged(),
                _ => ContentError::io("cannot read", &path, error),
            })?;
        let key = key(diff_id);
        let mut rest = header.as_slice();
        if take::<8>(&mut rest) != magic(name) {
            return Err(damaged());
        }
        let version = u32::from_le_bytes(take(&mut rest));
        if version > VERSION {
            let reason =
                format!("its file {name:?} is of version {version}, made by a later fairing");
            return Err(unsealed(reason));
        }
        let blocks = u32::from_le_bytes(take(&mut rest));
        let entries = u64::from_le_bytes(take(&mut rest));
        let flags = u32::from_le_bytes(take(&mut rest));
        let zero = take::<4>(&mut rest);
        if take::<32>(&mut rest) != key {
            return Err(unsealed(format!("its file {name:?} is of another layer")));
        }
        let sum = blake3::keyed_hash(&key, header.get(..UNSUMMED).unwrap_or_default());
        let known = version == VERSION && flags & !OPAQUE == 0 && zero == [0; 4];
        // Comparing takes equally long whatever differs; there is no secret in it.
        if sum != blake3::Hash::from_bytes(take(&mut rest)) || !known {
            return Err(damaged());
        }
        Ok(Self {
            file,
            path,
            name,
            diff_id: diff_id.clone(),
            key,
            blocks,
            entries,
            opaque: flags & OPAQUE != 0,
        })
    }

    /// Reads a block into `buffer` and gives its payload, proven.
    pub(super) fn block<'a>(
        &self,
        number: u32,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], ContentError> {
        buffer.resize(BLOCK, 0);
        let at = HEADER as u64 + BLOCK as u64 * u64::from(number);
        let mut filled = 0;
        while let Some(space) = buffer.get_mut(filled..).filter(|space| !space.is_empty()) {
            match self.file.read_at(space, at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read.min(space.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(ContentError::io("cannot read", &self.path, error)),
            }
        }
        let (sum, rest) = buffer
            .get(..filled)
            .and_then(<[u8]>::split_first_chunk::<32>)
            .ok_or_else(|| self.damaged())?;
        let length = rest.first_chunk().map_or(0, |n| u32::from_le_bytes(*n));
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_add(4))
            .filter(|end| *end <= rest.len())
            .ok_or_else(|| self.damaged())?;
        let summed = rest.get(..end).ok_or_else(|| self.damaged())?;
        if block_sum(&self.key, number, summed) != *sum {
            return Err(self.damaged());
        }
        summed.get(4..).ok_or_else(|| self.damaged())
    }

    /// The error for what no writer makes.
    pub(super) fn damaged(&self) -> ContentError {
        ContentError::Unsealed {
            diff_id: self.diff_id.clone(),
            reason: format!("its file {:?} is damaged", self.name),
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    match rest.split_first_chunk() {
        Some((field, after)) => {
            *rest = after;
            *field
        }
        None => [0; N],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;

    fn written(payloads: &[&[u8]], opaque: bool) -> (tempfile::TempDir, Digest) {
        let folder = tempfile::tempdir().unwrap();
        let diff_id = sha256(b"layer");
        let mut output = Output::create(folder.path(), SEAL, &diff_id).unwrap();
        for payload in payloads {
            output.block(payload).unwrap();
        }
        let length = output.finish(7, opaque).unwrap();
        let path = folder.path().join(SEAL);
        assert_eq!(length, path.metadata().unwrap().len());
        (folder, diff_id)
    }

    #[test]
    fn what_was_written_is_read_block_by_block() {
        let largest = vec![3; BLOCK - HEAD];
        let payloads: [&[u8]; 4] = [b"one", &largest, b"", b"four"];
        for opaque in [false, true] {
            let (folder, diff_id) = written(&payloads, opaque);
            let input = Input::open(folder.path(), SEAL, &diff_id).unwrap();
            assert_eq!((input.blocks, input.entries, input.opaque), (4, 7, opaque));
            let mut buffer = Vec::new();
            for (number, payload) in (0..).zip(payloads) {
                assert_eq!(input.block(number, &mut buffer).unwrap(), payload);
            }
            let error = input.block(4, &mut buffer).unwrap_err().to_string();
            assert!(error.contains("damaged"), "{error}");
        }
    }

    /// What is said of a seal whose header has other bytes, with a checksum that fits.
    fn of_header(at: usize, bytes: &[u8]) -> String {
        let (folder, diff_id) = written(&[b"one"], false);
        let path = folder.path().join(SEAL);
        let mut file = std::fs::read(&path).unwrap();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        let sum = blake3::keyed_hash(&key(&diff_id), &file[..UNSUMMED]);
        file[UNSUMMED..HEADER].copy_from_slice(sum.as_bytes());
        std::fs::write(&path, file).unwrap();
        match Input::open(folder.path(), SEAL, &diff_id) {
            Ok(input) => format!("{} {}", input.blocks, input.entries),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_header_that_no_writer_makes_is_refused_though_its_checksum_fits() {
        // The same bytes again are fine.
        assert_eq!(of_header(0, b"fairseal"), "1 7");
        assert_eq!(of_header(12, &2_u32.to_le_bytes()), "2 7");
        for (at, bytes, reason) in [
            (0, &b"faircont"[..], "damaged"),
            (8, &[0], "damaged"),
            (8, &[2], "version 2"),
            (24, &[2], "damaged"),
            (24, &[3], "damaged"),
            (28, &[1], "damaged"),
            (32, &[0, 0, 0, 0], "of another layer"),
        ] {
            let told = of_header(at, bytes);
            assert!(told.contains(reason), "{at}: {told}");
        }
    }

    #[test]
    fn a_block_is_in_its_place_and_whole_or_damaged() {
        let (folder, diff_id) = written(&[b"one", b"two"], false);
        let path = folder.path().join(SEAL);
        let good = std::fs::read(&path).unwrap();
        let first = HEADER..HEADER + HEAD + 3;
        let second = HEADER + BLOCK..HEADER + BLOCK + HEAD + 3;
        let read = |bytes: &[u8], number| {
            std::fs::write(&path, bytes).unwrap();
            let input = Input::open(folder.path(), SEAL, &diff_id).unwrap();
            let mut buffer = Vec::new();
            input.block(number, &mut buffer).map(<[u8]>::to_vec)
        };
        assert_eq!(read(&good, 1).unwrap(), b"two");
        for at in second.clone() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(read(&bad, 1).is_err(), "{at}");
        }
        let mut swapped = good.clone();
        swapped.copy_within(first, second.start);
        assert!(
            read(&swapped, 1).is_err(),
            "the first block in the place of the second"
        );
        for end in [
            second.start,
            second.start + 31,
            second.start + 32,
            second.end - 1,
        ] {
            assert!(read(&good[..end], 1).is_err(), "{end}");
        }
    }

    #[test]
    fn a_file_that_was_never_finished_or_is_none_is_no_seal() {
        let folder = tempfile::tempdir().unwrap();
        let diff_id = sha256(b"layer");
        let open = || Input::open(folder.path(), CONTENTS, &diff_id).unwrap_err();
        assert!(open().to_string().contains("is missing"), "{}", open());
        let mut output = Output::create(folder.path(), CONTENTS, &diff_id).unwrap();
        output.block(b"one").unwrap();
        drop(output);
        assert!(open().to_string().contains("is damaged"), "{}", open());
        std::fs::write(folder.path().join(CONTENTS), "short").unwrap();
        assert!(open().to_string().contains("is damaged"), "{}", open());
        std::fs::remove_file(folder.path().join(CONTENTS)).unwrap();
        std::fs::create_dir(folder.path().join(CONTENTS)).unwrap();
        assert!(open().to_string().contains("is damaged"), "{}", open());
        std::fs::remove_dir(folder.path().join(CONTENTS)).unwrap();
        // Nobody waits for what somebody would write there.
        let at = folder.path().join(CONTENTS);
        let (mode, fifo) = (
            rustix::fs::Mode::from_raw_mode(0o600),
            rustix::fs::FileType::Fifo,
        );
        rustix::fs::mknodat(rustix::fs::CWD, &at, fifo, mode, 0).unwrap();
        assert!(open().to_string().contains("is damaged"), "{}", open());
    }
}
