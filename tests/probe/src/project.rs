//! Leaving the project that a filesystem counts a file for: `probe leave-project PATH…`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use crate::sys::{call, error_name};

/// `FS_IOC_FSSETXATTR` of `linux/fs.h`, whose structure has 28 bytes.
const SET: i64 = 0x401c_5820;

/// What the kernel answers to who makes a file one of no project.
pub(crate) fn leave(path: &str) -> String {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return error_name(&error),
    };
    let nothing = [0_u32; 7];
    let place = std::ptr::from_ref(&nothing)
        .expose_provenance()
        .cast_signed() as i64;
    match call(
        libc::SYS_ioctl,
        [file.as_raw_fd().into(), SET, place, 0, 0, 0],
    ) {
        0.. => "left".to_owned(),
        _ => error_name(&io::Error::last_os_error()),
    }
}
