//! Regular files, and what is none.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{OFlags, makedev};

/// The most bytes of a file. What has more is not understood.
const FILE_MAX: u64 = (1 << 20) + 1;

/// A regular file, up to what is too much of it; an empty one if it is `/dev/null`.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    // To open a device may do something already.
    let metadata = fs::metadata(path)?;
    if is_null(&metadata) {
        return Ok(Vec::new());
    }
    must_be_file(&metadata)?;
    // Who would write into a FIFO that has just come there is not waited for.
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let open = File::options().read(true).custom_flags(nonblock).open(path);
    let file = open?;
    must_be_file(&file.metadata()?)?;
    let mut text = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// Whether it is `/dev/null`, by whatever name.
pub(super) fn is_null(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == makedev(1, 3)
}

/// That it is a regular file.
pub(super) fn must_be_file(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_char_device() || kind.is_block_device() => "a device",
        _ if kind.is_fifo() => "a FIFO",
        _ if kind.is_socket() => "a socket",
        _ => "a directory",
    };
    Err(io::Error::other(format!(
        "it is not a regular file but {what}"
    )))
}
