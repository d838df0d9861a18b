//! Collecting what no name and no pod needs, and telling of it.

use std::time::{Duration, SystemTime};

use image_store::{Exclusive, GcReport, Store};

use crate::context::Context;
use crate::failure::Failure;
use crate::image_use::images_in_use;
use crate::output;
use crate::table::size;

/// Waits until nobody picks or fetches an image, and says so where that takes longer than a start.
///
/// # Errors
/// If the store can't be locked.
pub(crate) fn wait_for_store(store: &Store) -> Result<Exclusive, Failure> {
    Ok(store.exclusive_telling(|| {
        output::error("waiting for a fetch or another command that uses the image store\n");
    })?)
}

/// Removes what neither a name nor a pod needs, and names that were not used for as long as
/// `expire`, or says what would go; `None` if there is no store.
///
/// # Errors
/// If the store can't be read or something not removed.
pub(crate) fn collect(
    context: &Context,
    expire: Option<Duration>,
    dry_run: bool,
) -> Result<Option<GcReport>, Failure> {
    let store = context.store();
    // A store that was never used must not come to be by cleaning.
    if !store.path().exists() {
        return Ok(None);
    }
    let expire_at = expire.map(|age| {
        let at = SystemTime::now().checked_sub(age);
        at.unwrap_or(SystemTime::UNIX_EPOCH)
    });
    let survey = store.survey();
    let alone = wait_for_store(&store)?;
    let (_, digests) = images_in_use(&context.pods())?;
    let report = match dry_run {
        true => store.would_collect(survey, &digests, expire_at, &alone)?,
        false => store.gc(survey, &digests, expire_at, alone)?,
    };
    Ok(Some(report))
}

/// Says on standard error what is wrong with the store, and what that keeps from being removed.
pub(crate) fn warn(report: &GcReport) {
    for path in &report.strange {
        output::warn(&format!(
            "{} is not of the store; left alone",
            path.display()
        ));
    }
    for damaged in &report.damaged {
        output::warn(damaged);
    }
    if !report.damaged.is_empty() {
        output::warn(
            "no layer or blob was removed, since nobody knows what is needed by what can't be \
             read; remove those images (`fairing image rm --force`) or fetch them again",
        );
    }
}

/// What went, in one line; `None` if nothing did.
pub(crate) fn summary(report: &GcReport, dry_run: bool) -> Option<String> {
    let removed = report.blobs + report.layers + report.signatures + report.leftovers;
    if removed == 0 {
        return None;
    }
    let (done, freed) = match dry_run {
        true => ("would be removed", "would be freed"),
        false => ("removed", "freed"),
    };
    Some(format!(
        "images: {} layers, {} blobs, {} half-done {done}, {} {freed}",
        report.layers,
        report.blobs,
        report.leftovers,
        size(report.freed)
    ))
}
