//! Sandboxes: pods whose UUID is the id, and whose name is the key.

use std::fmt;

use engine::pods::cri_ids::{digits_of, parse_sandbox_id, sandbox_id};
use pod::{PodName, PodUuid};

use super::key::label;
use crate::api::PodSandboxMetadata;
use crate::error::CriError;

/// Digits that tell keys apart.
const KEY_DIGITS: usize = 16;
/// Characters of a namespace and of a name that a pod's name shows.
const NAMESPACE_SHOWN: usize = 12;
const NAME_SHOWN: usize = 18;

/// The id of a sandbox: the UUID of its pod, without hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SandboxId(pub(crate) PodUuid);

impl SandboxId {
    /// The sandbox of this very id; `None` if it can't be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse_sandbox_id(text).map(Self)
    }
}

impl fmt::Display for SandboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sandbox_id(self.0))
    }
}

/// The name of the pod of a sandbox. No two sandboxes of different namespace, name, UID or attempt have one, and pods' names
/// are exclusive: so is the key.
///
/// # Errors
/// [`CriError`] if the key is incomplete.
pub(crate) fn pod_name(metadata: &PodSandboxMetadata) -> Result<PodName, CriError> {
    let PodSandboxMetadata {
        name,
        uid,
        namespace,
        attempt,
    } = metadata;
    for (field, value) in [("name", name), ("uid", uid), ("namespace", namespace)] {
        if value.is_empty() {
            return Err(CriError::missing(format!("config.metadata.{field}")));
        }
    }
    let attempt = attempt.to_string();
    let key = digits_of([&**namespace, &**name, &**uid, &*attempt], KEY_DIGITS);
    let shown = [
        label(namespace, NAMESPACE_SHOWN),
        label(name, NAME_SHOWN),
        attempt,
    ];
    let mut text = "k8s".to_owned();
    for part in shown.iter().filter(|part| !part.is_empty()) {
        text.push('-');
        text.push_str(part);
    }
    format!("{text}-{key}")
        .parse()
        .map_err(|error: pod::id::InvalidId| CriError::invalid("config.metadata", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &str, name: &str, uid: &str, attempt: u32) -> PodSandboxMetadata {
        PodSandboxMetadata {
            name: name.to_owned(),
            uid: uid.to_owned(),
            namespace: namespace.to_owned(),
            attempt,
        }
    }

    #[test]
    fn no_two_keys_have_one_name() {
        let names = [
            key("default", "web", "u1", 0),
            key("default", "web", "u1", 1),
            key("default", "web", "u2", 0),
            key("other", "web", "u1", 0),
            key("default", "web2", "u1", 0),
            key("default", "we", "b2u1", 0),
            key("default", &"x".repeat(300), "u1", u32::MAX),
            key("default", &format!("{}y", "x".repeat(300)), "u1", u32::MAX),
            key("ü.Ä", "__", "u", 0),
        ];
        let names: std::collections::BTreeSet<_> =
            names.iter().map(|key| pod_name(key).unwrap()).collect();
        assert_eq!(names.len(), 9);
        assert!(
            names
                .iter()
                .any(|name| name.as_str().starts_with("k8s-default-web-1-"))
        );
    }

    #[test]
    fn a_key_is_complete() {
        assert!(pod_name(&key("", "a", "b", 0)).is_err());
        assert!(pod_name(&key("a", "", "b", 0)).is_err());
        assert!(pod_name(&key("a", "b", "", 0)).is_err());
    }
}
