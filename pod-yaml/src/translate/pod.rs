//! A pod as a whole.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::pods::spec::{PodSpec, Users, VolumeGroup};
use pod::manifest::{AppFailure, HostNamespace, RestartPolicy, Role};

use super::about::About;
use super::app::{Among, app};
use super::known::Known;
use super::logins::logins;
use super::plan::{Facts, PodPlan};
use super::volumes::Volumes;
use super::{network, resources};
use crate::kubernetes::{Claim, Pod};
use crate::reading::{Error, Findings};

/// What is asked of a pod.
pub(super) fn plan(
    pod: &Pod,
    known: &Known,
    claims: &[Claim],
    facts: &Facts,
    findings: &Findings,
) -> Result<PodPlan, Error> {
    let place = &pod.metadata.place;
    let name = pod
        .metadata
        .name
        .parse()
        .map_err(|error| place.wrong(error))?;
    let mut spec = PodSpec::new(network::network(pod)?, Vec::new());
    let about = About {
        pod,
        uuid: spec.uuid,
        facts,
    };
    spec.name = Some(name);
    spec.hostname = hostname(pod)?;
    spec.labels = pod.metadata.labels.clone();
    spec.annotations = pod.metadata.annotations.clone();
    spec.grace_period = Duration::from_secs(u64::from(pod.spec.grace));
    spec.active_deadline_seconds = pod.spec.deadline;
    spec.users = match pod.spec.host_users {
        None => Users::Usual,
        Some(true) => Users::Host,
        Some(false) => Users::Auto,
    };
    if pod.spec.host_ipc {
        spec.host_namespaces.insert(HostNamespace::Ipc);
    }
    spec.sysctl = pod.spec.security.sysctls.iter().cloned().collect();
    spec.volume_group = about.fs_group().map(|gid| VolumeGroup {
        gid,
        unless_root_has_it: pod.spec.security.fs_group_on_root_mismatch,
    });
    spec.makes_sub_paths = true;
    let (limits, devices) = resources::resources(&pod.spec.resources, findings)?;
    if !devices.is_empty() {
        return Err(place.wrong("devices are asked for by a container"));
    }
    spec.resources = limits;
    let volumes = Volumes::of(&about, known, claims, &mut spec)?;
    let mut names = BTreeSet::new();
    let of_kind = |among| move |container| (container, among);
    let init = pod.spec.init_containers.iter().map(of_kind(Among::Init));
    let main = pod.spec.containers.iter().map(of_kind(Among::Main));
    for (container, among) in init.chain(main) {
        if !names.insert(&container.name) {
            let text = format!("there is another container called {}", container.name);
            return Err(container.place.wrong(text));
        }
        let parts = (&about, known, &volumes);
        spec.apps
            .push(app(container, among, parts, facts, findings)?);
    }
    spec.on_app_failure = on_app_failure(&spec);
    Ok(PodPlan {
        spec,
        isolator: pod.spec.runtime_class.clone(),
        logins: logins(pod, known, findings)?,
    })
}

/// As in Kubernetes, the end of one app is nothing to the others. Where none is left, or all that can fail start again, it
/// doesn't matter, and all isolators can do it.
fn on_app_failure(spec: &PodSpec) -> AppFailure {
    let main = || spec.apps.iter().filter(|app| app.role == Role::Main);
    let ends = |restart| restart != RestartPolicy::Always;
    match main().count() > 1 && main().any(|app| ends(app.restart.policy)) {
        true => AppFailure::Continue,
        false => AppFailure::StopPod,
    }
}

fn hostname(pod: &Pod) -> Result<Option<String>, Error> {
    let Some((place, name)) = &pod.spec.hostname else {
        return Ok(None);
    };
    let is_label = |part: &str| {
        let inner = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        let ends = part.starts_with('-') || part.ends_with('-');
        !part.is_empty() && part.len() <= 63 && part.bytes().all(inner) && !ends
    };
    match name.len() <= 64 && name.split('.').all(is_label) {
        true => Ok(Some(name.clone())),
        false => Err(place.wrong(format!("{name:?} is not a host name"))),
    }
}
