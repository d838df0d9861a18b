//! Images that one command has chosen and that no pod has yet: kept without a pin, so that who collects goes on.
//!
//! A hold is a half-done thing (`tmp/`, locked by its owner) with a file that says what it needs. It ends with its owner,
//! whatever becomes of that.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;

use image_layer::open_regular;
use image_name::Digest;
use rustix::fs::{FlockOperation, flock};

use super::find::entries_in;
use super::{Pin, Staging, Store};
use crate::error::StoreError;

/// The digests that a hold is for, a line each.
const NEEDS: &str = "needs";
/// What is read of such a file: more images than any pod has.
const NEEDS_MAX: u64 = 1 << 20;

/// While this lives, none of its images is collected, and none of their names expires.
#[derive(Debug)]
pub struct Hold {
    _staging: Staging,
}

impl Store {
    /// Keeps images, by the digests of their indexes or manifests, when the pin is dropped under which they were found.
    ///
    /// # Errors
    /// If that can't be written down.
    pub fn hold<'a>(
        &self,
        images: impl Iterator<Item = &'a Digest>,
        _pin: &Pin,
    ) -> Result<Hold, StoreError> {
        let staging = self.stage()?;
        let lines: String = images.map(|digest| format!("{digest}\n")).collect();
        staging.write(NEEDS, lines.as_bytes())?;
        Ok(Hold { _staging: staging })
    }

    /// What living holds are for. The store is locked.
    pub(super) fn held(&self) -> Result<HashSet<Digest>, StoreError> {
        let tmp = self.tmp_folder();
        let mut held = HashSet::new();
        for name in entries_in(&tmp)? {
            let folder = tmp.join(name);
            let Ok(Some((needs, _))) = open_regular(&folder.join(NEEDS)) else {
                continue;
            };
            let is_dead = File::open(&folder)
                .is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok());
            if is_dead {
                continue;
            }
            let mut text = String::new();
            let read = needs.take(NEEDS_MAX).read_to_string(&mut text);
            read.map_err(|error| StoreError::io("cannot read", &folder.join(NEEDS), error))?;
            held.extend(text.lines().filter_map(|line| Digest::parse(line).ok()));
        }
        Ok(held)
    }
}
