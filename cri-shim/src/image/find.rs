//! Images by their ids, by what these begin with, and by their names.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::images::{choice, registries};
use image_name::Digest;
use image_store::RefRecord;

use super::seen::Facts;
use super::stored::{Stored, all};
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
    let id = match by_name(shim, text)? {
        Some(record) => match shim.images.image(&store, &record) {
            Some(facts) => facts.id.clone(),
            None => return Ok(None),
        },
        None => {
            let Some(digits) = digits(text) else {
                return Ok(None);
            };
            match by_digits(&shim.images.names(&store)?, text, digits)? {
                Some(id) => id,
                None => return Ok(None),
            }
        }
    };
    // It may have lost its name meanwhile.
    let mut all = all(shim)?.into_iter();
    Ok(all.find(|stored| stored.facts.id == id))
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
    names: &[(RefRecord, Arc<Facts>)],
    text: &str,
    digits: &str,
) -> Result<Option<Digest>, CriError> {
    let begins = |digest: &Digest| digest.hex().starts_with(digits);
    let ids = names.iter().map(|(_, facts)| &facts.id);
    let mut found: BTreeSet<&Digest> = ids.filter(|id| begins(id)).collect();
    if found.is_empty() {
        let of_manifest = |name: &RefRecord| begins(&name.digest) || begins(&name.manifest);
        let others = names.iter().filter(|(name, _)| of_manifest(name));
        found = others.map(|(_, facts)| &facts.id).collect();
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
