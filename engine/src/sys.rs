//! The one place of this crate that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::SigSet;

/// Lets the program of a command inherit these descriptors, and begin with exactly these signals blocked, if a mask is
/// given. Flags and mask are changed once the command runs, in the process that becomes the program: what
/// other threads start meanwhile inherits nothing.
///
/// # Safety
/// The numbers must stand for the descriptors that are meant for as long as the command can be run. Those of others would
/// be handed on otherwise.
pub(crate) unsafe fn hand_on(
    command: &mut Command,
    descriptors: Vec<RawFd>,
    blocked: Option<SigSet>,
) {
    let prepare = move || {
        for descriptor in &descriptors {
            // SAFETY: takes three numbers and touches no memory of ours.
            let flagged = unsafe { libc::fcntl(*descriptor, libc::F_SETFD, 0) };
            if flagged == -1 {
                return Err(io::Error::last_os_error());
            }
        }
        match &blocked {
            Some(blocked) => Ok(blocked.thread_set_mask()?),
            None => Ok(()),
        }
    };
    // SAFETY: after a fork the closure makes system calls alone, and allocates only where it fails.
    unsafe { command.pre_exec(prepare) };
}

/// An option of a socket that is a number, getsockopt(2).
pub(crate) fn socket_option(
    socket: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
) -> Result<u64, Errno> {
    let mut value = [0_u8; size_of::<u64>()];
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the descriptor is borrowed for the call, and the kernel writes no more bytes than the buffer has.
    let got = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    Errno::result(got)?;
    let [low @ .., _, _, _, _] = value;
    Ok(match length {
        8 => u64::from_ne_bytes(value),
        _ => u32::from_ne_bytes(low).into(),
    })
}
