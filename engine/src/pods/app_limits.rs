//! Limits of apps: whether they can hold, and warnings of those that this machine keeps only in part.

use pod::manifest::{App, Resources};

use crate::error::{AppError, Error};
use crate::machine::Cgroups;
use crate::observer::{Observer, Warning};

/// Refuses an app that is to use what its pod may not.
pub(super) fn require_within(app: &App, pod: &Resources) -> Result<(), Error> {
    app.resources.check_within(pod).map_err(|source| {
        let app = app.name.clone();
        AppError::Limits { app, source }.into()
    })
}

/// Says which limits of disks hold for a part of what is read and written, or for nothing.
pub fn warn_of_disks<'a>(limits: impl IntoIterator<Item = &'a Resources>, observer: &dyn Observer) {
    let (mut weighs, mut throttles) = (false, false);
    for disks in limits.into_iter().map(|resources| &resources.block_io) {
        weighs |= disks.weight.is_some();
        let rates = [
            &disks.throttle_write_bps_device,
            &disks.throttle_write_iops_device,
        ];
        throttles |= rates.into_iter().flatten().any(|rate| rate.rate > 0);
    }
    if !weighs && !throttles {
        return;
    }
    let cgroups = Cgroups::read();
    if weighs && !cgroups.weighs_disks {
        observer.warning(Warning::UnweighedDisks);
    }
    if throttles && cgroups.version == Some(1) {
        observer.warning(Warning::BufferedWrites);
    }
}
