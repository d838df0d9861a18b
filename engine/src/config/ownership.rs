//! Files that decide what may run: whoever else than root can write one could decide it too.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use crate::error::Distrust;

/// Why a file or directory can't be trusted, if it can't: who else could have written it.
pub(crate) fn distrust(metadata: &Metadata) -> Option<Distrust> {
    let (uid, mode) = (metadata.uid(), metadata.mode());
    if uid != 0 {
        return Some(Distrust::Owner(uid));
    }
    if mode & 0o022 != 0 {
        return Some(Distrust::Writable);
    }
    None
}
