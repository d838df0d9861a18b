//! Hash trees by which a kernel finds out, while it reads, that a filesystem is not what was made (dm-verity).
//!
//! The form is the kernel's `Documentation/admin-guide/device-mapper/verity.rst`, version 1 without a superblock: SHA-256 of
//! the salt and a block, 128 hashes in a block, the topmost level first. The tree lies behind what it is of.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use image_layer::Hasher;
use image_name::Digest;
use serde::{Deserialize, Serialize};

/// Bytes of a block, of data and of hashes.
const BLOCK: usize = 4096;
/// Bytes of a hash.
const HASH: usize = 32;
/// Bytes that are read at once.
const CHUNK: usize = 64 * BLOCK;

/// What a kernel has to be told to check a file while it reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verity {
    /// The hash of the topmost block, on which all others depend.
    pub root_hash: Digest,
    /// What precedes each block.
    pub salt: Digest,
    /// Blocks of data; those of the tree follow.
    pub data_blocks: u64,
}

/// Adds a hash tree to a file of whole blocks. Gives what a kernel has to be told, and the digest of the whole file.
pub(crate) fn add_tree(file: &File, salt: Digest) -> io::Result<(Verity, Digest)> {
    let length = file.metadata()?.len();
    let data_blocks = length / BLOCK as u64;
    if length == 0 || !length.is_multiple_of(BLOCK as u64) {
        return Err(io::Error::other("it does not end with a block"));
    }
    let mut whole = Hasher::new();
    let mut tree = Tree::new(file, &salt, data_blocks);
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while at < length {
        let left = usize::try_from(length - at).unwrap_or(usize::MAX);
        let chunk = buffer.get_mut(..left.min(CHUNK)).unwrap_or_default();
        file.read_exact_at(chunk, at)?;
        whole.update(chunk);
        chunk.chunks(BLOCK).try_for_each(|block| tree.add(block))?;
        at += chunk.len() as u64;
    }
    let (root_hash, end) = tree.finish()?;
    while at < end {
        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
        let chunk = buffer.get_mut(..left.min(CHUNK)).unwrap_or_default();
        file.read_exact_at(chunk, at)?;
        whole.update(chunk);
        at += chunk.len() as u64;
    }
    let verity = Verity {
        root_hash,
        salt,
        data_blocks,
    };
    Ok((verity, whole.finish()))
}

/// A tree that grows. Of each level only the last block is kept.
struct Tree<'a> {
    file: &'a File,
    /// A hash that has seen the salt.
    salted: Hasher,
    /// The lowest first.
    levels: Vec<Level>,
    /// The hash of the only block, if there is just one.
    only: Option<[u8; HASH]>,
    /// Where the tree ends.
    end: u64,
}

struct Level {
    /// Where the next block of it goes.
    at: u64,
    hashes: Vec<u8>,
}

impl<'a> Tree<'a> {
    fn new(file: &'a File, salt: &Digest, data_blocks: u64) -> Self {
        let mut salted = Hasher::new();
        salted.update(&salt.to_bytes());
        let mut sizes = Vec::new();
        let mut blocks = data_blocks;
        while blocks > 1 {
            blocks = blocks.div_ceil((BLOCK / HASH) as u64);
            sizes.push(blocks);
        }
        let mut at = data_blocks * BLOCK as u64;
        let mut levels: Vec<Level> = sizes
            .iter()
            .rev()
            .map(|blocks| {
                let level = Level {
                    at,
                    hashes: Vec::with_capacity(BLOCK),
                };
                at += blocks * BLOCK as u64;
                level
            })
            .collect();
        levels.reverse();
        Self {
            file,
            salted,
            levels,
            only: None,
            end: at,
        }
    }

    fn hash(&self, block: &[u8]) -> [u8; HASH] {
        let mut hasher = self.salted.clone();
        hasher.update(block);
        hasher.finish_bytes()
    }

    /// Adds a block of data.
    fn add(&mut self, block: &[u8]) -> io::Result<()> {
        let mut hash = self.hash(block);
        for number in 0..self.levels.len() {
            let Some(level) = self.levels.get_mut(number) else {
                break;
            };
            level.hashes.extend_from_slice(&hash);
            if level.hashes.len() < BLOCK {
                return Ok(());
            }
            hash = self.write(number)?;
        }
        self.only = Some(hash);
        Ok(())
    }

    /// Writes the last block of a level, and gives its hash.
    fn write(&mut self, number: usize) -> io::Result<[u8; HASH]> {
        let Some(level) = self.levels.get_mut(number) else {
            return Err(io::Error::other("there is no such level"));
        };
        let mut block = std::mem::take(&mut level.hashes);
        block.resize(BLOCK, 0);
        self.file.write_all_at(&block, level.at)?;
        level.at += BLOCK as u64;
        Ok(self.hash(&block))
    }

    /// Writes all blocks that are not full. Gives the root hash, and where the tree ends.
    fn finish(mut self) -> io::Result<(Digest, u64)> {
        for number in 0..self.levels.len() {
            let is_empty = self
                .levels
                .get(number)
                .is_none_or(|level| level.hashes.is_empty());
            if is_empty {
                continue;
            }
            let hash = self.write(number)?;
            match self.levels.get_mut(number + 1) {
                Some(above) => above.hashes.extend_from_slice(&hash),
                None => self.only = Some(hash),
            }
        }
        let root = self.only;
        let root = root.ok_or_else(|| io::Error::other("it has no blocks"))?;
        Ok((Digest::from_bytes(&root), self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of so many blocks, none like the other.
    fn file(blocks: u32) -> File {
        let file = tempfile::tempfile().unwrap();
        for number in 0..blocks {
            let block: Vec<u8> = (0..1024_u32)
                .flat_map(|word| (number * 1024 + word).to_le_bytes())
                .collect();
            file.write_all_at(&block, u64::from(number) * 4096).unwrap();
        }
        file
    }

    #[test]
    fn root_hashes_are_those_of_veritysetup() {
        let salt = image_layer::sha256(b"salt");
        for (blocks, tree_blocks, root) in [
            // Of veritysetup 2.6.1: `format --no-superblock --hash-offset=… --salt=…`.
            (
                1,
                0,
                "209c4ef4cad7a962ef6fca2cf82b479d21f0f3e45269d1d9139d78444ed24ea9",
            ),
            (
                2,
                1,
                "0059085491f1fa520e453c23d5b6c2c71c2dd9ec35b710cf8119eeb6d2bf3ecc",
            ),
            (
                128,
                1,
                "fc77ff82141a5639ede77417b463e9f1625b9ed86a4d2000b11f2f95f258b866",
            ),
            (
                129,
                3,
                "1443ac2ae2dceb8554e6fc168e5beccf0ae7ec3e4ba5a3e5b73510d0c8785870",
            ),
            (
                16_384,
                129,
                "fda203eec2452f1390a607e7890863ee63c24cf54835617c420d5403f6511f0d",
            ),
            (
                16_500,
                132,
                "05384d91bd73724ef89b32045f81312f4ba99e7459813295f1aad86650f2941a",
            ),
        ] {
            let file = file(blocks);
            let (verity, whole) = add_tree(&file, salt.clone()).unwrap();
            assert_eq!(verity.root_hash.hex(), root, "{blocks}");
            assert_eq!(verity.data_blocks, u64::from(blocks));
            let length = file.metadata().unwrap().len();
            assert_eq!(length, u64::from(blocks + tree_blocks) * 4096, "{blocks}");
            let mut bytes = vec![0; length as usize];
            file.read_exact_at(&mut bytes, 0).unwrap();
            assert_eq!(whole, image_layer::sha256(&bytes));
        }
    }

    #[test]
    fn what_is_not_of_whole_blocks_has_no_tree() {
        let salt = image_layer::sha256(b"salt");
        let odd = file(2);
        odd.set_len(5000).unwrap();
        for file in [file(0), odd] {
            assert!(add_tree(&file, salt.clone()).is_err());
        }
    }
}
