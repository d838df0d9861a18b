//! What neither rustix nor nix has. Everything unsafe of this program stands here.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libc::{c_int, c_long};
use rustix::io::Errno;

/// The processor's time stamp counter; `None` where the processor is of another kind.
pub(crate) fn time_stamp() -> Option<u64> {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every processor of this kind has the instruction, and it changes nothing.
        Some(unsafe { std::arch::x86_64::_rdtsc() })
    }
    #[cfg(not(target_arch = "x86_64"))]
    None
}

/// Takes another user's place, and all privileges away: neither this process nor what it executes gets any again.
pub(crate) fn become_user(uid: u32, groups: &[u32]) -> io::Result<()> {
    let checked = |result: c_int| match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: the pointer is to as many groups as are told.
    checked(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })?;
    // SAFETY: changes nothing but the IDs of this process, which has one thread.
    checked(unsafe { libc::setresgid(uid, uid, uid) })?;
    // SAFETY: the same.
    checked(unsafe { libc::setresuid(uid, uid, uid) })?;
    // SAFETY: sets a flag of this process.
    checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })
}

/// The version of Landlock's interface; zero if the kernel doesn't have it, or it is switched off.
pub(crate) fn landlock_version() -> u32 {
    const VERSION: u32 = 1;
    let nothing = std::ptr::null::<u8>();
    // SAFETY: with this flag the kernel looks at no memory.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0_usize, VERSION) };
    u32::try_from(version).unwrap_or(0)
}

/// Rules that allow none of these rights over files.
pub(crate) fn landlock_ruleset(handled: u64) -> Result<OwnedFd, Errno> {
    let size = size_of_val(&handled);
    // SAFETY: the pointer is to so many bytes, the first member of the structure; the others are as if they were zero.
    let made = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const handled,
            size,
            0_u32,
        )
    };
    let number = c_int::try_from(checked(made)?).map_err(|_| Errno::BADF)?;
    // SAFETY: the kernel has just made this descriptor, which closes when a program is executed, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Allows these rights over a file, or over all below a directory.
pub(crate) fn landlock_allow(
    ruleset: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    rights: u64,
) -> Result<(), Errno> {
    const BENEATH: c_int = 1;
    #[repr(C, packed)]
    struct Beneath {
        rights: u64,
        file: c_int,
    }
    let rule = Beneath {
        rights,
        file: file.as_raw_fd(),
    };
    // SAFETY: the pointer is to what the kernel reads for this kind of rule.
    let added = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            BENEATH,
            &raw const rule,
            0_u32,
        )
    };
    checked(added).map(drop)
}

/// Keeps to these rules from now on, with all that is executed.
pub(crate) fn landlock_restrict(ruleset: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: changes nothing but what this thread may open.
    let done =
        unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
    checked(done).map(drop)
}

fn checked(result: c_long) -> Result<c_long, Errno> {
    match result {
        0.. => Ok(result),
        _ => Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)),
    }
}
