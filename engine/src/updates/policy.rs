//! Whether an app asks for newer images, by podman's label.

use std::collections::BTreeMap;

use pod::manifest::{App, PodManifest};
use serde::Serialize;

/// The label or annotation by which pods ask for newer images; with `/APP` behind it, it is for that app alone.
pub const LABEL: &str = "io.containers.autoupdate";

/// Where newer images are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdatePolicy {
    /// In the registry of the image's name.
    Registry,
    /// In the store, under the image's name.
    Local,
}

impl UpdatePolicy {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Local => "local",
        }
    }
}

/// A label that says nothing that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPolicy(pub String);

/// What an app asks for; `None` if for nothing. What is said of the app alone goes first, and labels before annotations.
///
/// # Errors
/// [`UnknownPolicy`] for a word that is not one of podman's.
pub fn policy_of(pod: &PodManifest, app: &App) -> Result<Option<UpdatePolicy>, UnknownPolicy> {
    let own = format!("{LABEL}/{}", app.name);
    let notes = [&app.labels, &app.annotations, &pod.labels, &pod.annotations];
    let said = |key: &str| {
        let mut notes = notes.iter();
        notes.find_map(|notes: &&BTreeMap<String, String>| notes.get(key))
    };
    match said(&own).or_else(|| said(LABEL)).map(String::as_str) {
        None | Some("" | "disabled") => Ok(None),
        // `image` is podman's old word.
        Some("registry" | "image") => Ok(Some(UpdatePolicy::Registry)),
        Some("local") => Ok(Some(UpdatePolicy::Local)),
        Some(other) => Err(UnknownPolicy(other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(pod: &[(&str, &str)], app: &[(&str, &str)]) -> PodManifest {
        let dir = tempfile::tempdir().unwrap();
        let text = include_str!("../../../pod/src/manifest/data/every-field.json");
        std::fs::write(dir.path().join("pod.json"), text).unwrap();
        let mut manifest = PodManifest::load(dir.path()).unwrap();
        let pairs = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        manifest.labels = pairs(pod);
        let mut apps = manifest.apps.to_vec();
        apps[0].annotations = pairs(app);
        manifest.apps = apps.try_into().unwrap();
        manifest
    }

    #[test]
    fn the_word_of_the_app_goes_before_that_of_the_pod() {
        use UpdatePolicy::{Local, Registry};
        let name = manifest(&[], &[]).apps[0].name.to_string();
        let own = format!("{LABEL}/{name}");
        let other = format!("{LABEL}/x{name}");
        type Labels<'a> = &'a [(&'a str, &'a str)];
        let cases: &[(Labels<'_>, Labels<'_>, Option<UpdatePolicy>)] = &[
            (&[], &[], None),
            (&[(LABEL, "registry")], &[], Some(Registry)),
            (&[(LABEL, "image")], &[], Some(Registry)),
            (&[(LABEL, "local")], &[], Some(Local)),
            (&[(LABEL, "disabled")], &[], None),
            (&[(LABEL, "")], &[], None),
            (&[(LABEL, "local")], &[(LABEL, "registry")], Some(Registry)),
            (&[(LABEL, "local")], &[(LABEL, "disabled")], None),
            (&[(&own, "registry")], &[(LABEL, "local")], Some(Registry)),
            (&[(&other, "registry")], &[], None),
        ];
        for (pod, app, expected) in cases {
            let manifest = manifest(pod, app);
            let policy = policy_of(&manifest, &manifest.apps[0]);
            assert_eq!(policy, Ok(*expected), "{pod:?} {app:?}");
        }
    }

    #[test]
    fn an_unknown_word_is_told() {
        let manifest = manifest(&[(LABEL, "Registry")], &[]);
        let unknown = policy_of(&manifest, &manifest.apps[0]).unwrap_err();
        assert_eq!(unknown, UnknownPolicy("Registry".to_owned()));
    }
}
