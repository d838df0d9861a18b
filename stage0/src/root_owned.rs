//! Files that decide what may run: whoever else than root can write one could decide it too.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Why a file or folder can't be trusted, if it can't: who else could have written it.
pub(crate) fn distrust(metadata: &Metadata) -> Option<String> {
    let (uid, mode) = (metadata.uid(), metadata.mode());
    if uid != 0 {
        return Some(format!("it belongs to user {uid}, not to root; chown it"));
    }
    if mode & 0o022 != 0 {
        return Some("others than root may write it; `chmod go-w` it".to_owned());
    }
    None
}
