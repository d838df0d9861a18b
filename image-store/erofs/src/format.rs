//! What stands on the disk, in little endian.

use std::collections::BTreeMap;

use crate::crc32c::crc32c;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 1 << BLOCK_BITS;
pub(crate) const BLOCK_BITS: u8 = 12;
/// Where an inode begins is a multiple of this: its number is where it lies.
pub(crate) const SLOT: u64 = 32;
/// Bytes of an inode, its extended attributes not counted.
pub(crate) const INODE: usize = 64;
/// Where its link count stands within it.
pub(crate) const NLINK: u64 = 44;
/// Bytes of a chunk of a file with holes.
pub(crate) const CHUNK: usize = 16 * BLOCK;
/// In place of a chunk's address: it is a hole.
pub(crate) const HOLE: u32 = u32::MAX;

const MAGIC: u32 = 0xe0f5_e1e2;
/// Where the superblock is.
const SUPERBLOCK: usize = 1024;
/// The superblock has a checksum; times are those of the content's last change.
const COMPATIBLE: u32 = 0x1 | 0x2;
/// Some files consist of chunks.
const CHUNKED: u32 = 0x4;

/// How the data of an inode are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// In blocks, from the one whose address the inode has.
    Plain = 0,
    /// The same, and what does not fill a block comes after the inode.
    Inline = 2,
    /// In chunks, whose addresses come after the inode.
    Chunks = 4,
}

/// When the content of a file was changed last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mtime {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds beyond them.
    pub nanoseconds: u32,
}

/// What all kinds of files have.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// Permissions with the set-ID bits and the sticky bit.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// When its content was changed.
    pub mtime: Mtime,
    /// Extended attributes by their whole names, as the kernel has their values.
    pub xattrs: &'a BTreeMap<String, Vec<u8>>,
}

/// Files that are neither content nor names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device of characters.
    CharacterDevice {
        /// Its driver.
        major: u32,
        /// Which of the driver's.
        minor: u32,
    },
    /// A device of blocks.
    BlockDevice {
        /// Its driver.
        major: u32,
        /// Which of the driver's.
        minor: u32,
    },
}

/// What kind of file a name stands for, with its number in directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular = 1,
    Directory = 2,
    CharacterDevice = 3,
    BlockDevice = 4,
    Fifo = 5,
    Socket = 6,
    Symlink = 7,
}

impl Kind {
    /// Its bits in a mode.
    fn mode(self) -> u32 {
        match self {
            Self::Regular => 0o100_000,
            Self::Directory => 0o040_000,
            Self::CharacterDevice => 0o020_000,
            Self::BlockDevice => 0o060_000,
            Self::Fifo => 0o010_000,
            Self::Socket => 0o140_000,
            Self::Symlink => 0o120_000,
        }
    }
}

impl Special {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Fifo => Kind::Fifo,
            Self::Socket => Kind::Socket,
            Self::CharacterDevice { .. } => Kind::CharacterDevice,
            Self::BlockDevice { .. } => Kind::BlockDevice,
        }
    }

    /// The number of the device, as the kernel's `new_encode_dev` has it.
    pub(crate) fn device(self) -> u32 {
        match self {
            Self::Fifo | Self::Socket => 0,
            Self::CharacterDevice { major, minor } | Self::BlockDevice { major, minor } => {
                (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xf_ff00) << 12)
            }
        }
    }
}

/// An inode without what follows it.
#[derive(Debug)]
pub(crate) struct InodeCore<'a> {
    pub(crate) kind: Kind,
    pub(crate) layout: Layout,
    pub(crate) attributes: &'a Attributes<'a>,
    /// What its extended attributes count, in the format's units.
    pub(crate) xattr_count: u16,
    pub(crate) size: u64,
    /// The address of its first block, the number of the device, or the form of its chunks.
    pub(crate) place: u32,
    /// A number that is its own, from 1 on.
    pub(crate) number: u32,
    pub(crate) links: u32,
}

impl InodeCore<'_> {
    /// Its 64 bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        // The lowest bit: of 64 bytes, and not of 32.
        let format = 1 | ((self.layout as u16) << 1);
        let mode = (self.kind.mode() | (self.attributes.mode & 0o7777)) as u16;
        let mtime = self.attributes.mtime;
        let mut bytes = Vec::with_capacity(INODE);
        bytes.extend(format.to_le_bytes());
        bytes.extend(self.xattr_count.to_le_bytes());
        bytes.extend(mode.to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(self.place.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.attributes.uid.to_le_bytes());
        bytes.extend(self.attributes.gid.to_le_bytes());
        bytes.extend(mtime.seconds.to_le_bytes());
        bytes.extend(mtime.nanoseconds.to_le_bytes());
        bytes.extend(self.links.to_le_bytes());
        bytes.extend([0; 16]);
        bytes
    }
}

/// How a file of chunks of [`CHUNK`] bytes says so: their size, as a power of two of blocks.
pub(crate) fn chunk_format() -> u32 {
    (CHUNK / BLOCK).trailing_zeros()
}

/// The first block: nothing but the superblock.
pub(crate) fn first_block(root: u16, inodes: u64, blocks: u32, has_chunks: bool) -> Vec<u8> {
    let superblock = |checksum: u32| {
        let mut bytes = Vec::with_capacity(BLOCK - SUPERBLOCK);
        bytes.extend(MAGIC.to_le_bytes());
        bytes.extend(checksum.to_le_bytes());
        bytes.extend(COMPATIBLE.to_le_bytes());
        bytes.extend([BLOCK_BITS, 0]);
        bytes.extend(root.to_le_bytes());
        bytes.extend(inodes.to_le_bytes());
        // Made at no time: the same tree is the same image.
        bytes.extend([0; 12]);
        bytes.extend(blocks.to_le_bytes());
        // Inodes are counted from the first block on, and no extended attribute is shared; it has no names of its own.
        bytes.extend([0; 40]);
        let incompatible = if has_chunks { CHUNKED } else { 0 };
        bytes.extend(u32::to_le_bytes(incompatible));
        bytes.resize(BLOCK - SUPERBLOCK, 0);
        bytes
    };
    let mut block = vec![0; SUPERBLOCK];
    block.extend(superblock(crc32c(&superblock(0))));
    block
}
