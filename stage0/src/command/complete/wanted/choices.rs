//! Values that are one of a few words: those that the definitions tell, and those that they can't.

use clap::{Arg, Command};
use engine::signal_names;
use pod::manifest::Capability;

use crate::arguments::condition;
use crate::arguments::filter::{OF_IMAGES, OF_PODS, OF_VOLUMES};
use crate::command::complete::candidate::{Candidate, Kind, Wanted, Which, line};

/// States by which pods are chosen, as they are shown and as other tools call them.
const STATES: &[&str] = &[
    "created",
    "deleting",
    "exited",
    "killed",
    "paused",
    "prepared",
    "preparing",
    "running",
    "stopped",
];

/// The words that an argument takes, if they are few. `before` stands before the value in the same word.
pub(super) fn choices(
    command: &Command,
    argument: &Arg,
    before: &str,
    typed: &str,
) -> Option<Wanted> {
    if let Some(filtered) = filtered(command, argument, before, typed) {
        return Some(filtered);
    }
    let words = match (argument.get_id().as_str(), value_name(argument)) {
        ("userns", _) => plain(before, &["auto", "host"]),
        ("pid", _) => plain(before, &["pod", "private"]),
        ("ipc" | "uts" | "cgroupns", _) => plain(before, &["private", "host"]),
        (_, "CAPABILITY") => capabilities(before, typed),
        ("log_driver" | "pod_log_driver", _) => plain(before, &["journald", "k8s-file", "none"]),
        ("driver", _) => plain(before, &["local"]),
        ("conditions", _) => plain(before, &condition::WORDS.map(|(word, _)| word)),
        ("mount", _) => mounted(before, typed)?,
        (_, "SIGNAL") => signals(before, typed),
        (_, "FORMAT") if argument.get_possible_values().is_empty() => {
            plain(before, formats(command, argument))
        }
        _ => told(argument, before, typed)?,
    };
    Some(Wanted::These(words))
}

fn value_name(argument: &Arg) -> &str {
    let names = argument.get_value_names();
    let first = names.and_then(|names| names.first());
    first.map_or("", |name| name.as_str())
}

fn plain(before: &str, words: &[&str]) -> Vec<Candidate> {
    let named = words
        .iter()
        .map(|word| Candidate::plain(format!("{before}{word}")));
    named.collect()
}

/// Capabilities, of which several stand in one word.
fn capabilities(before: &str, typed: &str) -> Vec<Candidate> {
    let end = typed.rfind(',').map_or(0, |place| place + 1);
    let listed = typed.get(..end).unwrap_or_default();
    let names = Capability::ALL
        .iter()
        .filter_map(|one| one.word().strip_prefix("CAP_"));
    let all: Vec<&str> = ["ALL"].into_iter().chain(names).collect();
    plain(&format!("{before}{listed}"), &all)
}

/// What the definition tells.
fn told(argument: &Arg, before: &str, typed: &str) -> Option<Vec<Candidate>> {
    let possible = argument.get_possible_values();
    let listed = match argument.get_value_delimiter() {
        // Several stand in one word.
        Some(between) => typed.rfind(between).map_or(0, |place| place + 1),
        None => 0,
    };
    let listed = typed.get(..listed).unwrap_or_default();
    let named = possible.iter().map(|value| Candidate {
        text: format!("{before}{listed}{}", value.get_name()),
        about: value.get_help().map(line).unwrap_or_default(),
    });
    (!possible.is_empty()).then(|| named.collect())
}

/// Lists, tables and single things are shown in different ways; a template is one more for each.
fn formats(command: &Command, argument: &Arg) -> &'static [&'static str] {
    let mut arguments = command.get_arguments();
    let is_list = arguments.any(|argument| argument.get_id() == "no_legend");
    let defaults = argument.get_default_values();
    match (is_list, defaults.iter().any(|default| default == "text")) {
        (true, _) => &["text", "json", "table"],
        (false, true) => &["text", "json"],
        (false, false) => &["json"],
    }
}

/// As they are typed: with `SIG` or without.
fn signals(before: &str, typed: &str) -> Vec<Candidate> {
    let begin = if typed.starts_with("SIG") { "SIG" } else { "" };
    let named = signal_names::all().map(|name| Candidate::plain(format!("{before}{begin}{name}")));
    named.collect()
}

/// The keys of `--mount`, and the kinds of mounts. What is of the host comes before this.
fn mounted(before: &str, typed: &str) -> Option<Vec<Candidate>> {
    let begin = typed.rfind(',').map_or(0, |place| place + 1);
    let (parts, part) = typed.split_at_checked(begin)?;
    let before = format!("{before}{parts}");
    Some(match part.split_once('=') {
        None => plain(&before, &["type=", "source=", "target=", "readonly"]),
        Some(("type", _)) => plain(
            &format!("{before}type="),
            &["bind", "volume", "image", "tmpfs"],
        ),
        Some(_) => Vec::new(),
    })
}

/// The keys of `--filter`, and what they are compared with.
fn filtered(command: &Command, argument: &Arg, before: &str, typed: &str) -> Option<Wanted> {
    if argument.get_id() != "filters" {
        return None;
    }
    let keys = match command.get_name() {
        "list" | "ps" if takes(command, "last") => OF_PODS,
        "list" | "images" if takes(command, "digests") => OF_IMAGES,
        _ => OF_VOLUMES,
    };
    let Some((key, _)) = typed.split_once('=') else {
        let keys = keys
            .iter()
            .map(|key| Candidate::plain(format!("{before}{key}=")));
        return Some(Wanted::These(keys.collect()));
    };
    let before = format!("{before}{key}=");
    let kind = match key {
        "status" => return Some(Wanted::These(plain(&before, STATES))),
        "dangling" => return Some(Wanted::These(plain(&before, &["true", "false"]))),
        "network" => Kind::Network,
        "volume" => Kind::Volume,
        "ancestor" | "reference" => Kind::Image,
        "name" if keys == OF_VOLUMES => Kind::Volume,
        "name" => Kind::Pod(Which::Any),
        _ => return Some(Wanted::These(Vec::new())),
    };
    Some(Wanted::Values { kind, before })
}

/// Whether a command has an argument of that name.
fn takes(command: &Command, name: &str) -> bool {
    let mut arguments = command.get_arguments();
    arguments.any(|argument| argument.get_id() == name)
}
