//! The fuzz target of what reads archives in place.

use std::fs::File;
use std::io::{Read, Write};

use image_layer::fuzzing::mended;
use rustix::fs::{MemfdFlags, memfd_create};

use super::tar_index::TarIndex;

/// Archives of images: their index, and then every file in them. As for layers, once more with
/// checksums that are right.
pub fn archive(data: &[u8]) {
    index(data);
    index(&mended(data));
}

fn index(data: &[u8]) {
    let file = memfd_create("archive", MemfdFlags::CLOEXEC).map(File::from);
    let Ok(mut file) = file else { return };
    if file.write_all(data).is_err() {
        return;
    }
    let length = data.len() as u64;
    let index = match TarIndex::read(file, length, "archive".to_owned()) {
        Ok(index) => index,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for name in index.names() {
        assert!(!name.is_empty() && !name.starts_with('/') && !name.contains('\0'));
        // Links may lead to nothing, or in a circle.
        let Ok(Some(mut section)) = index.section(name) else {
            continue;
        };
        let (wanted, mut bytes) = (section.len(), Vec::new());
        assert!(wanted <= length);
        assert!(section.read_to_end(&mut bytes).is_ok());
        assert_eq!(bytes.len() as u64, wanted, "bytes of {name:?}");
    }
}
