//! What there is of each kind. Nothing that fails is told: nobody asked for more than a guess.

use std::collections::BTreeSet;

use engine::networks::settings::networks;
use engine::policy::files as policy_files;
use pod::exit::AppStatus;
use pod::manifest::{Lifetime, PodManifest};
use pod::{Phase, PodEntry, State, app_dir};

use super::candidate::{Kind, Which};
use crate::command::trust::known_keys::known_keys;
use crate::command::units::sources::installed;
use crate::context::Context;

/// How many digits a pod without a name is called by.
const SHORT: usize = 8;

/// The values of a kind that there are. `typed` is what is there of the value already.
pub(super) fn of(kind: Kind, typed: &str, words: &[String], context: &Context) -> Vec<String> {
    match kind {
        Kind::Pod(which) => pods(context, which).unwrap_or_default(),
        Kind::App => apps(words, context),
        Kind::Image => images(typed, context).unwrap_or_default(),
        Kind::Network => network_names(context).unwrap_or_default(),
        Kind::Net => {
            let names = network_names(context).unwrap_or_default();
            let words = ["none", "host", "all"].map(str::to_owned);
            names.into_iter().chain(words).collect()
        }
        Kind::Volume => volumes(context).unwrap_or_default(),
        Kind::Unit => units(typed, context).unwrap_or_default(),
        Kind::Key => keys(context).unwrap_or_default(),
        Kind::Path => paths(typed).unwrap_or_default(),
        Kind::Prefix => prefixes(context).unwrap_or_default(),
        Kind::PodOrImage => {
            let pods = pods(context, Which::Any).unwrap_or_default();
            let images = images(typed, context).unwrap_or_default();
            pods.into_iter().chain(images).collect()
        }
        Kind::PrefixOrKey => {
            let prefixes = prefixes(context).unwrap_or_default();
            let keys = keys(context).unwrap_or_default();
            prefixes.into_iter().chain(keys).collect()
        }
        Kind::PodOrPath => {
            let pods = pods(context, Which::Any).unwrap_or_default();
            let places = pods.into_iter().map(|pod| format!("{pod}:"));
            let mut found: Vec<_> = places.filter(|place| place.starts_with(typed)).collect();
            found.extend(paths(typed).unwrap_or_default());
            found
        }
        Kind::VolumeOrPath => {
            let mut found = volumes(context).unwrap_or_default();
            found.retain(|name| name.starts_with(typed));
            match found.is_empty() {
                true => paths(typed).unwrap_or_default(),
                false => found,
            }
        }
    }
}

/// Names; of those that have none, the beginnings of UUIDs.
fn pods(context: &Context, which: Which) -> Option<Vec<String>> {
    let pods = context.engine.pods();
    let names = pods.names().ok()?;
    let there = pods.list().ok()?;
    let there = there
        .iter()
        .filter(|entry| entry.phase != Phase::Garbage && is_meant(entry, which));
    let called = there.map(|entry| {
        let named = names.iter().find(|(_, uuid)| *uuid == entry.uuid);
        match named {
            Some((name, _)) => name.to_string(),
            None => entry.uuid.to_string().chars().take(SHORT).collect(),
        }
    });
    Some(called.collect())
}

/// Whether a command is for a pod.
fn is_meant(entry: &PodEntry, which: Which) -> bool {
    let Ok(state) = entry.state() else {
        return which == Which::Any;
    };
    let is_running = state == State::Running;
    let stays = |manifest: &PodManifest| manifest.lifetime == Lifetime::UntilStopped;
    match which {
        Which::Any => true,
        Which::Running => is_running,
        Which::Idle => !is_running,
        Which::Prepared => state == State::Prepared,
        Which::Staying => is_running && PodManifest::load(&entry.path).is_ok_and(|pod| stays(&pod)),
        Which::Startable => {
            state == State::Prepared
                || (is_running
                    && PodManifest::load(&entry.path)
                        .is_ok_and(|pod| stays(&pod) && lacks_app(&pod, entry)))
        }
    }
}

/// Whether an app of a pod that runs has ended, or was never started.
fn lacks_app(manifest: &PodManifest, entry: &PodEntry) -> bool {
    manifest.apps.iter().any(|app| {
        app_dir::is_created(&entry.path, &app.name)
            || AppStatus::load(&entry.path, &app.name).is_ok_and(|ended| ended.is_some())
    })
}

/// The apps of the pods that were typed.
fn apps(words: &[String], context: &Context) -> Vec<String> {
    let pods = context.engine.pods();
    let typed = words.iter().filter(|word| !word.starts_with('-'));
    let named = typed.filter_map(|word| pods.find(word).ok());
    let manifests = named.filter_map(|entry| PodManifest::load(&entry.path).ok());
    let apps = manifests.flat_map(|manifest| {
        let names = manifest.apps.iter().map(|app| app.name.to_string());
        names.collect::<Vec<_>>()
    });
    apps.collect()
}

/// Names in full; where none begins like that, those that leave out what a short name stands for.
fn images(typed: &str, context: &Context) -> Option<Vec<String>> {
    let names = context.engine.store().names().ok()?;
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    if names.iter().any(|name| name.starts_with(typed)) {
        return Some(names);
    }
    let short = names.iter().filter_map(|name| short(name));
    Some(short.map(str::to_owned).collect())
}

/// What a name of this machine or of Docker Hub is called without its registry.
fn short(name: &str) -> Option<&str> {
    let in_hub = name.strip_prefix("docker.io/");
    let in_library = in_hub.map(|rest| rest.strip_prefix("library/").unwrap_or(rest));
    in_library.or_else(|| name.strip_prefix("localhost/"))
}

/// Files and directories whose paths begin like that. Hidden ones are there for who types the dot.
fn paths(typed: &str) -> Option<Vec<String>> {
    let (folder, begin) = match typed.rsplit_once('/') {
        Some((folder, begin)) => (format!("{folder}/"), begin),
        None => (String::new(), typed),
    };
    let looked_into = if folder.is_empty() { "." } else { &folder };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(looked_into).ok()?.flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with(begin) && (begin.starts_with('.') || !name.starts_with('.')) {
            let end = if entry.path().is_dir() { "/" } else { "" };
            paths.push(format!("{folder}{name}{end}"));
        }
    }
    paths.sort();
    Some(paths)
}

fn network_names(context: &Context) -> Option<Vec<String>> {
    let networks = networks(&context.engine).ok()?;
    let lists = networks.lists().iter();
    Some(lists.map(|list| list.name.to_string()).collect())
}

fn volumes(context: &Context) -> Option<Vec<String>> {
    let names = context.engine.volumes().names().ok()?;
    Some(names.iter().map(ToString::to_string).collect())
}

fn units(typed: &str, context: &Context) -> Option<Vec<String>> {
    if typed.contains('/') {
        return paths(typed);
    }
    let generated = installed(context).ok()?;
    Some(generated.units.into_iter().map(|unit| unit.name).collect())
}

fn keys(context: &Context) -> Option<Vec<String>> {
    let policy = policy_files::read(&context.engine.directories).ok()?;
    let keys = known_keys(&policy);
    let keys: BTreeSet<String> = keys.iter().map(|key| key.fingerprint.to_string()).collect();
    Some(keys.into_iter().collect())
}

fn prefixes(context: &Context) -> Option<Vec<String>> {
    let policy = policy_files::read(&context.engine.directories).ok()?;
    let rules = policy.rules().iter();
    let prefixes = rules.map(|placed| placed.rule().prefix().as_str().to_owned());
    Some(prefixes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_short_name_stands_for_may_be_left_out() {
        for (name, left) in [
            ("docker.io/library/bb:1", Some("bb:1")),
            ("docker.io/team/bb:1", Some("team/bb:1")),
            ("localhost/bb:1", Some("bb:1")),
            ("a.io/bb:1", None),
        ] {
            assert_eq!(short(name), left, "{name}");
        }
    }

    #[test]
    fn paths_are_those_that_begin_like_what_is_typed() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().to_str().unwrap();
        std::fs::create_dir(dir.path().join("data")).unwrap();
        for name in ["date", "other", ".hidden"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found = |typed: &str| paths(&format!("{at}/{typed}")).unwrap_or_default();
        assert_eq!(found("da"), [format!("{at}/data/"), format!("{at}/date")]);
        assert_eq!(found(".h"), [format!("{at}/.hidden")]);
        assert_eq!(found("").len(), 3);
        assert_eq!(paths(&format!("{at}/none/x")), None);
    }
}
