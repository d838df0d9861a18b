//! Collecting what no name and no pod needs.

use std::time::{Duration, SystemTime};

use image_store::{Exclusive, GcReport, Store};

use super::in_use::images_in_use;
use crate::engine::Engine;
use crate::error::Error;
use crate::observer::Observer;

/// Waits until nobody picks or fetches an image, and says so where that takes longer than a start.
///
/// # Errors
/// If the store can't be locked.
pub fn wait_for_store(store: &Store, observer: &dyn Observer) -> Result<Exclusive, Error> {
    Ok(store.exclusive_telling(|| observer.waits_for_store())?)
}

/// Removes what neither a name nor a pod needs, and names that were not used for as long as
/// `expire`, or says what would go; `None` if there is no store.
///
/// # Errors
/// If the store can't be read or something not removed.
pub fn collect(
    engine: &Engine,
    expire: Option<Duration>,
    dry_run: bool,
    observer: &dyn Observer,
) -> Result<Option<GcReport>, Error> {
    let store = engine.store();
    // A store that was never used must not come to be by cleaning.
    if !store.path().exists() {
        return Ok(None);
    }
    let expire_at = expire.map(|age| {
        let at = SystemTime::now().checked_sub(age);
        at.unwrap_or(SystemTime::UNIX_EPOCH)
    });
    let survey = store.survey();
    let alone = wait_for_store(&store, observer)?;
    let digests = images_in_use(engine)?.all()?.digests;
    let report = match dry_run {
        true => store.would_collect(survey, &digests, expire_at, &alone)?,
        false => store.gc(survey, &digests, expire_at, alone)?,
    };
    Ok(Some(report))
}
