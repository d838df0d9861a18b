//! What an app was given beyond the usual, in the words by which it was asked for.

use std::collections::BTreeSet;

use super::app::App;
use super::capability::Capability;
use super::devices::{Device, DeviceRule};
use super::guarded_paths::{
    DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS, KUBERNETES_MASKED_PATHS,
    KUBERNETES_READONLY_PATHS,
};
use super::path::AppPath;
use super::pod::PodManifest;
use super::security::Seccomp;

/// Most capabilities that are left out of all.
const MISSING_MAX: usize = 8;
/// Most devices that are named.
const DEVICES_SHOWN: usize = 8;

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
            let mut words = vec!["privileged".to_owned()];
            words.extend(devices(&self.devices, &self.device_rules));
            return words;
        }
        let mut words = Vec::new();
        if let Some(sets) = &security.capabilities {
            words.extend(more_capabilities(&sets.bounding));
        }
        match &security.seccomp {
            Some(Seccomp::Profile { .. }) => words.push("seccomp=profile".to_owned()),
            Some(Seccomp::Unconfined) if !security.unfiltered_as_usual => {
                words.push("seccomp=unconfined".to_owned());
            }
            Some(Seccomp::Unconfined) | None => {}
        }
        if !security.no_new_privileges && !security.usual_of_kubernetes {
            words.push("no-new-privileges=false".to_owned());
        }
        if security.writable_cgroups {
            words.push("writable-cgroups".to_owned());
        }
        let (masked, readonly): (&[&str], &[&str]) = match security.usual_of_kubernetes {
            true => (&KUBERNETES_MASKED_PATHS, &KUBERNETES_READONLY_PATHS),
            false => (&DEFAULT_MASKED_PATHS, &DEFAULT_READONLY_PATHS),
        };
        words.extend(unmasked(security.masked_paths.as_deref(), masked));
        words.extend(unmasked(security.readonly_paths.as_deref(), readonly));
        words.dedup();
        words.extend(devices(&self.devices, &self.device_rules));
        words
    }
}

/// The capabilities beyond the usual ones. Of nearly all, the few that are missing say more.
fn more_capabilities(bounding: &BTreeSet<Capability>) -> Vec<String> {
    let missing = Capability::ALL.iter().filter(|one| !bounding.contains(one));
    let missing: Vec<_> = missing.collect();
    if missing.len() <= MISSING_MAX {
        let but = missing.iter().map(|one| format!("cap-drop={}", one.word()));
        return ["cap-add=ALL".to_owned()].into_iter().chain(but).collect();
    }
    let more = bounding
        .iter()
        .filter(|one| !Capability::DEFAULT.contains(one));
    more.map(|one| format!("cap-add={}", one.word())).collect()
}

/// The devices, by their places; of many, how many more there are.
fn devices(nodes: &[Device], rules: &[DeviceRule]) -> Vec<String> {
    let shown = nodes.iter().take(DEVICES_SHOWN);
    let mut words: Vec<String> = shown
        .map(|node| format!("device={}", node.path.as_str()))
        .collect();
    if let Some(more) = nodes.len().checked_sub(DEVICES_SHOWN).filter(|n| *n > 0) {
        words.push(format!("{more} more devices"));
    }
    if !rules.is_empty() {
        words.push("device-cgroup-rule".to_owned());
    }
    words
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
