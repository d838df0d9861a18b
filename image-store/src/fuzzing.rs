//! Bodies of the fuzz targets: ordinary functions that take any bytes, and panic only where the
//! code under test has a bug. `fuzz/` hands them to libFuzzer; the tests below replay their corpora
//! and mutate these.
//!
//! A new target: a function here (or beside what it calls, where that is private), a line in
//! `targets_hold_what_they_are_given` below, seeds in `fuzzing/seeds.rs`, a file in `fuzz/fuzz_targets/`.

#[cfg(test)]
mod seeds;

use image_name::Reference;

pub use crate::archive::fuzzing::archive;
pub use crate::convert::fuzzing::aci_manifest;
use crate::source::ImageSource;
use crate::store::{file_name, of_file_name};

/// Sources of images, and the files of their names in the store.
pub fn source(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    drop(ImageSource::parse(text));
    let Ok(reference) = Reference::parse(text) else {
        return;
    };
    let file = file_name(&reference);
    assert!(file.len() <= 255 && !file.contains('/') && !file.starts_with('.'));
    if !file.starts_with('%') {
        assert_eq!(of_file_name(&file), Some(reference));
    }
}

#[cfg(test)]
mod tests {
    replay::targets! {
        seeds: super::seeds::of;
        archive: 4000,
        aci_manifest: 8000,
        source: 30_000,
    }
}
