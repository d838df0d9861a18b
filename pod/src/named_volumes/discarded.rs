//! What is left of a volume.

use std::path::PathBuf;

use super::first_use::remove_all;
use super::size_limit::Projects;
use crate::error::PodError;

/// Something that nobody finds any more and that is still to be removed.
#[derive(Debug)]
#[must_use]
pub struct Discarded {
    pub(super) path: PathBuf,
    /// The project ID that is free once it is gone.
    pub(super) project: Option<(Projects, u32)>,
}

impl Discarded {
    /// Removes it. Others may do the same.
    ///
    /// # Errors
    /// [`PodError::Io`]; a sweep tries again.
    pub fn remove(self) -> Result<(), PodError> {
        remove_all(&self.path)?;
        match self.project {
            Some((projects, project)) => projects.release(project),
            None => Ok(()),
        }
    }
}
