//! Where the command of an image begins: after the image, with the first word that is no flag of the app.

use std::ffi::OsString;

use super::booleans;
use super::flags::{self, Known, Owner};
use crate::wording::failure::Failure;
use crate::wording::other_tools;

/// The words of a command line with `--` before the command of its image, so that what follows is taken as it is.
/// `begin` is where its flags begin, `operands` how many words that are no flags stand before the command.
///
/// # Errors
/// [`Failure::Usage`] for a flag after the image that is no flag of an app, and hardly one of the image's program.
pub(crate) fn closed(
    mut words: Vec<OsString>,
    begin: usize,
    operands: usize,
) -> Result<Closed, Failure> {
    let mut doubt = None;
    let place = command(&mut words, begin, operands, &mut doubt)?;
    if let Some(place) = place {
        words.insert(place, "--".into());
    }
    Ok(Closed { words, doubt })
}

/// A command line whose command is told from its flags.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// Its words, with `--` before the command.
    pub(crate) words: Vec<OsString>,
    /// What to say if the app fails as one that was called in a wrong way: a letter after the image may have been meant for
    /// the other side.
    pub(crate) doubt: Option<String>,
}

fn taken(flag: &str) -> String {
    format!(
        "{flag} after the image was taken as a flag of `fairing run`; what is for the image's program goes after `--`"
    )
}

fn handed_on(flag: &str) -> String {
    format!(
        "{flag} after the image was handed to its program; flags of `fairing run` go before the image"
    )
}

fn behind_command(flag: &str) -> String {
    format!(
        "{flag} after the command was handed to the image's program; flags of an app go before its command, flags of the \
         pod before the image"
    )
}

/// The first long flag of ours among the words of a command, unless programs have it, too.
fn ours(command: &[OsString]) -> Option<String> {
    let words = command.iter().map(|word| word.to_string_lossy());
    words.take_while(|word| word != "--").find_map(|word| {
        let (flag, _) = word.split_once('=').unwrap_or((&word, ""));
        let name = flag.strip_prefix("--").filter(|name| name.len() > 1)?;
        let is_ours = flags::known(name).is_some() && !flags::is_of_programs(name);
        is_ours.then(|| flag.to_owned())
    })
}

/// The place of the command; `None` if there is none, if a `--` is before it, or if the parser has to complain.
fn command(
    words: &mut Vec<OsString>,
    begin: usize,
    operands: usize,
    doubt: &mut Option<String>,
) -> Result<Option<usize>, Failure> {
    let mut at = begin;
    let mut seen = 0;
    while let Some(word) = words.get(at) {
        let text = word.to_string_lossy();
        let after_image = seen == operands;
        if let Some(switches) = switched(&text, after_image) {
            match (switches, words.get_mut(at)) {
                (Some(switches), Some(word)) => *word = switches.into(),
                _ => drop(words.remove(at)),
            }
            continue;
        }
        let takes_next = if text == "--" {
            if after_image {
                return Ok(None);
            }
            // `run -- IMAGE COMMAND`: nothing is a flag from here on.
            words.remove(at);
            let place = at.saturating_add(operands - seen);
            return Ok(Some(place).filter(|place| *place < words.len()));
        } else if let Some(long) = text.strip_prefix("--") {
            let (name, has_value) = match long.split_once('=') {
                Some((name, _)) => (name, true),
                None => (long, false),
            };
            match flags::known(name) {
                Some(flag)
                    if !after_image
                        || flag.owner == Owner::App
                        || (operands > 1 && flags::is_of_joining(name)) =>
                {
                    flag.takes_value && !has_value
                }
                flag if after_image => {
                    refuse_if_meant_for_us(name, flag)?;
                    if flag.is_some_and(|flag| flag.owner == Owner::Pod) {
                        *doubt = Some(handed_on(&text));
                    }
                    return Ok(Some(at));
                }
                _ => return Ok(None),
            }
        } else if text.starts_with('-') && text != "-" {
            if text == "-h" && !after_image && at + 1 == words.len() {
                // Without a value it is no host name.
                if let Some(word) = words.get_mut(at) {
                    *word = "--help".into();
                }
                return Ok(None);
            }
            match letters(&text, after_image) {
                Some(takes_next) => {
                    if after_image && doubt.is_none() {
                        *doubt = Some(taken(&text));
                    }
                    takes_next
                }
                None if after_image => {
                    if letters(&text, false).is_some() {
                        *doubt = Some(handed_on(&text));
                    }
                    return Ok(Some(at));
                }
                None => return Ok(None),
            }
        } else {
            if after_image {
                let behind = words.get(at..).unwrap_or_default();
                if doubt.is_none() {
                    *doubt = ours(behind).map(|flag| behind_command(&flag));
                }
                return Ok(Some(at));
            }
            seen += 1;
            false
        };
        at += 1 + usize::from(takes_next);
    }
    Ok(None)
}

/// What is left of a word of switches with a truth value, such as `--rm=true`. `None` for any other word.
fn switched(text: &str, only_of_app: bool) -> Option<Option<String>> {
    let (switches, _) = text.split_once('=')?;
    let is_switch = |name: &str| {
        flags::known(name)
            .is_some_and(|flag| !flag.takes_value && (!only_of_app || flag.owner == Owner::App))
            && !flags::has_own_truth_value(name)
    };
    let are_switches = match switches.strip_prefix("--") {
        Some(name) => is_switch(name),
        None => switches
            .strip_prefix('-')?
            .chars()
            .all(|letter| is_switch(letter.encode_utf8(&mut [0; 4]))),
    };
    are_switches.then(|| booleans::plain(text)).flatten()
}

/// Whether the word after a cluster of letters belongs to it; `None` if one of them is no flag here.
fn letters(text: &str, only_of_app: bool) -> Option<bool> {
    let mut rest = text.get(1..)?;
    while let Some(letter) = rest.chars().next() {
        let (name, behind) = rest.split_at_checked(letter.len_utf8())?;
        let flag = flags::known(name).filter(|flag| !only_of_app || flag.owner == Owner::App)?;
        if flag.takes_value {
            return Some(behind.is_empty());
        }
        rest = behind;
    }
    Some(false)
}

/// Refuses a long flag after the image that fairing was hardly not meant by: what it asks for would not be done, and
/// nobody would notice.
fn refuse_if_meant_for_us(name: &str, flag: Option<Known>) -> Result<(), Failure> {
    let reason = match flag {
        Some(_) if flags::is_of_programs(name) => return Ok(()),
        Some(_) => "it is the pod's, and goes before the first image".to_owned(),
        None => match (other_tools::flag_of_apps(name), meant(name)) {
            (Some(tip), _) => tip.to_owned(),
            (None, Some(near)) => format!("did you mean `--{near}`?"),
            (None, None) => return Ok(()),
        },
    };
    Err(Failure::Usage(format!(
        "flag --{name} after the image: {reason} (what is for the image's program goes after `--`)"
    )))
}

/// The long flag of an app that was meant, if it is a typing error.
fn meant(name: &str) -> Option<&'static str> {
    let flags = flags::long(Some(Owner::App)).filter(|flag| flag.len() > 3);
    let near = flags.filter_map(|flag| Some((near(name, flag)?, flag)));
    near.min().map(|(_, flag)| flag)
}

/// In how many letters a word differs from one that was meant; `None` if that is more than a typing error.
pub(crate) fn near(typed: &str, meant: &str) -> Option<usize> {
    let most = match meant.len() {
        ..3 => 0,
        3..6 => 1,
        _ => 2,
    };
    let distance = strsim::osa_distance(typed, meant);
    (distance <= most).then_some(distance)
}

/// The same of commands, of which the most used are short.
pub(super) fn near_command(typed: &str, meant: &str) -> Option<usize> {
    match meant.len() {
        2 => Some(strsim::osa_distance(typed, meant))
            .filter(|distance| *distance == 1 && shares_a_beginning(typed, meant)),
        _ => near(typed, meant),
    }
}

/// Whether two words of one or two letters are alike but for their order or the last letter.
fn shares_a_beginning(typed: &str, meant: &str) -> bool {
    typed.starts_with(meant)
        || (typed.len() == meant.len() && typed.chars().all(|c| meant.contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<String, String> {
        let words = line.split_whitespace().map(OsString::from).collect();
        let words = closed(words, 0, 1)
            .map_err(|error| error.to_string())?
            .words;
        let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
        Ok(words.join(" "))
    }

    #[test]
    fn the_command_begins_with_what_is_no_flag_of_the_app() {
        for (line, closed) in [
            ("a", "a"),
            ("a sh -c x --env C", "a -- sh -c x --env C"),
            ("--rm -e A=1 a sh", "--rm -e A=1 a -- sh"),
            ("--rm -eA=1 -it a sh", "--rm -eA=1 -it a -- sh"),
            ("--name a a a", "--name a a -- a"),
            ("--name=a a -it sh", "--name=a a -it -- sh"),
            ("--rm=true -it=1 a -t=false sh", "--rm -it a -- sh"),
            ("--rm=false a sh --rm=true", "a -- sh --rm=true"),
            (
                "--no-new-privileges a --read-only-tmpfs=false sh",
                "--no-new-privileges a --read-only-tmpfs=false -- sh",
            ),
            ("a --rm-all=true", "a -- --rm-all=true"),
            ("-e=true a sh", "-e=true a -- sh"),
            ("a -e A=1 sh -- -x", "a -e A=1 -- sh -- -x"),
            (
                "a -eA=1 --env B --user=u sh",
                "a -eA=1 --env B --user=u -- sh",
            ),
            ("a -- sh -- -x", "a -- sh -- -x"),
            ("a -c shared_buffers=1", "a -- -c shared_buffers=1"),
            (
                "a -e A=1 --config.file=/x -e B",
                "a -e A=1 -- --config.file=/x -e B",
            ),
            ("a -itc", "a -- -itc"),
            ("a -", "a -- -"),
            ("a -1", "a -- -1"),
            ("-- a sh -c x", "a -- sh -c x"),
            ("--rm -- a --rm", "--rm a -- --rm"),
            ("-- a", "a"),
            // Programs have these, too.
            ("a --port 80 --name b", "a -- --port 80 --name b"),
            ("a --help", "a -- --help"),
            ("a -h", "a -- -h"),
            ("a -d -p 80", "a -- -d -p 80"),
            // The parser complains.
            ("", ""),
            ("--rm", "--rm"),
            ("--nonsense a b", "--nonsense a b"),
            ("-x a b", "-x a b"),
            ("a --env", "a --env"),
            // With a value it is a host name.
            ("-h", "--help"),
            ("--rm -h", "--rm --help"),
            ("-h web a", "-h web a"),
            ("-hweb a sh", "-hweb a -- sh"),
        ] {
            assert_eq!(of(line).as_deref(), Ok(closed), "{line}");
        }
    }

    #[test]
    fn what_may_have_been_meant_for_the_other_side_is_remembered() {
        let doubt = |line: &str| {
            let words = line.split_whitespace().map(OsString::from).collect();
            closed(words, 0, 1).unwrap().doubt.unwrap_or_default()
        };
        for (line, begin) in [
            ("a -i x", "-i after the image was taken"),
            ("a -it", "-it after the image was taken"),
            ("a -d -p 80", "-d after the image was handed"),
            ("a --name x", "--name after the image was handed"),
            ("a sh --memory 64m", "--memory after the command was handed"),
            ("a sh -x --net=none", "--net after the command was handed"),
        ] {
            assert!(doubt(line).starts_with(begin), "{line}: {}", doubt(line));
        }
        for line in [
            "a",
            "-it a sh -c x",
            "a sh -i",
            "a -- -i",
            "a --env A=1 sh",
            "a -c x",
            "a sh --name x",
            "a sh -- --memory 64m",
        ] {
            assert_eq!(doubt(line), "", "{line}");
        }
    }

    #[test]
    fn a_flag_after_the_image_that_is_meant_for_us_is_refused() {
        for (line, reason) in [
            ("a --rm", "it is the pod's, and goes before the first image"),
            (
                "a --net=none",
                "it is the pod's, and goes before the first image",
            ),
            ("a --insecure-options image", "it is the pod's"),
            ("a --memroy 64m", "did you mean `--memory`?"),
            ("a -it --worikdir=/", "did you mean `--workdir`?"),
            ("a --volumes-from b", "volumes of other pods are not there"),
        ] {
            let error = of(line).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
            assert!(error.ends_with("goes after `--`)"), "{line}: {error}");
        }
    }

    #[test]
    fn before_the_image_of_app_add_stands_a_pod() {
        let words = ["web", "a", "sh", "-x"].map(OsString::from);
        let words = closed(words.to_vec(), 0, 2).unwrap().words;
        assert_eq!(words, ["web", "a", "--", "sh", "-x"]);
        let words = ["web", "a", "--start", "sh"].map(OsString::from);
        let words = closed(words.to_vec(), 0, 2).unwrap().words;
        assert_eq!(words, ["web", "a", "--start", "--", "sh"]);
    }
}
