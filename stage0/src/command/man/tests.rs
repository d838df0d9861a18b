use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::examples::EXAMPLES;
use super::*;
use crate::command::definition;

/// The names of a command and of all below it, as those of their pages begin.
fn names(command: &Command, above: &str) -> Vec<String> {
    let name = format!("{above}{}", command.get_name());
    let shown = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let below: Vec<String> = shown
        .flat_map(|command| names(command, &format!("{name}-")))
        .collect();
    [vec![name], below].concat()
}

#[test]
fn every_command_has_a_page_with_all_its_parts() {
    let pages = pages(definition());
    let found: Vec<&str> = pages.iter().map(|page| page.file_name.as_str()).collect();
    let wanted: Vec<String> = names(&definition(), "")
        .iter()
        .map(|name| format!("{name}.1"))
        .collect();
    assert_eq!(found, wanted);
    assert!(wanted.len() > 40 && wanted.contains(&"fairing-image-list.1".to_owned()));
    for page in &pages {
        for heading in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "EXIT STATUS",
            "SEE ALSO",
        ] {
            let line = |line: &str| {
                line.strip_prefix(".SH ")
                    .is_some_and(|found| found.trim_matches('"') == heading)
            };
            assert!(
                page.text.lines().any(line),
                "{}: no {heading}",
                page.file_name
            );
        }
    }
}

#[test]
fn a_page_shows_flags_usage_and_other_names() {
    let pages = pages(definition());
    let page = |name: &str| {
        let page = pages.iter().find(|page| page.file_name == name).unwrap();
        page.text.replace("\\-", "-")
    };
    let run = page("fairing-run.1");
    for words in [
        "[POD FLAGS] IMAGE [APP FLAGS]",
        "--uuid-file-save",
        "--pids-limit",
        "NETWORK FLAGS",
        "--insecure-options",
    ] {
        assert!(run.contains(words), "{words}: {run}");
    }
    let place = |words: &str| run.find(words).unwrap();
    assert!(place("SH \"POD FLAGS\"") < place("SH \"GLOBAL FLAGS\""));
    assert!(place("SH \"GLOBAL FLAGS\"") < place("SH \"EXAMPLES\""));
    assert!(run.is_ascii() && run.matches(PREAMBLE).count() == 1);
    assert!(page("fairing-enter.1").contains("Other names: exec."));
    assert!(page("fairing.1").contains("fairing-run(1)"));
    assert!(page("fairing-image-list.1").contains("fairing(1)"));
}

#[test]
fn exit_codes_are_told_on_each_page() {
    let codes: Vec<&str> = exit_codes().map(|(code, _)| code).collect();
    assert!(
        codes.contains(&"2") && codes.contains(&"115") && codes.contains(&"127"),
        "{codes:?}"
    );
    for page in pages(definition()) {
        assert!(page.text.contains("\n.TP\n115\n"), "{}", page.file_name);
    }
}

#[test]
fn text_is_not_taken_for_requests() {
    assert_eq!(escape(".SH x"), "\\&.SH x");
    assert_eq!(escape("'a'"), "\\&'a'");
    assert_eq!(escape("C:\\ --net"), "C:\\e \\-\\-net");
}

#[test]
fn pages_are_written_to_a_directory_that_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("man1");
    let argv = ["fairing", "man", directory.to_str().unwrap()];
    crate::command::dispatch(argv.map(OsString::from).to_vec()).unwrap();
    let written = fs::read_dir(&directory).unwrap().count();
    assert_eq!(written, pages(definition()).len());
}

/// The command lines of a text that begin with `fairing`.
fn command_lines(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(|line| {
        line.trim()
            .trim_start_matches("$ ")
            .trim_start_matches("ExecStart=/usr/local/bin/")
    });
    lines
        .filter(|line| line.starts_with("fairing "))
        // A shell takes what follows for a comment.
        .map(|line| line.split(" # ").next().unwrap_or(line).trim_end())
        .map(str::to_owned)
        .collect()
}

/// What stands in fenced blocks of a Markdown document.
fn fenced(text: &str) -> String {
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.collect::<Vec<_>>().join("\n")
}

/// The words of a line, as a shell takes them, without substitutions.
fn words(line: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let mut word = String::new();
        while let Some(next) = rest.chars().next().filter(|next| *next != ' ') {
            let piece = match next {
                '\'' => {
                    let end = rest[1..].find('\'').unwrap();
                    let piece = &rest[1..=end];
                    rest = &rest[end + 2..];
                    piece
                }
                _ => {
                    let end = rest.find([' ', '\'']).unwrap_or(rest.len());
                    let piece = &rest[..end];
                    rest = &rest[end..];
                    piece
                }
            };
            word.push_str(piece);
        }
        words.push(OsString::from(word));
        rest = rest.trim_start();
    }
    words
}

fn assert_understood(place: &str, line: &str) {
    // The usage, not a command.
    if line.contains("[POD FLAGS]") {
        return;
    }
    if let Err(error) = crate::command::parsed(words(line)) {
        panic!("{place}: {line}: {error}");
    }
}

#[test]
fn examples_are_command_lines_that_are_understood() {
    for (page, examples) in EXAMPLES {
        assert!(
            pages(definition())
                .iter()
                .any(|found| found.file_name == format!("{page}.1")),
            "{page}"
        );
        for (_, lines) in *examples {
            for line in command_lines(&lines.join("\n")) {
                assert_understood(page, &line);
            }
        }
    }
}

#[test]
fn command_lines_in_the_documents_are_understood() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let documents = fs::read_dir(top.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut count = 0;
    for document in documents.chain([top.join("README.md")]) {
        let text = fs::read_to_string(&document).unwrap();
        for line in command_lines(&fenced(&text)) {
            assert_understood(&document.display().to_string(), &line);
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn the_documents_have_the_same_exit_codes() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(top.join("docs/exit-codes.md")).unwrap();
    let documented: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
        .map(|(code, _)| code)
        .filter(|code| code.starts_with(|first: char| first.is_ascii_digit()) && *code != "0")
        .collect();
    assert_eq!(
        documented,
        exit_codes().map(|(code, _)| code).collect::<Vec<_>>()
    );
}
