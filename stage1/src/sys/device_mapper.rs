//! Requests to the kernel's device mapper.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// The numbers of requests that need no more than a name.
pub(crate) const CREATE: u8 = 3;
pub(crate) const REMOVE: u8 = 4;
/// With a table.
pub(crate) const LOAD: u8 = 9;
/// Takes up what was loaded, unless a flag says otherwise.
pub(crate) const RESUME: u8 = 6;

/// Bytes of the kernel's `struct dm_ioctl`, which each request begins with.
pub(crate) const HEADER: usize = 312;
/// What the kernel's numbers of these requests have in common: its type, and that they are read and written.
const TYPE: u64 = 0xfd;
const BOTH_WAYS: u64 = 3;

/// Makes a request. The kernel answers in its place.
///
/// # Errors
/// The kernel's answer; `EINVAL` where the request is shorter than its header, or than it says itself.
pub(crate) fn request(control: BorrowedFd<'_>, number: u8, bytes: &mut [u8]) -> Result<(), Errno> {
    let said = bytes.get(12..16).and_then(|size| size.try_into().ok());
    let said = said.map_or(usize::MAX, |size| u32::from_ne_bytes(size) as usize);
    if bytes.len() < HEADER || said > bytes.len() {
        return Err(Errno::INVAL);
    }
    let code = BOTH_WAYS << 30 | (HEADER as u64) << 16 | TYPE << 8 | u64::from(number);
    // SAFETY: the kernel reads and writes as many bytes as the header says, and no fewer than it has; so many are there.
    let answer = unsafe { libc::ioctl(control.as_raw_fd(), code as _, bytes.as_mut_ptr()) };
    match answer {
        -1 => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
        _ => Ok(()),
    }
}
