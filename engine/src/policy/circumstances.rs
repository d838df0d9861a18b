//! What a verdict depends on beside the policy and the image.

use image_name::Reference;
use image_store::Store;
use trust::{Circumstances, Policy, Timestamp};

use crate::error::Error;

/// What a verdict depends on beside the policy and the image: the time, and how new the name's images
/// have been. That is looked up only where the rule asks for it.
///
/// # Errors
/// If the record of the name is damaged.
pub fn circumstances(
    store: &Store,
    policy: &Policy,
    reference: &Reference,
) -> Result<Circumstances, Error> {
    let monotonic = policy
        .deciding(reference)
        .is_some_and(|placed| placed.rule().is_monotonic());
    let newest = match newest_name(reference) {
        Some(name) if monotonic => store.newest_signed(name)?,
        _ => None,
    };
    Ok(Circumstances {
        now: now(),
        newest_seen: newest.and_then(Timestamp::from_seconds),
    })
}

/// This machine's time.
pub fn now() -> Timestamp {
    Timestamp::from_clock(std::time::SystemTime::now())
}

/// The name under which the age of an image is remembered: with its tag alone. Who asks for a digest has
/// chosen, and can't be led back.
pub(super) fn newest_name(reference: &Reference) -> Option<&Reference> {
    reference.digest().is_none().then_some(reference)
}
