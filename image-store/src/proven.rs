//! What an origin gives, read and proven: by its digest, by its size, within the limits.

use std::io::Read;

use image_document::{Descriptor, RawManifest};
use image_layer::{ContentError, Limits, sha256};
use image_name::Digest;

use crate::error::StoreError;
use crate::origin::Origin;

/// Checks a document against the descriptor that named it, and its size.
pub(crate) fn checked(
    raw: RawManifest,
    what: &str,
    wanted: Option<&Descriptor>,
    limits: &Limits,
) -> Result<RawManifest, StoreError> {
    let length = raw.bytes.len() as u64;
    if length > limits.manifest {
        return Err(StoreError::Content(ContentError::LimitExceeded {
            what: format!("{what} ({length} bytes)"),
            limit: format!("{} bytes", limits.manifest),
        }));
    }
    let found = sha256(&raw.bytes);
    check_digest(what, &raw.digest, &found)?;
    if let Some(wanted) = wanted {
        check_digest(what, &wanted.digest, &found)?;
        if wanted.size != length {
            return Err(StoreError::Content(ContentError::SizeMismatch {
                what: what.to_owned(),
                expected: wanted.size,
                found: length,
            }));
        }
    }
    Ok(raw)
}

pub(crate) fn check_digest(
    what: &str,
    expected: &Digest,
    found: &Digest,
) -> Result<(), StoreError> {
    if expected == found {
        return Ok(());
    }
    Err(StoreError::Content(ContentError::DigestMismatch {
        what: what.to_owned(),
        expected: expected.to_string(),
        found: found.to_string(),
    }))
}

/// Reads a blob into memory and proves it.
pub(crate) fn small_blob(
    origin: &mut dyn Origin,
    descriptor: &Descriptor,
    what: &str,
    limit: u64,
) -> Result<Vec<u8>, StoreError> {
    if descriptor.size > limit {
        return Err(StoreError::Content(ContentError::LimitExceeded {
            what: format!("{what} ({} bytes)", descriptor.size),
            limit: format!("{limit} bytes"),
        }));
    }
    let mut bytes = Vec::new();
    origin
        .blob(&descriptor.digest, descriptor.size)?
        .take(descriptor.size + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| StoreError::from_source(what, error))?;
    let length = bytes.len() as u64;
    if length < descriptor.size {
        return Err(StoreError::Content(ContentError::Truncated {
            what: what.to_owned(),
        }));
    }
    if length > descriptor.size {
        return Err(StoreError::Content(ContentError::SizeMismatch {
            what: what.to_owned(),
            expected: descriptor.size,
            found: length,
        }));
    }
    check_digest(what, &descriptor.digest, &sha256(&bytes))?;
    Ok(bytes)
}
