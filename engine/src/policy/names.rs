//! Images that have several names: by which of them one may run. An image is judged by its names alone, and each may be
//! another rule's.

use image_document::Platform;
use image_name::{Digest, Repository};
use image_store::{RefRecord, Store, StoreError};
use trust::Refusal;

use super::verifier::Verifier;
use crate::error::Error;

/// The first of an image's names by which the policy lets it run: the one that was asked for, else any of the others. A rule
/// that rejects what was asked for gives way to no other name.
///
/// # Errors
/// [`Error::Refused`] with all names that were tried; or what is wrong with the image, where that is why none was judged.
pub fn first_permitted(
    verifier: &Verifier<'_>,
    asked: Option<&RefRecord>,
    others: &[RefRecord],
) -> Result<RefRecord, Error> {
    let mut refusals: Vec<Refusal> = Vec::new();
    let mut rolled_back: Vec<&Repository> = Vec::new();
    let mut flaw = None;
    for (name, is_asked) in asked
        .map(|name| (name, true))
        .into_iter()
        .chain(others.iter().map(|name| (name, false)))
    {
        let repository = name.reference.repository();
        // How new an image is, is remembered for its tags: its digest is no way around that.
        if name.reference.tag().is_none() && rolled_back.contains(&repository) {
            continue;
        }
        match verifier.in_store(&name.reference, &name.digest) {
            Ok(_) => return Ok(name.clone()),
            Err(Error::Refused { refusal, place }) => match *refusal {
                Refusal::Rejected { .. } if is_asked => {
                    return Err(Error::Refused { refusal, place });
                }
                refusal => {
                    if matches!(refusal, Refusal::RolledBack { .. }) {
                        rolled_back.push(repository);
                    }
                    refusals.push(refusal);
                }
            },
            Err(error) => flaw = flaw.or(Some(error)),
        }
    }
    match (Refusal::by_every_name(refusals), flaw) {
        (Some(refusal), _) => Err(refusal.into()),
        (None, Some(flaw)) => Err(flaw),
        (None, None) => Err(Error::NotInStore {
            reference: String::new(),
        }),
    }
}

/// Names in the order in which they are tried: a tag says more than a digest.
#[must_use]
pub fn in_order(mut names: Vec<RefRecord>) -> Vec<RefRecord> {
    names.sort_by_cached_key(|name| (name.reference.tag().is_none(), name.reference.to_string()));
    names
}

/// All names of the image that has these digits at the beginning of its ID, which is the digest of its configuration, or of
/// the digest of its manifest or index.
///
/// # Errors
/// [`StoreError::Ambiguous`] if several images do; or the store can't be read.
pub fn by_digits(store: &Store, digits: &str) -> Result<Vec<RefRecord>, Error> {
    let digits = digits.strip_prefix("sha256:").unwrap_or(digits);
    let _pin = store.pin()?;
    let known: Vec<(RefRecord, Digest)> = store
        .references()?
        .into_iter()
        .filter_map(|name| {
            let image = store.image(&name.digest, &Platform::host()).ok()?;
            let id = image.config_digest().clone();
            Some((name, id))
        })
        .collect();
    let begins = |digest: &Digest| digest.hex().starts_with(digits);
    let with_id = known.iter().filter(|(_, id)| begins(id));
    let mut ids: Vec<&Digest> = with_id.map(|(_, id)| id).collect();
    if ids.is_empty() {
        let others = known
            .iter()
            .filter(|(name, _)| begins(&name.digest) || begins(&name.manifest));
        ids = others.map(|(_, id)| id).collect();
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > 1 {
        let named = known.iter().filter(|(_, id)| ids.contains(&id));
        return Err(Error::Store(StoreError::Ambiguous {
            name: digits.to_owned(),
            matches: named.map(|(name, _)| name.reference.to_string()).collect(),
        }));
    }
    let names = known.iter().filter(|(_, id)| ids.contains(&id));
    Ok(in_order(names.map(|(name, _)| name.clone()).collect()))
}
