//! How an app is confined, in the spelling of docker and podman.

use std::collections::BTreeSet;

use engine::pods::view::{AppView, PodView};
use pod::manifest::{Capability, Rlimit};
use serde_json::{Map, Value, json};

/// The capabilities beyond the usual ones; ALL for all.
pub(super) fn added(app: &AppView) -> Vec<&'static str> {
    let Some(has) = &app.capabilities else {
        return Vec::new();
    };
    match has.len() == Capability::ALL.len() {
        true => vec!["ALL"],
        false => words(has, |one| !Capability::DEFAULT.contains(one)),
    }
}

/// The usual ones that it doesn't have; ALL if it has none.
pub(super) fn dropped(app: &AppView) -> Vec<&'static str> {
    match &app.capabilities {
        None => Vec::new(),
        Some(has) if has.is_empty() => vec!["ALL"],
        Some(has) => words(&Capability::DEFAULT.into(), |one| !has.contains(one)),
    }
}

fn words(set: &BTreeSet<Capability>, is_meant: impl Fn(&Capability) -> bool) -> Vec<&'static str> {
    let meant = set.iter().filter(|one| is_meant(one));
    meant.map(|one| one.word()).collect()
}

/// What is not as usual, by the words of `--security-opt`.
pub(super) fn options(app: &AppView) -> Vec<String> {
    const OPTIONS: [&str; 3] = ["seccomp=", "unmask=", "writable-cgroups"];
    let is_one = |word: &&String| OPTIONS.iter().any(|option| word.starts_with(option));
    let mut all: Vec<String> = app.widened.iter().filter(is_one).cloned().collect();
    if !app.new_privileges {
        all.push("no-new-privileges".to_owned());
    }
    all.extend(
        app.apparmor_profile
            .iter()
            .map(|name| format!("apparmor={name}")),
    );
    all
}

pub(super) fn ulimits(app: &AppView) -> Vec<Value> {
    // What has no end is -1 there.
    let bound = |bound: u64| i64::try_from(bound).unwrap_or(-1);
    let limit = |limit: &Rlimit| {
        let name = limit.kind.word();
        let name = name.strip_prefix("RLIMIT_").unwrap_or(name);
        json!({
            "Name": name.to_ascii_lowercase(),
            "Soft": bound(limit.soft),
            "Hard": bound(limit.hard),
        })
    };
    app.rlimits.iter().map(limit).collect()
}

/// Kernel parameters by their names with dots, as sysctl(8) shows them.
pub(super) fn sysctls(pod: &PodView) -> Map<String, Value> {
    let swapped = |c: char| match c {
        '/' => '.',
        '.' => '/',
        c => c,
    };
    let parameters = pod.sysctl.iter();
    parameters
        .map(|(path, value)| (path.chars().map(swapped).collect(), json!(value)))
        .collect()
}
