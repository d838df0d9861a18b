//! Containers: apps of pods, whose name is the key.

use std::fmt;

use engine::pods::cri_ids::{digits_of, own_digits};
use pod::AppName;

use super::key::label;
use super::sandbox::SandboxId;
use crate::api::ContainerMetadata;
use crate::error::CriError;

/// Hexadecimal digits of an id, half of them the container's own.
const DIGITS: usize = 64;
const OWN_DIGITS: usize = 32;
/// Digits that tell names apart that can't be shown as they are.
const KEY_DIGITS: usize = 10;
/// Characters of such a name.
const NAME_SHOWN: usize = 40;

/// The id of a container: first what is its own, so that few digits tell it from others of its pod, then its sandbox's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ContainerId {
    own: String,
    sandbox: SandboxId,
}

impl ContainerId {
    /// That of an app of a sandbox.
    pub(crate) fn of(sandbox: SandboxId, app: &AppName) -> Self {
        let own = own_digits(&sandbox.to_string(), app);
        Self { own, sandbox }
    }

    /// The container of this very id; `None` if it can't be one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_ascii = text.is_ascii() && text.len() == DIGITS;
        let (own, sandbox) = is_ascii.then(|| text.split_at_checked(OWN_DIGITS))??;
        SandboxId::parse(sandbox).map(|sandbox| Self {
            own: own.to_owned(),
            sandbox,
        })
    }

    /// The sandbox that it is in.
    pub(crate) fn sandbox(&self) -> SandboxId {
        self.sandbox
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.own, self.sandbox)
    }
}

/// The name of the app of a container. No two containers of a sandbox of different name or attempt have one, and a pod takes
/// one app of a name: so the key is exclusive.
///
/// # Errors
/// [`CriError`] if the key is incomplete.
pub(crate) fn app_name(metadata: &ContainerMetadata) -> Result<AppName, CriError> {
    let ContainerMetadata { name, attempt } = metadata;
    if name.is_empty() {
        return Err(CriError::missing("config.metadata.name"));
    }
    let attempt = attempt.to_string();
    // Kubernetes' names are DNS labels; those that others give need not be.
    if let Ok(plain) = format!("{name}-{attempt}").parse() {
        return Ok(plain);
    }
    let key = digits_of([&**name, &*attempt], KEY_DIGITS);
    // No attempt has so many digits, or begins with 0.
    let text = format!("{}-0{key}", label(name, NAME_SHOWN));
    text.trim_start_matches('-')
        .parse()
        .map_err(|error: pod::id::InvalidId| CriError::invalid("config.metadata.name", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::PodUuid;

    fn name(name: &str, attempt: u32) -> AppName {
        app_name(&ContainerMetadata {
            name: name.to_owned(),
            attempt,
        })
        .unwrap()
    }

    #[test]
    fn an_id_tells_the_sandbox_and_begins_with_what_is_its_own() {
        let sandbox = SandboxId(PodUuid::random());
        let (web, other) = (name("web", 0), name("web", 1));
        let id = ContainerId::of(sandbox, &web);
        assert_eq!(ContainerId::parse(&id.to_string()), Some(id.clone()));
        assert_eq!(id.sandbox(), sandbox);
        let other = ContainerId::of(sandbox, &other);
        assert_ne!(id.to_string()[..8], other.to_string()[..8]);
        for bad in ["", "abc", &"é".repeat(32), &id.to_string()[1..]] {
            assert_eq!(ContainerId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_two_keys_have_one_name() {
        assert_eq!(name("web", 3).as_str(), "web-3");
        let long = "x".repeat(80);
        let names = [
            name("web", 1),
            name("web-1", 1),
            name("web", 11),
            name("Web", 1),
            name("WEB", 1),
            name("___", 1),
            name(&long, 0),
            name(&long, 1),
            name(&format!("{long}y"), 0),
        ];
        let count = names.len();
        let all: std::collections::BTreeSet<_> = names.into_iter().collect();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn a_key_is_complete() {
        app_name(&ContainerMetadata::default()).unwrap_err();
    }
}
