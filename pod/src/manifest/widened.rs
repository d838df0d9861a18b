//! What an app was given beyond the usual, in the words by which it was asked for.

use super::app::App;
use super::capability::Capability;
use super::guarded_paths::{DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS};
use super::path::AppPath;
use super::pod::PodManifest;
use super::security::Seccomp;

impl PodManifest {
    /// What it shares with the host, beside what was given up by name.
    pub fn widened(&self) -> Vec<String> {
        let shared = self.host_namespaces.iter();
        shared.map(|one| format!("{}=host", one.word())).collect()
    }
}

impl App {
    /// What widens what it may do, beside what was given up by name.
    pub fn widened(&self) -> Vec<String> {
        let security = &self.security;
        if security.privileged {
            return vec!["privileged".to_owned()];
        }
        let mut words = Vec::new();
        if let Some(sets) = &security.capabilities {
            let more = sets
                .bounding
                .iter()
                .filter(|one| !Capability::DEFAULT.contains(one));
            match sets.bounding.len() == Capability::ALL.len() {
                true => words.push("cap-add=ALL".to_owned()),
                false => words.extend(more.map(|one| format!("cap-add={}", one.word()))),
            }
        }
        match &security.seccomp {
            Some(Seccomp::Profile { .. }) => words.push("seccomp=profile".to_owned()),
            Some(Seccomp::Unconfined) => words.push("seccomp=unconfined".to_owned()),
            None => {}
        }
        if !security.no_new_privileges {
            words.push("no-new-privileges=false".to_owned());
        }
        words.extend(unmasked(
            security.masked_paths.as_deref(),
            &DEFAULT_MASKED_PATHS,
        ));
        words.extend(unmasked(
            security.readonly_paths.as_deref(),
            &DEFAULT_READONLY_PATHS,
        ));
        words.dedup();
        words
    }
}

/// The paths of a list that are guarded no more.
fn unmasked(own: Option<&[AppPath]>, usual: &[&str]) -> Vec<String> {
    let Some(own) = own else {
        return Vec::new();
    };
    if own.is_empty() {
        return vec!["unmask=ALL".to_owned()];
    }
    let missing = usual
        .iter()
        .filter(|path| !own.iter().any(|one| one.as_str() == **path));
    missing.map(|path| format!("unmask={path}")).collect()
}
