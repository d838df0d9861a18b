//! Links that say which pod has something: a name, or a block of IDs. The target is the pod's UUID.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::PodError;
use crate::id::PodUuid;

/// The pod that a link names; `None` if there is no link, or it names none.
pub(crate) fn holder(link: &Path) -> Result<Option<PodUuid>, PodError> {
    match fs::read_link(link) {
        Ok(target) => Ok(target.to_str().and_then(|text| text.parse().ok())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(PodError::io("read", link)(e)),
    }
}

/// Removes those links in a directory whose pods are gone, as `is_gone` says. The caller holds the directory's lock.
pub(crate) fn remove_of_gone(
    directory: &Path,
    is_gone: impl Fn(PodUuid) -> Result<bool, PodError>,
) -> Result<(), PodError> {
    let failed = || PodError::io("read", directory);
    for entry in fs::read_dir(directory).map_err(failed())? {
        let link = entry.map_err(failed())?.path();
        // What is no link, or names no pod, is nothing that a pod has left.
        if let Ok(Some(holder)) = holder(&link)
            && is_gone(holder)?
        {
            fs::remove_file(&link).map_err(PodError::io("remove", &link))?;
        }
    }
    Ok(())
}
