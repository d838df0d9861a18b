//! What the parser of the command line says.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::command_words::near;
use super::flags::{self, Owner};
use super::network::NET_VARIABLE;
use crate::wording::failure::Failure;
use crate::wording::other_tools;

/// What the parser says, as this program words errors.
pub(crate) fn usage(error: &clap::Error) -> Failure {
    worded(error, "", |_| None)
}

/// The same of a command that makes a pod, or an app of one.
pub(crate) fn usage_of_pod(error: &clap::Error) -> Failure {
    worded(error, "", |name| tip_of_pod(name, false))
}

/// The same of an app after the first one.
pub(crate) fn usage_of_later_app(error: &clap::Error) -> Failure {
    worded(error, "after `---`: ", |name| tip_of_pod(name, true))
}

fn worded(error: &clap::Error, place: &str, tip_for: impl Fn(&str) -> Option<String>) -> Failure {
    // The parser calls a variable an argument.
    if error.kind() == ErrorKind::InvalidUtf8
        && std::env::args_os().all(|argument| argument.to_str().is_some())
        && std::env::var_os(NET_VARIABLE).is_some()
    {
        return Failure::Usage(format!("the variable {NET_VARIABLE} is not valid UTF-8"));
    }
    let said = match error.kind() {
        ErrorKind::UnknownArgument => unknown_flag(error, tip_for),
        ErrorKind::InvalidSubcommand => unknown_command(error),
        _ => None,
    };
    let text = said.unwrap_or_else(|| {
        let text = error.render().to_string();
        text.strip_prefix("error: ").unwrap_or(&text).to_owned()
    });
    Failure::Usage(format!("{place}{text}"))
}

/// What the parser stumbled over.
fn context(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        _ => None,
    }
}

/// What may have been meant, by the parser's guesses: many of them fail in turn.
fn guess(error: &clap::Error, kind: ContextKind, typed: &str) -> Option<String> {
    let guesses = match error.get(kind)? {
        ContextValue::String(guess) => std::slice::from_ref(guess),
        ContextValue::Strings(guesses) => guesses,
        _ => return None,
    };
    let near = guesses.iter().filter_map(|guess| {
        let distance = near(typed, guess.trim_start_matches('-'))?;
        Some((distance, guess))
    });
    let (_, guess) = near.min()?;
    Some(format!("did you mean `{guess}`?"))
}

fn unknown_flag(error: &clap::Error, tip_for: impl Fn(&str) -> Option<String>) -> Option<String> {
    let word = context(error, ContextKind::InvalidArg)?;
    let typed = word.split('=').next().unwrap_or_default();
    let name = typed.strip_prefix('-')?;
    let name = name.strip_prefix('-').unwrap_or(name);
    if name.is_empty() {
        return None;
    }
    let tip = tip_for(name)
        .or_else(|| guess(error, ContextKind::SuggestedArg, name))
        .unwrap_or_else(|| "`--help` lists the flags".to_owned());
    Some(format!("unknown flag {typed}: {tip}"))
}

/// What leads on from a flag that another tool has, or another command or place.
fn tip_of_pod(name: &str, is_later: bool) -> Option<String> {
    let tip = match (other_tools::flag(name), flags::known(name)) {
        (Some(tip), _) => tip,
        (None, Some(flag)) if is_later && flag.owner == Owner::Pod => {
            "it is the pod's, and goes before the first image"
        }
        (None, Some(_)) if name == "start" => "`fairing app add` has it",
        (None, Some(_)) => "`fairing run` has it",
        (None, None) => return None,
    };
    Some(tip.to_owned())
}

fn unknown_command(error: &clap::Error) -> Option<String> {
    let name = context(error, ContextKind::InvalidSubcommand)?;
    let tip = other_tools::command(name)
        .map(str::to_owned)
        .or_else(|| guess(error, ContextKind::SuggestedSubcommand, name))
        .unwrap_or_else(|| "`--help` lists the commands".to_owned());
    Some(format!("unknown command {name}: {tip}"))
}

#[cfg(test)]
mod tests {
    fn said(line: &str) -> String {
        let words = line.split_whitespace().map(Into::into).collect();
        crate::command::parsed(words).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_flag_is_told_with_what_leads_on() {
        for (line, text) in [
            (
                "run --voulme /a:/b a",
                "unknown flag --voulme: did you mean `--volume`?",
            ),
            (
                "run --volume-driver=x a",
                "unknown flag --volume-driver: drivers of volumes are not there",
            ),
            (
                "run --volumes-from=x a",
                "unknown flag --volumes-from: volumes of other pods are not there yet",
            ),
            (
                "run --memroy 64m a",
                "unknown flag --memroy: did you mean `--memory`?",
            ),
            (
                "run --nmae=x a",
                "unknown flag --nmae: did you mean `--name`?",
            ),
            (
                "prepare --detach a",
                "unknown flag --detach: `fairing run` has it",
            ),
            (
                "run a --- --name x b",
                "after `---`: unknown flag --name: it is the pod's, and goes before the first image",
            ),
            // Volumes of other commands are another thing.
            (
                "list --volume",
                "unknown flag --volume: `--help` lists the flags",
            ),
            (
                "list --fromat json",
                "unknown flag --fromat: did you mean `--format`?",
            ),
        ] {
            assert_eq!(said(&format!("fairing {line}")), text, "{line}");
        }
    }

    #[test]
    fn an_unknown_command_is_told_with_what_leads_on() {
        for (line, text) in [
            (
                "volume ls",
                "unknown command volume: named volumes are not there yet; `--volume ./DIRECTORY:/PLACE` mounts one of the host",
            ),
            ("lst", "unknown command lst: did you mean `list`?"),
            ("frob", "unknown command frob: `--help` lists the commands"),
            ("runn a", "unknown command runn: did you mean `run`?"),
            ("stauts", "unknown command stauts: did you mean `status`?"),
            ("image lits", "unknown command lits: did you mean `list`?"),
        ] {
            assert_eq!(said(&format!("fairing {line}")), text, "{line}");
        }
    }
}
