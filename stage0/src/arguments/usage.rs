//! What the parser of the command line says.

mod long_value;
mod missing;

use std::cmp::Reverse;
use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use self::long_value::shortened;
use self::missing::{missing, plain};
use super::command_words::{near, near_command};
use super::flags::{self, GLOBAL_VALUES, Owner};
use super::network_variable::NET_VARIABLE;
use crate::wording::failure::Failure;
use crate::wording::other_tools;

/// A command that was typed.
pub(crate) struct Typed {
    /// Its words after the program's name, as it calls itself: `network create`; of a flag before all commands, none.
    pub(crate) name: String,
    /// Its definition.
    pub(crate) definition: Command,
}

/// What the parser says of values, as this program words errors.
pub(crate) fn usage(error: &clap::Error) -> Failure {
    worded(error, "", None, |_| None)
}

/// What it says of a command line.
pub(crate) fn usage_of(
    argv: &[OsString],
    makes_app: bool,
    whole: Command,
    error: &clap::Error,
) -> Failure {
    let typed = Typed::of(argv, whole, context(error, ContextKind::InvalidArg));
    worded(error, "", Some(&typed), |name| match makes_app {
        true => tip_of_pod(name, false),
        false => None,
    })
}

/// The same of an app after the first one.
pub(crate) fn usage_of_later_app(error: &clap::Error) -> Failure {
    worded(error, "after `---`: ", None, |name| tip_of_pod(name, true))
}

/// The switches that the parser refused because they have a value, as it calls them.
pub(crate) fn refused_value(error: &clap::Error) -> Option<&str> {
    let word = context(error, ContextKind::InvalidArg)?;
    match error.kind() {
        ErrorKind::TooManyValues => Some(word),
        ErrorKind::UnknownArgument if word == "-=" => Some(word),
        _ => None,
    }
}

impl Typed {
    /// The command of a command line; that of the word at which the parser stumbled, if it is told.
    pub(crate) fn of(argv: &[OsString], mut whole: Command, stumbled: Option<&str>) -> Self {
        whole.build();
        let mut typed = Self {
            name: String::new(),
            definition: whole,
        };
        let mut words = argv.iter().skip(1).map(|word| word.to_string_lossy());
        while let Some(word) = words.next() {
            if let Some(flag) = word.strip_prefix('-') {
                if stumbled.is_some_and(|stumbled| word.starts_with(stumbled)) {
                    break;
                }
                if GLOBAL_VALUES.contains(&flag.trim_start_matches('-')) {
                    words.next();
                }
                continue;
            }
            let Some(inner) = typed.definition.find_subcommand(word.as_ref()) else {
                break;
            };
            let inner = inner.clone();
            let space = if typed.name.is_empty() { "" } else { " " };
            typed.name = format!("{}{space}{}", typed.name, inner.get_name());
            typed.definition = inner;
        }
        typed
    }

    /// How the command is called, in one line.
    fn usage(&self) -> String {
        let usage = self.definition.clone().render_usage().to_string();
        let first = usage.lines().next().unwrap_or_default();
        plain(first.trim_start_matches("Usage:").trim())
    }

    /// The long flag of the command that was meant, if it is a typing error.
    fn meant(&self, name: &str) -> Option<String> {
        self.nearest(name)
            .map(|(_, flag)| format!("did you mean `--{flag}`?"))
    }

    /// The long flag that is spelled most like this, if one is, and how far it is.
    fn nearest(&self, name: &str) -> Option<(usize, String)> {
        let arguments = self.definition.get_arguments();
        let own = arguments
            .filter(|argument| !argument.is_hide_set())
            .flat_map(|argument| {
                let aliases = argument.get_visible_aliases().unwrap_or_default();
                argument.get_long().into_iter().chain(aliases)
            });
        let near = own.filter_map(|flag| Some((near(name, flag)?, flag.to_owned())));
        near.min()
    }

    /// The command of the group that was meant, if it is a typing error.
    fn meant_command(&self, name: &str) -> Option<String> {
        let commands = self.definition.get_subcommands();
        let names = commands
            .filter(|command| !command.get_name().starts_with("complete"))
            .flat_map(|command| command.get_all_aliases().chain([command.get_name()]));
        let near = names.filter_map(|command| Some((near_command(name, command)?, command)));
        // Letters are left out more often than others are typed.
        let nearest = near.min_by_key(|(distance, command)| {
            let is_begun = name.starts_with(command);
            (*distance, !is_begun, Reverse(command.len()))
        });
        nearest.map(|(_, command)| format!("did you mean `{command}`?"))
    }
}

fn worded(
    error: &clap::Error,
    place: &str,
    typed: Option<&Typed>,
    tip_for: impl Fn(&str) -> Option<String>,
) -> Failure {
    // The parser calls a variable an argument.
    if error.kind() == ErrorKind::InvalidUtf8
        && std::env::args_os().all(|argument| argument.to_str().is_some())
        && std::env::var_os(NET_VARIABLE).is_some()
    {
        return Failure::Usage(format!("the variable {NET_VARIABLE} is not valid UTF-8"));
    }
    let said = match error.kind() {
        ErrorKind::UnknownArgument => unknown_word(error, typed, tip_for),
        ErrorKind::InvalidSubcommand => unknown_command(error, typed),
        ErrorKind::TooManyValues => value_of_switch(error),
        ErrorKind::MissingRequiredArgument => missing(error, typed.map(Typed::usage)),
        _ => None,
    };
    let text = said.unwrap_or_else(|| {
        let text = error.render().to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let value = context(error, ContextKind::InvalidValue).map(in_one_line);
        shortened(in_one_line(text), value.as_deref())
    });
    Failure::Usage(format!("{place}{text}"))
}

/// The parser's own text without its last words, which show the usage and lead to `--help`.
fn in_one_line(text: &str) -> String {
    let said = text.split("\n\nFor more information").next();
    let said = said.and_then(|said| said.split("\n\nUsage:").next());
    let lines = said.unwrap_or_default().lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    // Numbers are read by the standard library, which words that for programmers.
    let text = lines.join(" ");
    let text = text.replace(
        "invalid digit found in string",
        "it must be a whole number, from 0 on",
    );
    let text = text.replace("number too large to fit in target type", "it is too large");
    text.replace("number would be zero for non-zero type", "it is 1 at least")
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

/// A flag, or a word that the command doesn't take.
fn unknown_word(
    error: &clap::Error,
    typed: Option<&Typed>,
    tip_for: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let word = context(error, ContextKind::InvalidArg)?;
    let command = typed.map_or("", |typed| typed.name.as_str());
    let flag = word.split('=').next().unwrap_or_default();
    let Some(name) = flag.strip_prefix('-') else {
        let tip = match (other_tools::operand(command), typed) {
            (Some(tip), _) => tip.to_owned(),
            (None, Some(typed)) => format!("`{}`", typed.usage()),
            (None, None) => return None,
        };
        return Some(format!("unexpected argument {word}: {tip}"));
    };
    let name = name.strip_prefix('-').unwrap_or(name);
    if name.is_empty() {
        return None;
    }
    let elsewhere = typed.and_then(|_| other_tools::flag_elsewhere(command, name));
    let tip = elsewhere
        .map(str::to_owned)
        .or_else(|| tip_for(name))
        .or_else(|| {
            typed
                .filter(|_| command.is_empty())
                .and_then(|typed| tip_before_commands(typed, name))
        })
        .or_else(|| typed.and_then(|typed| typed.meant(name)))
        .or_else(|| guess(error, ContextKind::SuggestedArg, name))
        .or_else(|| other_tools::operand(command).map(str::to_owned))
        .unwrap_or_else(|| "`--help` lists the flags".to_owned());
    Some(format!("unknown flag {flag}: {tip}"))
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

/// What leads on from a flag before all commands that is one of `run`, or nearly.
fn tip_before_commands(typed: &Typed, name: &str) -> Option<String> {
    if flags::known(name).is_some() {
        return Some("it goes after the command: `fairing run` has it".to_owned());
    }
    let near = flags::long(None).filter_map(|flag| Some((near(name, flag)?, flag)));
    let (distance, flag) = near.min()?;
    // One that goes before all commands is meant rather, where it is as near.
    if let Some((own, _)) = typed.nearest(name)
        && own <= distance
    {
        return None;
    }
    Some(format!("did you mean `--{flag}`, after `fairing run`?"))
}

/// A value of a flag that has none.
fn value_of_switch(error: &clap::Error) -> Option<String> {
    let flag = context(error, ContextKind::InvalidArg)?;
    let value = context(error, ContextKind::InvalidValue)?;
    let flag = flag.split(['=', ' ']).next().unwrap_or_default();
    Some(format!(
        "{flag} is a switch: it takes true or false, not {value:?}"
    ))
}

fn unknown_command(error: &clap::Error, typed: Option<&Typed>) -> Option<String> {
    let name = context(error, ContextKind::InvalidSubcommand)?;
    let group = typed.map_or("", |typed| typed.name.as_str());
    let tip = other_tools::command(group, name)
        .map(str::to_owned)
        .or_else(|| typed.and_then(|typed| typed.meant_command(name)))
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
                "run --nte none a",
                "unknown flag --nte: did you mean `--net`?",
            ),
            (
                "--nte none run a",
                "unknown flag --nte: did you mean `--net`, after `fairing run`?",
            ),
            (
                "--name web run a",
                "unknown flag --name: it goes after the command: `fairing run` has it",
            ),
            (
                "exec --privileged web id",
                "unknown flag --privileged: a command has the confinement of its app, which is set at the start: `fairing run` has --cap-add and --privileged",
            ),
            (
                "--log-level debug ps",
                "unknown flag --log-level: it is called `--debug`",
            ),
            (
                "top web aux",
                "unexpected argument aux: choosing columns is not there yet; `fairing top POD` shows what there are",
            ),
            (
                "ps extra",
                "unexpected argument extra: `fairing ps [OPTIONS]`",
            ),
            (
                "network create n --mtu x",
                "invalid value 'x' for '--mtu <BYTES>': it must be a whole number, from 0 on",
            ),
            (
                "network create n --mtu -5",
                "invalid value '-5' for '--mtu <BYTES>': -5 is not in 0..=4294967295",
            ),
            (
                "gc --grace-period -1",
                "invalid value '-1' for '--grace-period <DURATION>': write a duration such as 10s or 1m30s",
            ),
            (
                "--dirr x list",
                "unknown flag --dirr: did you mean `--dir`?",
            ),
            (
                "stop --app a web",
                "unknown flag --app: the app `web` of a pod is stopped by `fairing app stop POD web`",
            ),
            (
                "volume rm -a",
                "unknown flag -a: volumes that no pod needs are removed by `fairing volume prune`",
            ),
            (
                "volume create --opt type=nfs",
                "invalid value 'type=nfs' for '--opt <KEY=VALUE>': there is size alone: volumes are directories of this host; `fairing run --volume ./DIRECTORY:/PLACE IMAGE` mounts any other",
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
    fn what_is_missing_is_told_in_one_line() {
        for (line, text) in [
            ("stop", "POD… is missing: `fairing stop [OPTIONS] POD…`"),
            ("port", "POD is missing: `fairing port [OPTIONS] POD "),
            ("logs", "POD is missing: `fairing logs "),
            (
                "run",
                "IMAGE is missing: `fairing run [POD FLAGS] IMAGE [APP FLAGS] [COMMAND] [ARGS] [--- IMAGE2 …]`",
            ),
            ("image tag a", "NAME… is missing: `fairing image tag "),
        ] {
            let told = said(&format!("fairing {line}"));
            assert!(told.starts_with(text) && !told.contains('\n'), "{told}");
        }
    }

    #[test]
    fn what_goes_too_far_is_told_in_one_line() {
        for line in ["logs lf b", "port w -a", "volume create a extra"] {
            let told = said(&format!("fairing {line}"));
            assert!(!told.contains('\n') && !told.contains("For more"), "{told}");
        }
    }

    #[test]
    fn a_value_that_makes_no_sense_is_told_in_one_line() {
        let told = said("fairing run --tty=maybe a");
        assert_eq!(
            told,
            "--tty is a switch: it takes true or false, not \"maybe\""
        );
        let told = said("fairing run -u 4294967295 a");
        assert!(
            told.ends_with("4294967295 means no user to the kernel"),
            "{told}"
        );
        for line in [
            "run --pull sometimes a",
            "run -v .data:/x a",
            "run -m x a",
            "stop -t x a",
        ] {
            let told = said(&format!("fairing {line}"));
            assert!(told.starts_with("invalid value '"), "{told}");
            assert!(
                !told.contains('\n') && !told.contains("more information"),
                "{told}"
            );
        }
    }

    #[test]
    fn a_long_value_is_not_repeated_whole() {
        let long = "x".repeat(5000);
        for flag in ["--sysctl", "--ulimit", "--memory", "--cap-add", "--pull"] {
            let told = said(&format!("fairing run {flag}={long} a"));
            assert!(told.starts_with("invalid value 'xxxx"), "{told}");
            assert!(told.chars().count() < 500, "{flag}: {told}");
        }
    }

    #[test]
    fn an_unknown_command_is_told_with_what_leads_on() {
        for (line, text) in [
            ("lst", "unknown command lst: did you mean `list`?"),
            ("frob", "unknown command frob: `--help` lists the commands"),
            ("runn a", "unknown command runn: did you mean `run`?"),
            ("rmm a", "unknown command rmm: did you mean `rm`?"),
            ("rnu a", "unknown command rnu: did you mean `run`?"),
            ("pss", "unknown command pss: did you mean `ps`?"),
            ("sp", "unknown command sp: did you mean `ps`?"),
            ("imags", "unknown command imags: did you mean `images`?"),
            ("network lss", "unknown command lss: did you mean `ls`?"),
            ("ex web", "unknown command ex: `--help` lists the commands"),
            ("stauts", "unknown command stauts: did you mean `status`?"),
            ("image lits", "unknown command lits: did you mean `list`?"),
            (
                "network prune -f",
                "unknown command prune: `fairing network rm NETWORK` removes one; `fairing network gc` \
                 what dead pods hold",
            ),
        ] {
            assert_eq!(said(&format!("fairing {line}")), text, "{line}");
        }
    }
}
