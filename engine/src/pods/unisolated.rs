//! Pods of an isolator that keeps nothing apart from the host: what that makes of what is asked.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use cni_glue::config::Selection;
use pod::feature::Feature;
use pod::manifest::{App, AppPath, HostNamespace};
use pod::stage1::Stage1;

use super::security::Usual;
use super::spec::{AppSpec, PodSpec, Users};
use crate::error::{Error, IsolatorError, OwnPart};

/// What such a pod shares with the host, beside the network.
const SHARED: [HostNamespace; 4] = [
    HostNamespace::Cgroup,
    HostNamespace::Ipc,
    HostNamespace::Pid,
    HostNamespace::Uts,
];

/// What an app sees of the host.
const DIRECTORIES_OF_HOST: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Refuses what an app, or its image, has mounted in a directory that is the host's: the place to mount on would be made
/// there, and stay.
///
/// # Errors
/// [`IsolatorError::PlaceOfHost`].
pub(super) fn require_own_places(app: &App, stage1: &Stage1) -> Result<(), Error> {
    let is_of_host = |place: &AppPath| {
        let mut directories = DIRECTORIES_OF_HOST.iter();
        directories.any(|directory| Path::new(place.as_str()).starts_with(directory))
    };
    let mut places = app.mounts.iter().map(|mount| &mount.destination);
    match places.find(|place| !stage1.manifest.isolates && is_of_host(place)) {
        None => Ok(()),
        Some(place) => Err(Error::Isolator(IsolatorError::PlaceOfHost {
            name: stage1.manifest.name.clone(),
            place: place.clone(),
        })),
    }
}

/// Refuses an app that asks to be among the host's processes where its pod is kept apart from them.
///
/// # Errors
/// [`IsolatorError::OwnProcesses`].
pub(super) fn require_host_processes(
    spec: &AppSpec,
    stage1: &Stage1,
    of_host: &BTreeSet<HostNamespace>,
) -> Result<(), Error> {
    let are_apart = stage1.manifest.isolates && !of_host.contains(&HostNamespace::Pid);
    match spec.host_processes && are_apart {
        true => Err(IsolatorError::OwnProcesses(stage1.manifest.name.clone()).into()),
        false => Ok(()),
    }
}

/// What is asked of a pod that this isolator is to run: if it keeps nothing apart, what nobody has said is the host's.
///
/// # Errors
/// [`IsolatorError::OwnProcesses`], [`IsolatorError::Shares`] or the feature that the isolator lacks, of what somebody has asked the pod to have for itself.
pub(super) fn fit<'a>(spec: &'a PodSpec, stage1: &Stage1) -> Result<Cow<'a, PodSpec>, Error> {
    if stage1.manifest.isolates {
        let mut spec = Cow::Borrowed(spec);
        let asks = spec.apps.iter().any(|app| app.host_processes);
        if asks && stage1.manifest.features.contains(&Feature::HostPids) {
            // Its other apps are there, too.
            let of_host = &mut spec.to_mut().host_namespaces;
            of_host.insert(HostNamespace::Pid);
        }
        for app in &spec.apps {
            require_host_processes(app, stage1, &spec.host_namespaces)?;
        }
        return Ok(spec);
    }
    let has_own = |what| IsolatorError::Shares {
        name: stage1.manifest.name.clone(),
        what,
    };
    if spec.hostname.is_some() {
        return Err(has_own(OwnPart::HostName).into());
    }
    if let Some(&namespace) = spec.own_namespaces.first() {
        return Err(has_own(OwnPart::Namespace(namespace)).into());
    }
    let mut spec = spec.clone();
    if spec.network.is_usual {
        spec.network.selection = Selection::Host;
    }
    if spec.network.selection != Selection::Host {
        return Err(has_own(OwnPart::Network).into());
    }
    match &spec.users {
        Users::Host => {}
        Users::Usual => spec.users = Users::Host,
        Users::Auto | Users::Mapped(_) => {
            stage1.require(&BTreeSet::from([Feature::UserNamespaces]))?;
        }
    }
    spec.host_namespaces = BTreeSet::from(SHARED);
    for app in &mut spec.apps {
        app.security.usual = Usual::Unconfined;
    }
    Ok(Cow::Owned(spec))
}
