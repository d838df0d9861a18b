//! Changing the limits of a running pod and its apps.

use std::collections::BTreeSet;

use pod::control::Request;
use pod::feature::Feature;
use pod::manifest::{PodManifest, Resources};
use pod::{AppName, PodEntry};

use super::pause::tell;
use crate::config::directories::Directories;
use crate::error::Error;
use crate::isolators::find as isolators;

/// Changes limits of one app, or of all together; those that are not given stay as they are. They hold at once, and after
/// each restart.
///
/// # Errors
/// If the pod doesn't run or has no such app, or the limits can't be had.
pub fn update(
    entry: &PodEntry,
    directories: &Directories,
    app: Option<&AppName>,
    resources: &Resources,
) -> Result<(), Error> {
    if app.is_some()
        && let Ok(manifest) = PodManifest::load(&entry.path)
        && let Ok(stage1) = isolators::of_pod(&manifest.stage1, directories)
    {
        // The monitor would refuse that in other words than a start does. First whether anything can change at all.
        stage1.require(&BTreeSet::from([Feature::Update]))?;
        stage1.require(&resources.required_features())?;
    }
    let request = Request::Limit {
        app: app.cloned(),
        resources: Box::new(resources.clone()),
    };
    tell(entry, directories, app, "given other limits", &request)
}
