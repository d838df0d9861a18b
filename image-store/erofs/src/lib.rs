//! Writes EROFS images: read-only filesystems in a file, which a kernel mounts as they are.
//!
//! What is written is the uncompressed form in blocks of 4 KiB that Linux reads since version 5.15. The same tree, told in
//! the same order, gives the same bytes. Files are written as they come; what is kept in memory are the names in the
//! directories that are not complete, and how many more names files have.
//!
//! The format is described in the kernel's `fs/erofs/erofs_fs.h` and `Documentation/filesystems/erofs.rst`.

mod crc32c;
mod directory;
mod error;
mod file;
mod format;
mod output;
mod writer;
mod xattrs;

pub use error::ErofsError;
pub use file::FileWriter;
pub use format::{Attributes, Mtime, Special};
pub use writer::{Inode, Writer};
