//! What apps have written.

use std::time::{Duration, Instant};

use pod::disk_usage::{DiskUse, disk_use_until};
use pod::manifest::app_dir;
use pod::{AppName, PodEntry};

/// Its changes to its root filesystem, in the app's directory.
const UPPER: &str = "upper";

/// What an app's changes to its root filesystem take on the disk that pods are on, as far as that can be counted in this
/// time; and whether that is all of it. Of an app that isn't there it is nothing.
pub fn writable_layer(entry: &PodEntry, app: &AppName, patience: Duration) -> (DiskUse, bool) {
    let upper = app_dir(&entry.path, app).join(UPPER);
    disk_use_until(&upper, Instant::now().checked_add(patience))
}
