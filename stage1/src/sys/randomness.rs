//! The kernel's source of random numbers.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use rustix::io::Errno;

use super::answer::check;

/// Adds bytes, and says how random they are.
const ADD: libc::c_ulong = nix::request_code_write!(b'R', 3, size_of::<[libc::c_int; 2]>());
/// Draws from all that was added, at once.
const RESEED: libc::c_ulong = nix::request_code_none!(b'R', 7);

/// `struct rand_pool_info` with as many bytes as are added.
#[repr(C)]
struct Pool<const N: usize> {
    /// In bits.
    entropy: libc::c_int,
    /// In bytes.
    size: libc::c_int,
    bytes: [u8; N],
}

/// Adds random bytes that nobody knows, and lets all that is drawn from now on follow from them. `device` is
/// `/dev/urandom`.
pub(crate) fn reseed<const N: usize>(device: BorrowedFd<'_>, bytes: [u8; N]) -> Result<(), Errno> {
    let size = libc::c_int::try_from(N).map_err(|_| Errno::INVAL)?;
    let pool = Pool {
        entropy: size.saturating_mul(8),
        size,
        bytes,
    };
    let pool = ptr::from_ref(&pool);
    // SAFETY: the kernel reads the two numbers and as many bytes as they say, which live for the call.
    check(unsafe { libc::ioctl(device.as_raw_fd(), ADD as libc::Ioctl, pool) }.into())?;
    // SAFETY: takes nothing.
    check(unsafe { libc::ioctl(device.as_raw_fd(), RESEED as libc::Ioctl) }.into())
}
