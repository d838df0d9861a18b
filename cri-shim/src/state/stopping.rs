//! The mark of a sandbox that is being stopped: it is not ready from then on, also while its pod takes time to end.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::error::CriError;

/// In the runtime directory of the pod, with which it goes.
const MARK: &str = "cri-stopping";

/// Marks a sandbox. One whose runtime directory is gone has ended.
pub(crate) fn mark_stopping(run_directory: &Path) -> Result<(), CriError> {
    let mark = run_directory.join(MARK);
    match File::create(&mark) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(CriError::io(format!("create {}", mark.display()))(error)),
    }
}

pub(super) fn is_marked(run_directory: &Path) -> bool {
    run_directory.join(MARK).exists()
}
