//! The one place of this crate that steps outside of what the compiler can check.
#![allow(unsafe_code)]

use std::ffi::OsString;

/// Takes a variable out of this process's environment, so that no program that it executes is handed it. To be called
/// while there is one thread.
pub(crate) fn take_variable(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    // SAFETY: the caller has one thread, so that nobody reads the environment meanwhile.
    unsafe { std::env::remove_var(name) };
    Some(value)
}
