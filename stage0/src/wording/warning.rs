//! Warnings, with the flags that they are about.

use std::path::Path;

use engine::observer::Warning;
use image_store::tree::Written;

use super::failure::{Failure, one_line};

/// A warning in one line.
pub(crate) fn text(warning: &Warning) -> String {
    match warning {
        Warning::UnaskedNameServers(_) => format!("--dns: {warning}"),
        Warning::PlainSystemd { .. } => {
            format!("{warning}; --systemd=false starts it without a word")
        }
        Warning::Widened {
            app,
            by,
            has_users_of_host,
        } if by.iter().any(|word| word == "privileged") => {
            let root = match has_users_of_host {
                true => "; with --userns=host, its root is root of this machine",
                false => "",
            };
            format!(
                "--privileged: app {app} has all capabilities, may make every system call, and sees, and may write, all \
                 of /proc and /sys{root}"
            )
        }
        Warning::Fetch(note) => one_line(note),
        Warning::Monitor(error) => Failure::line_of(error),
        Warning::NotRefreshed { reference, error } => format!(
            "{}; the image {reference} of the store is used",
            Failure::line_of(error)
        ),
        warning => warning.to_string(),
    }
}

/// What is to be told of a tree that was written, a line each.
pub(crate) fn of_tree(written: &Written, place: &Path) -> Vec<String> {
    const SHOWN: usize = 8;
    let mut lines = Vec::new();
    for (paths, what, others) in [
        (
            &written.gone,
            "changed while it was read and is left out",
            "so did",
        ),
        (
            &written.deep,
            "is nested too deeply and is left out",
            "so are",
        ),
    ] {
        let shown = paths.iter().take(SHOWN);
        lines.extend(shown.map(|path| one_line(&format!("{path} {what}"))));
        match paths.len().checked_sub(SHOWN) {
            None | Some(0) => {}
            Some(more) => lines.push(format!("{others} {more} others")),
        }
    }
    if let Some(mode) = written.closed {
        let place = place.display();
        lines.push(one_line(&format!(
            "{place} has mode 0700: it holds devices, or programs that run as their owner or with capabilities; \
             `chmod {mode:04o} {place}` lets others in"
        )));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_told_and_counted() {
        let written = |count: usize| Written {
            gone: (0..count).map(|number| format!("/{number}")).collect(),
            ..Written::default()
        };
        let lines = |count| of_tree(&written(count), Path::new("x"));
        assert!(lines(0).is_empty());
        assert_eq!(lines(1), ["/0 changed while it was read and is left out"]);
        assert_eq!(lines(8).len(), 8);
        assert_eq!(lines(10).last().unwrap(), "so did 2 others");
    }
}
