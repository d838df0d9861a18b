//! Kernel parameters and shared memory of a pod, as people write them.

use super::quantity::memory;

/// Parses `NAME=VALUE`.
pub(crate) fn sysctl(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a kernel parameter is NAME=VALUE, such as net.core.somaxconn=1024".to_owned()),
    }
}

/// Parses the size of `/dev/shm`.
pub(crate) fn shm_size(text: &str) -> Result<u64, String> {
    memory(text)
}
