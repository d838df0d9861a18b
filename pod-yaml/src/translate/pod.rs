//! A pod as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engine::pods::spec::{PodSpec, Users, VolumeGroup};
use pod::PodUuid;
use pod::manifest::{AppFailure, HostNamespace, PodAddress, RestartPolicy, Role};

use super::app::{Among, app};
use super::known::Known;
use super::logins::logins;
use super::volumes::Volumes;
use super::{Facts, PodPlan, network, resources};
use crate::kubernetes::{Claim, Container, FieldRef, Pod, ResourceFieldRef};
use crate::reading::{Error, Findings, Quantity};

/// A pod, and what is known of it before it runs.
pub(super) struct About<'a> {
    pub(super) pod: &'a Pod,
    uuid: PodUuid,
    facts: &'a Facts,
}

/// Where a field of the pod is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Variable,
    File,
}

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

impl About<'_> {
    /// The group whose the pod's volumes are, if that is said.
    pub(super) fn fs_group(&self) -> Option<u32> {
        self.pod.spec.security.fs_group
    }

    /// The texts that stand for the pod's addresses until it has some.
    pub(super) fn addresses(&self) -> BTreeMap<String, PodAddress> {
        let mark = |which| (self.mark(which), which);
        [PodAddress::First, PodAddress::All].map(mark).into()
    }

    /// No file can have it: nobody knows the pod's UUID before.
    fn mark(&self, which: PodAddress) -> String {
        let word = match which {
            PodAddress::First => "pod-ip",
            PodAddress::All => "pod-ips",
        };
        format!("<{word} of {}>", self.uuid)
    }

    /// A field of the pod; in a file, also all labels or annotations.
    pub(super) fn field(&self, field: &FieldRef, place: Place) -> Result<String, Error> {
        let is_file = place == Place::File;
        let metadata = &self.pod.metadata;
        let wrong = |text: &str| field.place.wrong(format!("{}: {text}", field.path));
        let keyed = |name: &str| {
            let rest = field.path.strip_prefix(name)?;
            rest.strip_prefix("['")?.strip_suffix("']")
        };
        if let Some(key) = keyed("metadata.labels") {
            return Ok(metadata.labels.get(key).cloned().unwrap_or_default());
        }
        if let Some(key) = keyed("metadata.annotations") {
            return Ok(metadata.annotations.get(key).cloned().unwrap_or_default());
        }
        let addresses = || -> Vec<String> {
            self.facts
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        let first = || match addresses().into_iter().next() {
            Some(first) => Ok(first),
            None => Err(wrong("the machine has no address on a way out")),
        };
        Ok(match field.path.as_str() {
            "metadata.name" => metadata.name.clone(),
            "metadata.namespace" => metadata.namespace.clone(),
            "metadata.uid" => self.uuid.to_string(),
            "metadata.labels" if is_file => lines(&metadata.labels),
            "metadata.annotations" if is_file => lines(&metadata.annotations),
            "spec.nodeName" => match self.pod.spec.node_name.as_str() {
                "" => self.facts.host_name.clone(),
                name => name.to_owned(),
            },
            "spec.serviceAccountName" => self.pod.spec.service_account.clone(),
            "status.hostIP" => first()?,
            "status.hostIPs" => addresses().join(","),
            "status.podIP" if self.pod.spec.host_network => first()?,
            "status.podIPs" if self.pod.spec.host_network => addresses().join(","),
            "status.podIP" if !is_file => self.mark(PodAddress::First),
            "status.podIPs" if !is_file => self.mark(PodAddress::All),
            "status.podIP" | "status.podIPs" => {
                return Err(wrong(
                    "what address a pod gets is known too late for its files, unless hostNetwork is true; variables have it",
                ));
            }
            _ => return Err(wrong("there is no such field")),
        })
    }

    /// A limit or request: of this container, unless another is named.
    pub(super) fn resource(
        &self,
        wanted: &ResourceFieldRef,
        own: Option<&Container>,
    ) -> Result<String, Error> {
        let spec = &self.pod.spec;
        let wrong = |text: String| wanted.place.wrong(text);
        let container = match &wanted.container {
            Some(name) => {
                let mut all = spec.init_containers.iter().chain(&spec.containers);
                let found = all.find(|one| one.name.as_str() == name);
                found.ok_or_else(|| wrong(format!("no container is called {name}")))?
            }
            None => own.ok_or_else(|| wrong("containerName is missing".to_owned()))?,
        };
        let (which, name) = wanted.resource.split_once('.').ok_or_else(|| {
            wrong(format!(
                "{:?} is not limits.… or requests.…",
                wanted.resource
            ))
        })?;
        let given =
            |amounts: &crate::kubernetes::Amounts| amounts.get(name).map(|(_, amount)| *amount);
        let resources = &container.resources;
        let given = match which {
            "limits" => given(&resources.limits),
            "requests" => given(&resources.requests).or_else(|| given(&resources.limits)),
            _ => {
                return Err(wrong(format!(
                    "{:?} is not limits.… or requests.…",
                    wanted.resource
                )));
            }
        };
        let usual = match (which, name) {
            ("limits", "cpu") => Quantity::from_whole(self.facts.processors),
            ("limits", "memory") => Quantity::from_whole(self.facts.memory),
            ("requests", "cpu" | "memory") => Quantity::from_whole(0),
            (_, name) if name.starts_with("hugepages-") => Quantity::from_whole(0),
            _ => {
                return Err(wrong(format!(
                    "{:?} is not a resource that is known",
                    wanted.resource
                )));
            }
        };
        let divisor = wanted.divisor.unwrap_or(Quantity::from_whole(1));
        let number = given.unwrap_or(usual).divided_by(divisor);
        let number = number.ok_or_else(|| wrong("a divisor is more than 0".to_owned()))?;
        Ok(number.to_string())
    }
}

/// Labels as the lines of a file.
fn lines(labels: &BTreeMap<String, String>) -> String {
    let lines = labels
        .iter()
        .map(|(key, value)| format!("{key}={}", serde_json::json!(value)));
    lines.collect::<Vec<_>>().join("\n")
}
