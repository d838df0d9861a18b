//! What neither rustix nor nix has. Everything unsafe of this program stands here.
#![allow(unsafe_code)]

use std::io;

use libc::c_int;

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
