//! Switches with a value, as docker and podman take them: `--rm=true`, `-it=false`.

use std::ffi::OsString;

use clap::Command;

/// What a word without its truth value is: the switches alone, or nothing if they are switched off. `None` for a word that
/// has no such value.
pub(super) fn plain(word: &str) -> Option<Option<String>> {
    let (switches, value) = word.split_once('=')?;
    let letters = switches.strip_prefix('-')?;
    let is_on = match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
        "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
        _ => return None,
    };
    if is_on {
        return Some(Some(switches.to_owned()));
    }
    if letters.starts_with('-') || letters.chars().count() <= 1 {
        return Some(None);
    }
    // Of several letters, the value is the last one's.
    let mut others = switches.to_owned();
    others.pop();
    Some(Some(others))
}

/// Whether a command line has words with truth values: few have.
pub(crate) fn has_truth_values(argv: &[OsString]) -> bool {
    argv.iter().any(|word| {
        let bytes = word.as_encoded_bytes();
        bytes.starts_with(b"-") && bytes.contains(&b'=') && word.to_str().and_then(plain).is_some()
    })
}

/// A command line of which the parser refused the switches `refused`, as it calls them, because of their truth value:
/// without that value. `None` if it has no such word.
pub(crate) fn without_truth_value(
    argv: &[OsString],
    refused: &str,
    command: &Command,
) -> Option<Vec<OsString>> {
    let is_refused = |word: &OsString| {
        let Some((switches, _)) = word.to_str().and_then(|word| word.split_once('=')) else {
            return false;
        };
        match switches.strip_prefix("--") {
            Some(name) => canonical(command, name).is_some_and(|name| refused == name),
            // The parser doesn't tell which letters were before.
            None => refused == "-=" && switches.starts_with('-'),
        }
    };
    let place = argv
        .iter()
        .take_while(|word| *word != "--")
        .position(is_refused)?;
    let mut changed = argv.to_vec();
    let word = changed.get_mut(place)?;
    match word.to_str().and_then(plain)? {
        Some(switches) => *word = switches.into(),
        None => drop(changed.remove(place)),
    }
    Some(changed)
}

/// What the parser calls a long flag.
fn canonical(command: &Command, name: &str) -> Option<String> {
    let mut arguments = command.get_arguments();
    let argument = arguments.find(|argument| {
        argument.get_long() == Some(name)
            || argument
                .get_all_aliases()
                .is_some_and(|all| all.contains(&name))
    })?;
    argument.get_long().map(|long| format!("--{long}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_several_letters_is_the_last_ones() {
        for (word, rest) in [
            ("--rm=true", Some(Some("--rm"))),
            ("--rm=False", Some(None)),
            ("-d=1", Some(Some("-d"))),
            ("-d=0", Some(None)),
            ("-it=true", Some(Some("-it"))),
            ("-it=false", Some(Some("-i"))),
            ("--rm=yes", None),
            ("--rm", None),
            ("rm=true", None),
        ] {
            assert_eq!(
                plain(word),
                rest.map(|rest| rest.map(str::to_owned)),
                "{word}"
            );
        }
    }
}
