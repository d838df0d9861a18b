//! What may come next, by the definitions of the command line.

mod choices;

use clap::builder::ValueHint;
use clap::{Arg, Command};

use self::choices::choices;
use super::candidate::{Candidate, Kind, Wanted, Which, line};
use crate::arguments::flags::{Owner, is_of_joining, known};
use crate::arguments::split::split;

impl Which {
    /// By the words of a command, and whether it ends pods that run.
    fn of(command: &[&str], is_forced: bool) -> Self {
        match command {
            ["start"] => Self::Startable,
            ["restart"] => Self::Staying,
            ["run-prepared"] => Self::Prepared,
            ["rm"] if !is_forced => Self::Idle,
            [
                "stop" | "kill" | "enter" | "attach" | "top" | "port" | "pause" | "resume"
                | "unpause" | "update" | "auto-update" | "stats",
            ]
            | ["app", _] => Self::Running,
            _ => Self::Any,
        }
    }
}

impl Kind {
    /// What the value of an argument names, by what the help calls it.
    fn of(argument: &Arg, pods: Which) -> Option<Self> {
        let names = argument.get_value_names()?;
        match names.first()?.as_str() {
            "POD" | "POD[/APP]" | "UNIT|POD" => Some(Self::Pod(pods)),
            "APP" => Some(Self::App),
            "IMAGE" => Some(Self::Image),
            "NETWORK" => Some(Self::Network),
            "NAME,…" => Some(Self::Net),
            "VOLUME" => Some(Self::Volume),
            "UNIT|FILE" => Some(Self::Unit),
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
    let mut path = Vec::new();
    let mut operands = 0;
    let mut is_forced = false;
    let mut open: Option<&Arg> = None;
    for word in words {
        if open.take().is_some() {
        } else if word == "--" {
            return Wanted::Files;
        } else if word.starts_with('-') && word != "-" {
            is_forced |= matches!(word, "-f" | "--force");
            open = flag(command, word).filter(|_| !word.contains('='));
        } else if let Some(below) = command.find_subcommand(word).filter(|_| operands == 0) {
            command = below;
            path.push(below.get_name());
        } else {
            operands += 1;
        }
    }
    let place = Place {
        command,
        pods: Which::of(&path, is_forced),
        flags: match (path.as_slice(), operands) {
            // Another flag is the program's.
            (["run" | "prepare"], 1..) | (["app", "add"], 2..) => Flags::OfApp {
                joins: path.len() > 1,
            },
            ([], _) if is_later => Flags::OfApp { joins: false },
            _ => Flags::All,
        },
    };
    if let Some(argument) = open {
        return place.value(argument, "", typed);
    }
    if let Some((name, rest)) = typed.split_once('=').filter(|_| typed.starts_with("--")) {
        return match flag(command, name) {
            Some(argument) if place.takes(name.trim_start_matches('-')) => {
                place.value(argument, &format!("{name}="), rest)
            }
            _ => Wanted::Files,
        };
    }
    if typed.starts_with('-') {
        return Wanted::These(place.flags());
    }
    if command.has_subcommands() {
        return Wanted::These(subcommands(command, typed));
    }
    let mut positionals: Vec<&Arg> = command
        .get_positionals()
        .filter(|a| !a.is_last_set())
        .collect();
    positionals.sort_by_key(|argument| argument.get_index());
    let last = positionals.len().saturating_sub(1);
    match positionals.get(operands.min(last)) {
        // All further words are of the last kind, if it takes several.
        Some(argument) if operands <= last || takes_several(argument) => {
            place.value(argument, "", typed)
        }
        _ => Wanted::Files,
    }
}

/// Where on the command line a word is being typed.
struct Place<'a> {
    command: &'a Command,
    pods: Which,
    flags: Flags,
}

/// Which flags of a command may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flags {
    All,
    /// Behind its image, those of an app, or of one that joins a pod.
    OfApp {
        joins: bool,
    },
}

impl Place<'_> {
    /// Whether a flag may come, named without its dashes.
    fn takes(&self, name: &str) -> bool {
        match self.flags {
            Flags::All => true,
            Flags::OfApp { joins } => {
                known(name).is_some_and(|flag| flag.owner == Owner::App)
                    || (joins && is_of_joining(name))
            }
        }
    }

    fn flags(&self) -> Vec<Candidate> {
        let shown = self
            .command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set());
        let named = shown.filter_map(|argument| {
            let name = argument.get_long().filter(|name| self.takes(name))?;
            Some(Candidate {
                text: format!("--{name}"),
                about: argument.get_help().map(line).unwrap_or_default(),
            })
        });
        named.collect()
    }

    /// What the value of an argument may be.
    fn value(&self, argument: &Arg, before: &str, typed: &str) -> Wanted {
        if let Some(kind) = Kind::of(argument, self.pods) {
            let listed = match kind {
                // Several stand in one word.
                Kind::Net => typed.rfind(',').map_or(0, |place| place + 1),
                _ => 0,
            };
            let before = format!("{before}{}", typed.get(..listed).unwrap_or_default());
            return Wanted::Values { kind, before };
        }
        if let Some(wanted) = side_of_copy(self.command, argument, typed) {
            return wanted;
        }
        if let Some(wanted) = place_of_host(argument, before, typed) {
            return wanted;
        }
        if let Some(wanted) = choices(self.command, argument, before, typed) {
            return wanted;
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

/// A side of `cp`. What is in a pod, nobody knows.
fn side_of_copy(command: &Command, argument: &Arg, typed: &str) -> Option<Wanted> {
    if command.get_name() != "cp" || !argument.is_positional() {
        return None;
    }
    Some(match typed.starts_with(['/', '.', '~']) {
        true => Wanted::Files,
        false if typed.contains(':') => Wanted::These(Vec::new()),
        false => Wanted::Values {
            kind: Kind::PodOrPath,
            before: String::new(),
        },
    })
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

/// The commands, and their other names once one of them is being typed.
fn subcommands(command: &Command, typed: &str) -> Vec<Candidate> {
    let shown = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let named = shown.flat_map(|command| {
        let aliases = command
            .get_visible_aliases()
            .filter(|alias| !typed.is_empty() && alias.starts_with(typed));
        let names = [command.get_name()].into_iter().chain(aliases);
        let about = command.get_about().map(line).unwrap_or_default();
        names.map(move |name| Candidate {
            text: name.to_owned(),
            about: about.clone(),
        })
    });
    named.collect()
}

#[cfg(test)]
mod tests;
