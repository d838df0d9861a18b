//! What is marked of a sandbox in its pod's directory, with which it goes: that it has been up, and that it is ending. Its
//! monitor does so too. A pod that begins and one that ends look the same otherwise: its lock is held, and nobody listens.

use std::fs::File;
use std::io;
use std::path::Path;

use pod::manifest::{CRI_STOPPING_FILE, CRI_UP_FILE};

use crate::error::CriError;

/// Marks a sandbox as one that is being stopped: it is not ready from then on, also while its pod takes time to end. One
/// that is gone needs no mark.
pub(crate) fn mark_stopping(pod: &Path) -> Result<(), CriError> {
    let mark = pod.join(CRI_STOPPING_FILE);
    match File::create(&mark) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(CriError::io(format!("create {}", mark.display()))(error)),
    }
}

/// Whether it has been up.
pub(super) fn has_been_up(pod: &Path) -> bool {
    pod.join(CRI_UP_FILE).exists()
}

/// Whether it is being stopped, or ends by itself.
pub(super) fn is_stopping(pod: &Path) -> bool {
    pod.join(CRI_STOPPING_FILE).exists()
}
