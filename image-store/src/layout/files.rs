//! The files of an OCI image layout, in a directory or elsewhere.

use std::io::Read;
use std::path::{Path, PathBuf};

use image_layer::{ContentError, open_regular};

use crate::error::StoreError;

/// A file of a layout, opened.
pub(crate) struct OpenFile {
    /// Its content.
    pub(crate) reader: Box<dyn Read + Send>,
    /// Its length in bytes.
    pub(crate) size: u64,
}

/// Where the files of a layout are.
pub(crate) trait LayoutFiles: Send {
    /// Opens the file `name`, a path relative to the layout; `None` if there is none.
    fn open(&self, name: &str) -> Result<Option<OpenFile>, StoreError>;

    /// The place, for messages.
    fn what(&self) -> &str;

    /// The path at which another program finds the file `name`, where there is one.
    fn path(&self, _name: &str) -> Option<PathBuf> {
        None
    }

    /// Reads the whole file `name`, at most `limit` bytes.
    fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(file) = self.open(name)? else {
            return Ok(None);
        };
        let what = format!("{}: {name}", self.what());
        if file.size > limit {
            return Err(StoreError::Content(ContentError::LimitExceeded {
                what,
                limit: format!("{limit} bytes"),
            }));
        }
        let mut bytes = Vec::new();
        file.reader
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(|error| StoreError::from_read(&what, error))?;
        Ok(Some(bytes))
    }
}

/// A layout in a directory.
pub(crate) struct FolderFiles {
    folder: PathBuf,
    what: String,
}

impl FolderFiles {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            what: folder.display().to_string(),
        }
    }
}

impl LayoutFiles for FolderFiles {
    fn open(&self, name: &str) -> Result<Option<OpenFile>, StoreError> {
        let opened = open_regular(&self.folder.join(name))?;
        Ok(opened.map(|(file, size)| OpenFile {
            reader: Box::new(file),
            size,
        }))
    }

    fn what(&self) -> &str {
        &self.what
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.join(name))
    }
}
