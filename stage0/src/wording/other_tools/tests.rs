use std::collections::BTreeSet;

use clap::Command;

use super::*;
use crate::arguments::flags;

/// Parses a command line as it was typed.
fn parse(line: &str) -> Result<(), String> {
    let words = line.split_whitespace().map(Into::into).collect();
    crate::command::parsed(words).map(drop).map_err(|error| {
        let text = error.to_string();
        format!("{line}: {text}")
    })
}

fn run() -> Command {
    let mut definition = crate::command::definition();
    definition.build();
    definition.find_subcommand("run").unwrap().clone()
}

/// What a tip says in backquotes.
fn typed(says: &str) -> impl Iterator<Item = &str> {
    says.split('`').skip(1).step_by(2)
}

#[test]
fn each_row_is_found() {
    for (name, says) in FLAGS {
        assert_eq!(flag(name), Some(*says), "{name}");
    }
    for (name, says) in COMMANDS {
        assert_eq!(command("", name), Some(*says), "{name}");
    }
    for (names, says) in OF_GROUPS {
        let (group, name) = names.split_once(' ').unwrap();
        assert_eq!(command(group, name), Some(*says), "{names}");
    }
    for (commands, rows) in ELSEWHERE {
        for (names, says) in *rows {
            for (command, name) in commands.iter().zip(names.split(' ')) {
                assert_eq!(
                    flag_elsewhere(command, name),
                    Some(*says),
                    "{command} {name}"
                );
            }
        }
    }
    for name in OF_APPS {
        assert!(flag_of_apps(name).is_some(), "{name}");
    }
    assert!(flag("nonsense").is_none() && command("", "nonsense").is_none());
}

#[test]
fn what_a_tip_says_to_type_can_be_typed() {
    let mut played = 0;
    for (name, says) in FLAGS.iter().chain(COMMANDS) {
        for words in typed(says) {
            if words == "---" || words == "timeout" {
                continue;
            }
            let line = match words.strip_prefix("fairing ") {
                Some(_) => words.to_owned(),
                None => format!("fairing run {words} IMAGE"),
            };
            parse(&line).unwrap_or_else(|error| panic!("{name}: {error}"));
            played += 1;
        }
        let outside: String = says.split('`').step_by(2).collect();
        assert!(!outside.contains("--"), "{name}: {says}");
    }
    assert!(played > 40);
}

#[test]
fn a_row_is_of_no_flag_or_command_that_is_there() {
    for argument in run().get_arguments() {
        let long = argument.get_long_and_visible_aliases().unwrap_or_default();
        let hidden = argument.get_all_aliases().unwrap_or_default();
        for name in long.into_iter().chain(hidden) {
            assert_eq!(flag(name), None, "--{name}");
        }
        if let Some(letter) = argument.get_short() {
            assert_eq!(flag(&letter.to_string()), None, "-{letter}");
        }
    }
    for subcommand in crate::command::definition().get_subcommands() {
        for name in std::iter::once(subcommand.get_name()).chain(subcommand.get_all_aliases()) {
            assert_eq!(command("", name), None, "{name}");
        }
    }
}

/// The flags and letters of a command.
fn flags_of(command: &Command) -> BTreeSet<String> {
    let arguments = command.get_arguments();
    arguments
        .flat_map(|argument| {
            let long = argument.get_long().into_iter();
            let aliases = argument.get_all_aliases().unwrap_or_default();
            let names = long.chain(aliases).map(str::to_owned);
            names.chain(argument.get_short().map(String::from))
        })
        .collect()
}

#[test]
fn tips_for_other_commands_lead_on_and_are_of_no_flag_that_is_there() {
    let mut definition = crate::command::definition();
    definition.build();
    for (commands, rows) in ELSEWHERE {
        for name in *commands {
            let words = name.split_whitespace();
            let command = words.fold(&definition, |command, word| {
                let inner = command.find_subcommand(word);
                inner.unwrap_or_else(|| panic!("there is no command {name}"))
            });
            assert_eq!(
                command.get_name(),
                name.split(' ')
                    .next_back()
                    .filter(|word| !word.is_empty())
                    .unwrap_or("fairing")
            );
            let known = flags_of(command);
            for (flags, says) in *rows {
                for flag in flags.split(' ') {
                    assert!(!known.contains(flag), "{name}: {flag} is there");
                }
                for typed in typed(says) {
                    let line = match typed.starts_with("fairing ") {
                        true => typed.to_owned(),
                        false if name.is_empty() => format!("fairing {typed} ps"),
                        false => format!("fairing {name} {typed} x"),
                    };
                    // Some commands take a word, some none, some two.
                    let (shorter, longer) = (line.trim_end_matches(" x"), format!("{line} x"));
                    parse(&line)
                        .or_else(|_| parse(shorter))
                        .or_else(|_| parse(&longer))
                        .unwrap();
                }
            }
        }
    }
    for (command, says) in OPERANDS {
        let mut words = command.split(' ');
        let found = words.try_fold(&definition, |group, word| group.find_subcommand(word));
        assert!(found.is_some(), "{command}");
        typed(says).for_each(|line| parse(line).unwrap());
    }
    for (names, says) in OF_GROUPS {
        let (group, name) = names.split_once(' ').unwrap();
        let there = definition.find_subcommand(group);
        assert!(there.is_none_or(|group| group.find_subcommand(name).is_none()));
        typed(says).for_each(|line| parse(line).unwrap());
    }
}

#[test]
fn the_table_of_known_flags_is_what_the_commands_define() {
    let mut definition = crate::command::definition();
    definition.build();
    let app = definition.find_subcommand("app").unwrap();
    let commands = [
        definition.find_subcommand("run").unwrap(),
        definition.find_subcommand("prepare").unwrap(),
        app.find_subcommand("add").unwrap(),
    ];
    let mut names = BTreeSet::new();
    for argument in commands.iter().flat_map(|command| command.get_arguments()) {
        let long = argument.get_long().into_iter();
        let aliases = argument.get_all_aliases().unwrap_or_default();
        // Where it is no host name, -h is the parser's.
        let short = argument.get_short().filter(|letter| *letter != 'h');
        let short = short.map(String::from);
        for name in long.chain(aliases).chain(short.as_deref()) {
            let known = flags::known(name).unwrap_or_else(|| panic!("{name} is in no table"));
            // Where it stands behind `=` alone, the next word is none of its.
            let takes_value =
                argument.get_action().takes_values() && !argument.is_require_equals_set();
            assert_eq!(known.takes_value, takes_value, "{name}");
            names.insert(name.to_owned());
        }
    }
    for name in flags::long(None) {
        assert!(names.contains(name), "--{name} is no flag");
    }
    let later = crate::arguments::app::definition_of_later();
    let of_apps = later.get_arguments().filter_map(clap::Arg::get_long);
    let of_apps: BTreeSet<&str> = of_apps.collect();
    for name in flags::long(Some(flags::Owner::App)) {
        assert!(names.contains(name), "{name}");
    }
    for name in of_apps {
        let owner = flags::known(name).map(|flag| flag.owner);
        assert_eq!(owner, Some(flags::Owner::App), "{name}");
    }
}
