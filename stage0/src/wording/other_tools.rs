//! What docker, podman and rkt call things that are called otherwise here, or are not there yet.
//!
//! What stands in backquotes can be typed, and a test types it: a tip must not fail in turn.

mod answers;
mod commands;
mod flags_elsewhere;
mod run_flags;

use self::commands::{COMMANDS, OF_GROUPS};
use self::flags_elsewhere::{ELSEWHERE, OPERANDS};
use self::run_flags::{FLAGS, OF_APPS};

fn find(table: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    let place = table.binary_search_by_key(&name, |(name, _)| name).ok()?;
    table.get(place).map(|(_, says)| *says)
}

/// What is said of a flag of another tool's `run`, named without its dashes.
pub(crate) fn flag(name: &str) -> Option<&'static str> {
    find(FLAGS, name)
}

/// The same of one that is meant for us even after the image.
pub(crate) fn flag_of_apps(name: &str) -> Option<&'static str> {
    OF_APPS.contains(&name).then(|| flag(name)).flatten()
}

/// What is said of a flag of another command, called by its own names (`network create`), without the program's.
pub(crate) fn flag_elsewhere(command: &str, name: &str) -> Option<&'static str> {
    let tables = ELSEWHERE.iter();
    let of_command = tables.filter(|(commands, _)| commands.contains(&command));
    let mut rows = of_command.flat_map(|(_, rows)| rows.iter());
    rows.find(|(names, _)| names.split(' ').any(|one| one == name))
        .map(|(_, says)| *says)
}

/// What is said of a word that a command doesn't take.
pub(crate) fn operand(command: &str) -> Option<&'static str> {
    find(OPERANDS, command)
}

/// What is said of a command of another tool, in this group of commands.
pub(crate) fn command(group: &str, name: &str) -> Option<&'static str> {
    let in_group = find(OF_GROUPS, &format!("{group} {name}"));
    in_group.or_else(|| find(COMMANDS, name))
}

#[cfg(test)]
mod tests;
