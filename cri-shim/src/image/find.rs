//! Images by their ids, by what these begin with, and by their names.

use std::collections::BTreeSet;

use engine::images::{choice, registries};
use image_name::Digest;
use image_store::RefRecord;

use super::stored::{Stored, load};
use crate::error::CriError;
use crate::shim::Shim;

/// Fewest digits of the beginning of an id.
const DIGITS_MIN: usize = 6;

/// The image that a text means, with all of its names.
///
/// # Errors
/// If the text can't be a name, or is the beginning of several ids; or the store can't be read.
pub(super) fn find(shim: &Shim, text: &str) -> Result<Option<Stored>, CriError> {
    let store = shim.engine.store();
    if let Some(record) = by_name(shim, text)? {
        let Some(image) = load(&store, &record) else {
            return Ok(None);
        };
        let names = shim.image_ids.names(&store)?;
        let is_its = |(_, id): &(RefRecord, Digest)| id == image.config_digest();
        let names: Vec<_> = names
            .into_iter()
            .filter(is_its)
            .map(|(name, _)| name)
            .collect();
        // It may have lost its name meanwhile.
        return Ok((!names.is_empty()).then_some(Stored { image, names }));
    }
    let Some(digits) = digits(text) else {
        return Ok(None);
    };
    let names = shim.image_ids.names(&store)?;
    let Some(id) = by_digits(&names, text, digits)? else {
        return Ok(None);
    };
    let names = names.into_iter().filter(|(_, of)| *of == id);
    let names: Vec<_> = names.map(|(name, _)| name).collect();
    let image = names.iter().find_map(|name| load(&store, name));
    Ok(image.map(|image| Stored { image, names }))
}

/// What the store has by a name: a tag, or a digest of a repository.
pub(super) fn by_name(shim: &Shim, text: &str) -> Result<Option<RefRecord>, CriError> {
    if text.starts_with("sha256:") {
        return Ok(None);
    }
    let candidates = registries::candidates(&shim.engine, text)
        .map_err(|error| CriError::invalid("image.image", error))?;
    let names: Vec<_> = candidates
        .into_iter()
        .filter(|candidate| candidate.reference().is_some())
        .collect();
    Ok(choice::first_in_store(&shim.engine, &names)?)
}

/// The hexadecimal digits of an id, or of its beginning.
fn digits(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let fits = (DIGITS_MIN..=64).contains(&digits.len()) && digits.bytes().all(is_digit);
    fits.then_some(digits)
}

/// The image whose id begins so; else the one whose manifest or index does.
fn by_digits(
    names: &[(RefRecord, Digest)],
    text: &str,
    digits: &str,
) -> Result<Option<Digest>, CriError> {
    let begins = |digest: &Digest| digest.hex().starts_with(digits);
    let ids = names.iter().map(|(_, id)| id);
    let mut found: BTreeSet<&Digest> = ids.filter(|id| begins(id)).collect();
    if found.is_empty() {
        let of_manifest = |name: &RefRecord| begins(&name.digest) || begins(&name.manifest);
        let others = names.iter().filter(|(name, _)| of_manifest(name));
        found = others.map(|(_, id)| id).collect();
    }
    let only = found.pop_first();
    match found.is_empty() {
        true => Ok(only.cloned()),
        false => Err(CriError::Ambiguous {
            what: "image",
            id: text.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_names() {
        let id = "0123456789abcdef".repeat(4);
        for (text, expected) in [
            (&*id, Some(&*id)),
            (&format!("sha256:{id}"), Some(&*id)),
            ("sha256:012345", Some("012345")),
            ("012345", Some("012345")),
            ("01234", None),
            ("sha256:", None),
            ("ABCDEF", None),
            ("busybox", None),
            (&format!("{id}0"), None),
        ] {
            assert_eq!(digits(text), expected, "{text}");
        }
    }
}
