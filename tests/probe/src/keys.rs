//! Keys in the session keyring of whoever started the pod.

use std::ffi::CStr;
use std::io::Error;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::sys::{call, number_name};

const KEYCTL_JOIN_SESSION_KEYRING: i64 = 1;
const KEYCTL_SEARCH: i64 = 10;
const SESSION: i64 = -3;

fn address(text: &CStr) -> i64 {
    text.as_ptr().expose_provenance().cast_signed() as i64
}

/// Becomes a command that has a key in its session keyring. Returns only if that fails.
pub(crate) fn with_key(command: &[String]) -> Error {
    let Some((program, arguments)) = command.split_first() else {
        return Error::other("no command");
    };
    let join = [KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0, 0];
    let (kind, name) = (address(c"user"), address(c"fairing-secret"));
    let add = [kind, name, address(c"secret"), 6, SESSION, 0];
    if call(libc::SYS_keyctl, join) < 0 || call(libc::SYS_add_key, add) < 0 {
        return Error::last_os_error();
    }
    Command::new(program).args(arguments).exec()
}

/// Looks for a key that the caller of fairing has in its session keyring.
pub(crate) fn key_of_the_caller() -> Vec<String> {
    let arguments = [
        KEYCTL_SEARCH,
        SESSION,
        address(c"user"),
        address(c"fairing-secret"),
        0,
        0,
    ];
    let found = call(libc::SYS_keyctl, arguments);
    let error = Error::last_os_error().raw_os_error();
    vec![format!(
        "the caller's key = {}",
        match found {
            -1 => number_name(error.unwrap_or_default()),
            _ => "found".to_owned(),
        }
    )]
}
