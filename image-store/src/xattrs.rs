//! The extended attributes of files that belong in layers.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

use rustix::fs::{fgetxattr, flistxattr};
use rustix::io::Errno;

/// Bytes of the names of all attributes of a file, and of one value: the kernel's own limits.
const MOST: usize = 64 << 10;

/// The file's capabilities.
pub(crate) const CAPABILITY: &str = "security.capability";

/// The attributes that are a file's own, and not those of the layer that it is in or of this machine.
pub(crate) fn own(file: BorrowedFd<'_>) -> Result<BTreeMap<String, Vec<u8>>, Errno> {
    let mut names = Vec::with_capacity(MOST);
    match flistxattr(file, rustix::buffer::spare_capacity(&mut names)) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(BTreeMap::new()),
        other => other?,
    };
    let mut found = BTreeMap::new();
    let names = names.split(|byte| *byte == 0);
    for name in names.filter_map(|name| std::str::from_utf8(name).ok()) {
        let is_own =
            name == CAPABILITY || (name.starts_with("user.") && !name.starts_with("user.overlay."));
        if !is_own {
            continue;
        }
        let mut value = Vec::with_capacity(MOST);
        match fgetxattr(file, name, rustix::buffer::spare_capacity(&mut value)) {
            // It was taken away meanwhile.
            Err(Errno::NODATA) => {}
            other => {
                other?;
                found.insert(name.to_owned(), value);
            }
        }
    }
    Ok(found)
}
