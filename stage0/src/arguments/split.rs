//! Splitting a pod's command line at `---`, before anything else is looked at.

use std::ffi::{OsStr, OsString};

use super::global::GLOBAL_FLAGS_WITH_VALUE;

/// A command line taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// Everything up to the first `---`, or everything.
    pub(crate) first: Vec<OsString>,
    /// The parts after each `---`: one for each further app.
    pub(crate) later: Vec<Vec<OsString>>,
}

/// Splits the command line of a command that makes a pod; leaves that of any other alone, since there
/// `---` may be an argument like any other.
pub(crate) fn split(argv: Vec<OsString>) -> Split {
    let makes_pod = subcommand(&argv).is_some_and(|name| name == "run" || name == "prepare");
    if !makes_pod || !argv.iter().any(|word| word == "---") {
        return Split {
            first: argv,
            later: Vec::new(),
        };
    }
    let mut parts = vec![Vec::new()];
    for word in argv {
        if word == "---" {
            parts.push(Vec::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(word);
        }
    }
    let later = parts.split_off(1);
    Split {
        first: parts.into_iter().next().unwrap_or_default(),
        later,
    }
}

/// The name of the subcommand: the first word that is no global flag and no value of one.
fn subcommand(argv: &[OsString]) -> Option<&OsStr> {
    let mut words = argv.iter().skip(1);
    while let Some(word) = words.next() {
        if GLOBAL_FLAGS_WITH_VALUE.iter().any(|flag| word == flag) {
            words.next();
        } else if !word.as_encoded_bytes().starts_with(b"-") {
            return Some(word);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> (String, Vec<String>) {
        let argv = std::iter::once("fairing").chain(line.split_whitespace());
        let split = split(argv.map(OsString::from).collect());
        let join = |words: &Vec<OsString>| {
            words
                .iter()
                .map(|w| w.to_str().unwrap())
                .collect::<Vec<_>>()
                .join(" ")
        };
        (join(&split.first), split.later.iter().map(join).collect())
    }

    #[test]
    fn three_dashes_separate_the_apps_of_a_pod() {
        let (first, later) = of("--dir /x run --name p a -- x y --- b --env K=V --- c -- -z");
        assert_eq!(first, "fairing --dir /x run --name p a -- x y");
        assert_eq!(later, ["b --env K=V", "c -- -z"]);
    }

    #[test]
    fn an_empty_part_is_kept_to_be_complained_about() {
        assert_eq!(
            of("run a ---"),
            ("fairing run a".into(), vec![String::new()])
        );
    }

    #[test]
    fn other_commands_may_have_three_dashes_among_their_arguments() {
        for line in ["enter p -- echo ---", "--dir run list ---", "version"] {
            assert_eq!(of(line), (format!("fairing {line}"), Vec::new()));
        }
    }
}
