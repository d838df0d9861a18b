//! What may come next, by the definitions of the command line.

use clap::builder::ValueHint;
use clap::{Arg, Command};

use crate::arguments::split::split;

/// What may come next.
#[derive(Debug)]
pub(super) enum Wanted {
    /// One of these.
    These(Vec<Candidate>),
    /// Something that there is; `before` is what stands before it in the same word.
    Values { kind: Kind, before: String },
    /// A file, or whatever the program of an image takes.
    Files,
}

/// A word that may come, and what it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) text: String,
    pub(super) about: String,
}

impl Candidate {
    pub(super) fn plain(text: String) -> Self {
        Self {
            text,
            about: String::new(),
        }
    }
}

/// Things that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pod,
    App,
    Image,
    Network,
    Volume,
    Key,
    Prefix,
    /// What `inspect` takes.
    PodOrImage,
    /// What `trust rm` takes.
    PrefixOrKey,
    /// What `--volume` takes: a name, if it can be one.
    VolumeOrPath,
    /// A file or directory of the host, where the shell can't complete it itself.
    Path,
}

impl Kind {
    /// What the value of an argument names, by what the help calls it.
    fn of(argument: &Arg) -> Option<Self> {
        let names = argument.get_value_names()?;
        match names.first()?.as_str() {
            "POD" => Some(Self::Pod),
            "APP" => Some(Self::App),
            "IMAGE" => Some(Self::Image),
            "NETWORK" | "NAME,…" => Some(Self::Network),
            "VOLUME" => Some(Self::Volume),
            "FINGERPRINT" | "PREFIX|FINGERPRINT" => Some(Self::Key),
            "PREFIX" => Some(Self::Prefix),
            "POD|IMAGE" => Some(Self::PodOrImage),
            "[PREFIX] [KEY]" => Some(Self::PrefixOrKey),
            "NAME" if argument.get_id() == "app" => Some(Self::App),
            _ => None,
        }
    }
}

/// What may come in the place of the last word. `definition` has been built.
pub(super) fn wanted(definition: &Command, words: &[String]) -> Wanted {
    let Some((typed, before)) = words.split_last() else {
        return Wanted::Files;
    };
    let line = std::iter::once("fairing").chain(before.iter().map(String::as_str));
    // A line that makes no sense leads nowhere.
    let Ok(split) = split(line.map(Into::into).collect()) else {
        return Wanted::These(Vec::new());
    };
    let is_later = !split.later.is_empty();
    let words = split.later.last().map_or(&split.first, |later| later);
    let words = words.iter().skip(usize::from(!is_later));
    let words: Vec<&str> = words.filter_map(|word| word.to_str()).collect();
    let mut command = match is_later {
        // Flags of the pod don't fit here, and none of them is an image.
        true => definition.find_subcommand("run").unwrap_or(definition),
        false => definition,
    };
    let mut operands = 0;
    let mut open: Option<&Arg> = None;
    for word in words {
        if open.take().is_some() {
        } else if word == "--" {
            return Wanted::Files;
        } else if word.starts_with('-') && word != "-" {
            open = flag(command, word).filter(|_| !word.contains('='));
        } else if let Some(below) = command.find_subcommand(word).filter(|_| operands == 0) {
            command = below;
        } else {
            operands += 1;
        }
    }
    if let Some(argument) = open {
        return value(argument, "", typed);
    }
    if let Some((name, rest)) = typed.split_once('=').filter(|_| typed.starts_with("--")) {
        return match flag(command, name) {
            Some(argument) => value(argument, &format!("{name}="), rest),
            None => Wanted::Files,
        };
    }
    if typed.starts_with('-') {
        return Wanted::These(flags(command));
    }
    if command.has_subcommands() {
        return Wanted::These(subcommands(command));
    }
    let mut positionals: Vec<&Arg> = command
        .get_positionals()
        .filter(|a| !a.is_last_set())
        .collect();
    positionals.sort_by_key(|argument| argument.get_index());
    let last = positionals.len().saturating_sub(1);
    match positionals.get(operands.min(last)) {
        // All further words are of the last kind, if it takes several.
        Some(argument) if operands <= last || takes_several(argument) => value(argument, "", typed),
        _ => Wanted::Files,
    }
}

fn takes_several(argument: &Arg) -> bool {
    matches!(argument.get_action(), clap::ArgAction::Append)
}

/// The flag that a word is, if it takes a value: by its name, or by the last letter of a cluster.
fn flag<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let mut arguments = command.get_arguments();
    let found = match word.strip_prefix("--") {
        Some(name) => {
            let name = name.split('=').next().unwrap_or_default();
            arguments.find(|argument| {
                argument.get_long() == Some(name)
                    || argument
                        .get_all_aliases()
                        .unwrap_or_default()
                        .contains(&name)
            })
        }
        None => {
            let letter = word.chars().last();
            arguments.find(|argument| argument.get_short() == letter)
        }
    };
    found.filter(|argument| argument.get_action().takes_values())
}

/// What the value of an argument may be.
fn value(argument: &Arg, before: &str, typed: &str) -> Wanted {
    if let Some(kind) = Kind::of(argument) {
        let listed = match kind {
            // Several stand in one word.
            Kind::Network => typed.rfind(',').map_or(0, |place| place + 1),
            _ => 0,
        };
        let before = format!("{before}{}", typed.get(..listed).unwrap_or_default());
        return Wanted::Values { kind, before };
    }
    if let Some(wanted) = place_of_host(argument, before, typed) {
        return wanted;
    }
    let possible = argument.get_possible_values();
    if !possible.is_empty() {
        let candidates = possible.iter().map(|value| Candidate {
            text: format!("{before}{}", value.get_name()),
            about: value.get_help().map(line).unwrap_or_default(),
        });
        return Wanted::These(candidates.collect());
    }
    match argument.get_value_hint() {
        // A name or a number that nobody can guess. Sources of images may be files.
        ValueHint::Unknown | ValueHint::Other if !argument.is_positional() => {
            Wanted::These(Vec::new())
        }
        _ if before.is_empty() => Wanted::Files,
        // Shells don't see where the path begins.
        _ => path_behind(before),
    }
}

/// What is mounted of the host; what comes behind it, nobody knows.
fn place_of_host(argument: &Arg, before: &str, typed: &str) -> Option<Wanted> {
    match argument.get_id().as_str() {
        "volume" if typed.contains([':', ',']) => Some(Wanted::These(Vec::new())),
        "volume" if !typed.starts_with(['/', '.', '~']) => Some(Wanted::Values {
            kind: Kind::VolumeOrPath,
            before: before.to_owned(),
        }),
        "volume" if before.is_empty() => Some(Wanted::Files),
        "volume" => Some(path_behind(before)),
        "mount" => {
            let begin = typed.rfind(',').map_or(0, |place| place + 1);
            let (parts, part) = typed.split_at_checked(begin)?;
            let (key, _) = part.split_once('=')?;
            match key {
                "source" | "src" => Some(path_behind(&format!("{before}{parts}{key}="))),
                _ => None,
            }
        }
        _ => None,
    }
}

fn path_behind(before: &str) -> Wanted {
    Wanted::Values {
        kind: Kind::Path,
        before: before.to_owned(),
    }
}

fn flags(command: &Command) -> Vec<Candidate> {
    let shown = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set());
    let named = shown.filter_map(|argument| {
        Some(Candidate {
            text: format!("--{}", argument.get_long()?),
            about: argument.get_help().map(line).unwrap_or_default(),
        })
    });
    named.collect()
}

fn subcommands(command: &Command) -> Vec<Candidate> {
    let shown = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let named = shown.map(|command| Candidate {
        text: command.get_name().to_owned(),
        about: command.get_about().map(line).unwrap_or_default(),
    });
    named.collect()
}

/// One line of a text.
fn line(text: &clap::builder::StyledStr) -> String {
    text.to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests;
