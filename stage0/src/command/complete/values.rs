//! What there is of each kind. Nothing that fails is told: nobody asked for more than a guess.

use std::collections::BTreeSet;

use engine::networks::settings::networks;
use engine::policy::files as policy_files;
use pod::Phase;
use pod::manifest::PodManifest;

use super::Kind;
use crate::command::trust::known_keys::known_keys;
use crate::context::Context;

/// How many digits a pod without a name is called by.
const SHORT: usize = 8;

/// The values of a kind that there are.
pub(super) fn of(kind: Kind, words: &[String], context: &Context) -> Vec<String> {
    match kind {
        Kind::Pod => pods(context).unwrap_or_default(),
        Kind::App => apps(words, context),
        Kind::Image => images(context).unwrap_or_default(),
        Kind::Network => network_names(context).unwrap_or_default(),
        Kind::Volume => volumes(context).unwrap_or_default(),
        Kind::Key => keys(context).unwrap_or_default(),
        Kind::Prefix => prefixes(context).unwrap_or_default(),
    }
}

/// Names; of those that have none, the beginnings of UUIDs.
fn pods(context: &Context) -> Option<Vec<String>> {
    let pods = context.engine.pods();
    let names = pods.names().ok()?;
    let there = pods.list().ok()?;
    let there = there.iter().filter(|entry| entry.phase != Phase::Garbage);
    let called = there.map(|entry| {
        let named = names.iter().find(|(_, uuid)| *uuid == entry.uuid);
        match named {
            Some((name, _)) => name.to_string(),
            None => entry.uuid.to_string().chars().take(SHORT).collect(),
        }
    });
    Some(called.collect())
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

fn images(context: &Context) -> Option<Vec<String>> {
    let names = context.engine.store().names().ok()?;
    Some(names.iter().map(ToString::to_string).collect())
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
