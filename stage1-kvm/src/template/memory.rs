//! A template's memory: a file without a name that nobody can write any more, and a sparse one on disk.
//!
//! QEMU opens the memory of a copy for writing, though it writes to pages of its own alone. Were it the file on disk, a
//! program that a machine has taken over could change what later copies begin with.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, ftruncate, memfd_create, seek,
};
use rustix::io::Errno;

/// What is copied at once.
const CHUNK: usize = 256 << 10;
/// What is left out if it holds nothing.
const PAGE: usize = 4096;

/// Nothing of it changes: neither content nor size, nor this.
fn sealed() -> SealFlags {
    SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL
}

/// A file of this size that holds nothing yet.
pub(super) fn make(size: u64) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = memfd_create("fairing-template", flags)?;
    ftruncate(&memory, size)?;
    Ok(memory)
}

/// From now on nobody changes it. Fails while somebody has it mapped for that.
pub(super) fn seal(memory: &OwnedFd) -> Result<()> {
    Ok(fcntl_add_seals(memory, sealed())?)
}

/// Whether nobody can change it.
pub(super) fn is_sealed(memory: &OwnedFd) -> bool {
    fcntl_get_seals(memory).is_ok_and(|seals| seals.contains(sealed()))
}

/// Copies what one file holds to an empty one, which is as large then. Pages that hold nothing stay holes.
pub(super) fn copy(from: &mut File, to: &mut File) -> Result<()> {
    let size = from.metadata()?.len();
    to.set_len(size)?;
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while let Some((start, end)) = next_data(from, at)? {
        from.seek(SeekFrom::Start(start))?;
        copy_part(from, to, (start, end), &mut buffer)?;
        at = end;
    }
    Ok(())
}

fn copy_part(
    from: &mut File,
    to: &mut File,
    (mut at, end): (u64, u64),
    buffer: &mut [u8],
) -> Result<()> {
    while at < end {
        let left = usize::try_from(end - at).unwrap_or(usize::MAX);
        let chunk = buffer.get_mut(..left.min(CHUNK)).unwrap_or_default();
        from.read_exact(chunk)?;
        write_held(to, at, chunk)?;
        at += chunk.len() as u64;
    }
    Ok(())
}

/// Writes runs of pages that hold something.
fn write_held(to: &mut File, at: u64, chunk: &[u8]) -> Result<()> {
    let holds = |page: &&[u8]| page.iter().any(|byte| *byte != 0);
    let mut offset = at;
    for run in chunk
        .chunks(PAGE)
        .collect::<Vec<_>>()
        .chunk_by(|a, b| holds(a) == holds(b))
    {
        let length: usize = run.iter().map(|page| page.len()).sum();
        if run.first().is_some_and(holds) {
            to.seek(SeekFrom::Start(offset))?;
            for page in run {
                to.write_all(page)?;
            }
        }
        offset += length as u64;
    }
    Ok(())
}

/// Where data begins that is not before this, and where it ends.
fn next_data(file: &File, at: u64) -> Result<Option<(u64, u64)>> {
    let start = match seek(file.as_fd(), rustix::fs::SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    let end = seek(file.as_fd(), rustix::fs::SeekFrom::Hole(start))?;
    Ok(Some((start, end)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    #[test]
    fn what_is_held_is_copied_and_holes_stay_holes() {
        let memory = File::from(make(64 << 20).unwrap());
        let mut data = vec![7; 3 * PAGE + 5];
        data[PAGE..2 * PAGE].fill(0);
        memory.write_at(&data, 8 << 20).unwrap();
        memory.write_at(b"last", (64 << 20) - 4).unwrap();
        let mut kept = tempfile::tempfile().unwrap();
        copy(&mut memory.try_clone().unwrap(), &mut kept).unwrap();
        assert!(kept.metadata().unwrap().blocks() < 64, "it is sparse");
        let mut again = File::from(make(0).unwrap());
        copy(&mut kept, &mut again).unwrap();
        let all = |file: &File| {
            let mut bytes = vec![0; 64 << 20];
            file.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        assert!(all(&memory) == all(&again));
        assert_eq!(again.metadata().unwrap().len(), 64 << 20);
    }

    #[test]
    fn nobody_writes_to_sealed_memory_even_who_opens_it_for_that() {
        let memory = make(PAGE as u64).unwrap();
        assert!(!is_sealed(&memory));
        seal(&memory).unwrap();
        assert!(is_sealed(&memory));
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&memory));
        let opened = File::options().read(true).write(true).open(path).unwrap();
        let error = opened.write_at(b"x", 0).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        assert!(opened.set_len(0).is_err());
    }
}
