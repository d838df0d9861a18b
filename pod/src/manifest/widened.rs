//! What an app was given beyond the usual, in the words by which it was asked for.

use super::app::App;
use super::capability::Capability;
use super::guarded_paths::{DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS};
use super::insecure::InsecureOption;
use super::path::AppPath;
use super::seccomp::SeccompProfile;
use super::security::Seccomp;

impl App {
    /// What widens what it may do, beyond what was given up for the whole pod.
    pub fn widened(&self) -> Vec<String> {
        let security = &self.security;
        if security.privileged {
            return vec!["privileged".to_owned()];
        }
        let mut words = Vec::new();
        let has_all = self
            .insecure_options
            .contains(&InsecureOption::Capabilities);
        if let Some(sets) = &security.capabilities {
            let more = sets
                .bounding
                .iter()
                .filter(|one| !Capability::DEFAULT.contains(one));
            match sets.bounding.len() == Capability::ALL.len() {
                true => words.push("cap-add=ALL".to_owned()),
                false => words.extend(more.map(|one| format!("cap-add={}", one.word()))),
            }
        } else if has_all {
            words.push("cap-add=ALL".to_owned());
        }
        match &security.seccomp {
            Some(Seccomp::Profile { profile }) if !refuses_by_default(profile) => {
                words.push("seccomp=profile that allows what it doesn't name".to_owned());
            }
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

fn refuses_by_default(profile: &SeccompProfile) -> bool {
    use super::seccomp::SeccompAction::{Allow, Log};
    !matches!(profile.default_action, Allow | Log)
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
