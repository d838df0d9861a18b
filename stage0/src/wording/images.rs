//! What a collection of images has removed, and what it could not.

use image_store::GcReport;

use crate::console::output;
use crate::console::table::size;

/// Says on standard error what is wrong with the store, and what that keeps from being removed.
pub(crate) fn warn(report: &GcReport) {
    for path in &report.strange {
        output::warn(&format!(
            "{} does not belong to the store; left alone",
            path.display()
        ));
    }
    for damaged in &report.damaged {
        output::warn(damaged);
    }
    if !report.damaged.is_empty() {
        output::warn(
            "no layer or blob was removed, since what can't be read may need \
             any of them; remove those images (`fairing image rm --force`) or fetch them again",
        );
    }
}

/// What went, in one line; `None` if nothing did.
pub(crate) fn summary(report: &GcReport, dry_run: bool) -> Option<String> {
    let made = report.filesystems + report.leftovers;
    let removed = report.blobs + report.layers + report.signatures + made;
    if removed == 0 {
        return None;
    }
    let (done, freed) = match dry_run {
        true => ("would be removed", "would be freed"),
        false => ("removed", "freed"),
    };
    Some(format!(
        "images: {} layers, {} blobs, {} unfinished {done}, {} {freed}",
        report.layers,
        report.blobs,
        report.leftovers,
        size(report.freed)
    ))
}
