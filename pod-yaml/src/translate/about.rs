//! A pod's own words about itself: its fields as values of variables and files.

use std::collections::BTreeMap;

use pod::PodUuid;
use pod::manifest::PodAddress;

use super::plan::Facts;
use crate::kubernetes::{Container, FieldRef, Pod, ResourceFieldRef};
use crate::reading::{Error, Quantity};

/// A pod, and what is known of it before it runs.
pub(super) struct About<'a> {
    pub(super) pod: &'a Pod,
    pub(super) uuid: PodUuid,
    pub(super) facts: &'a Facts,
}

/// Where a field of the pod is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Variable,
    File,
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
