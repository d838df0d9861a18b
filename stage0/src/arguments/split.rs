//! A command line that makes a pod, before anything is parsed: it is split at `---`, and in each part `--` is put before
//! the command of its image.

use std::ffi::OsString;

use engine::signal_names;

use super::command_words::closed;
use super::flags::GLOBAL_VALUES;
use crate::wording::failure::Failure;

/// A command line taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// Everything up to the first `---`, or everything.
    pub(crate) first: Vec<OsString>,
    /// The parts after each `---`: one for each further app.
    pub(crate) later: Vec<Vec<OsString>>,
    /// Whether it is of a command that makes a pod, or an app of one.
    pub(crate) makes_app: bool,
    /// What to say if the first app fails as one that was called in a wrong way.
    pub(crate) doubt: Option<String>,
}

/// Splits the command line of a command that makes a pod; leaves that of any other alone, since there
/// `---` may be an argument like any other.
///
/// # Errors
/// [`Failure::Usage`] for a flag that stands after an image and should not.
pub(crate) fn split(argv: Vec<OsString>) -> Result<Split, Failure> {
    let whole = |first| Split {
        first,
        later: Vec::new(),
        makes_app: false,
        doubt: None,
    };
    let Some(begin) = after_name(&argv, 1) else {
        return Ok(whole(argv));
    };
    let name = begin.checked_sub(1).and_then(|name| argv.get(name));
    match name.map(|name| name.as_encoded_bytes()) {
        Some(b"run" | b"prepare" | b"create") => {}
        Some(b"app") => {
            return match after_name(&argv, begin) {
                Some(begin) if is_word(&argv, begin - 1, "add") => Ok(Split {
                    makes_app: true,
                    ..whole(closed(argv, begin, 2)?.words)
                }),
                // It takes flags of a pod, and nothing else.
                Some(begin) if is_word(&argv, begin - 1, "sandbox") => Ok(Split {
                    makes_app: true,
                    ..whole(closed(argv, begin, usize::MAX)?.words)
                }),
                _ => Ok(whole(argv)),
            };
        }
        Some(b"kill") => return Ok(whole(with_signal_named(argv, begin))),
        _ => return Ok(whole(argv)),
    }
    let mut parts = argv.split(|word| word == "---").map(<[_]>::to_vec);
    let first = parts.next().unwrap_or_default();
    let later = parts
        .map(|words| closed(words, 0, 1).map(|closed| closed.words))
        .collect::<Result<_, _>>();
    let first = closed(first, begin, 1)?;
    Ok(Split {
        first: first.words,
        later: later?,
        makes_app: true,
        doubt: first.doubt,
    })
}

/// The words of `kill` with a signal that was written as in a shell: `-9`, `-HUP`.
fn with_signal_named(mut argv: Vec<OsString>, begin: usize) -> Vec<OsString> {
    let words = argv.iter_mut().skip(begin).take_while(|word| *word != "--");
    for word in words {
        let signal = word.to_str().and_then(|word| word.strip_prefix('-'));
        let signal = signal.filter(|text| {
            let is_capital = |c: u8| c.is_ascii_digit() || c.is_ascii_uppercase() || c == b'+';
            !text.is_empty() && text.bytes().all(is_capital) && signal_names::parse(text).is_some()
        });
        if let Some(signal) = signal {
            *word = format!("--signal={signal}").into();
        }
    }
    argv
}

fn is_word(argv: &[OsString], place: usize, text: &str) -> bool {
    argv.get(place).is_some_and(|word| word == text)
}

/// The name of the subcommand, as it was typed, unless a flag before it asks for something else: for help, or the
/// version.
pub(crate) fn command_name(argv: &[OsString]) -> Option<&str> {
    let place = after_name(argv, 1)?.checked_sub(1)?;
    let before = argv.get(1..place)?;
    let asks = |word: &OsString| {
        let bytes = word.as_encoded_bytes();
        let is_short = bytes.starts_with(b"-") && !bytes.starts_with(b"--");
        is_short || bytes.starts_with(b"--help") || bytes == b"--version"
    };
    match before.iter().any(asks) {
        true => None,
        false => argv.get(place)?.to_str(),
    }
}

/// The place after the name of a subcommand: the first word that is no global flag and no value of one.
fn after_name(argv: &[OsString], begin: usize) -> Option<usize> {
    let mut at = begin;
    while let Some(word) = argv.get(at) {
        let bytes = word.as_encoded_bytes();
        at += 1;
        match bytes.strip_prefix(b"--") {
            Some(name) if GLOBAL_VALUES.iter().any(|flag| flag.as_bytes() == name) => at += 1,
            _ if bytes.starts_with(b"-") => {}
            _ => return Some(at),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> (String, Vec<String>) {
        let argv = std::iter::once("fairing").chain(line.split_whitespace());
        let split = split(argv.map(OsString::from).collect()).unwrap();
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
    fn each_app_may_have_a_command() {
        let (first, later) = of("run --name p a sh -c x --- b --env K=V sh -x --- c -z");
        assert_eq!(first, "fairing run --name p a -- sh -c x");
        assert_eq!(later, ["b --env K=V -- sh -x", "c -- -z"]);
        let (first, _) = of("app --debug add --start p a sh -c x");
        assert_eq!(first, "fairing app --debug add --start p a -- sh -c x");
    }

    #[test]
    fn a_signal_may_be_written_as_in_a_shell() {
        for (line, words) in [
            ("kill -9 web", "kill --signal=9 web"),
            ("kill web -HUP", "kill web --signal=HUP"),
            ("kill -SIGTERM a b", "kill --signal=SIGTERM a b"),
            ("kill -s 9 web", "kill -s 9 web"),
            ("kill -a -i", "kill -a -i"),
            ("kill -NONSENSE a", "kill -NONSENSE a"),
            ("kill -- -9", "kill -- -9"),
        ] {
            assert_eq!(of(line).0, format!("fairing {words}"));
        }
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
        for line in [
            "enter p -- echo ---",
            "enter p sh -c x",
            "--dir run list ---",
            "app list p",
            "app",
            "version",
        ] {
            assert_eq!(of(line), (format!("fairing {line}"), Vec::new()));
        }
    }
}
