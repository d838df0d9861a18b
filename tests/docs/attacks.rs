//! The tests that the list of attacks names exist, where it says that they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::markdown::code_spans;
use crate::sources::{files, shown, top};

/// What a list of attacks can name: by room, the test functions, the checks of shell scripts that tests run, and
/// modules with tests, as `NAME::*`.
#[derive(Default)]
struct Known(BTreeMap<String, BTreeSet<String>>);

impl Known {
    fn read(top: &Path) -> Self {
        let mut known = Self::default();
        for path in files(top, "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut tests = test_functions(&text);
            tests.extend(tests_of_tables(&text));
            if !tests.is_empty() {
                known.add(&path, [format!("{}::*", module(&path))]);
                known.add(&path, tests);
            }
        }
        for path in files(&top.join("tests/e2e"), "sh") {
            known.add(&path, shell_checks(&fs::read_to_string(&path).unwrap()));
        }
        known
    }

    fn add(&mut self, path: &Path, names: impl IntoIterator<Item = String>) {
        self.0.entry(room(&shown(path))).or_default().extend(names);
    }

    fn has(&self, test: &Test<'_>) -> bool {
        self.0
            .get(test.room)
            .is_some_and(|names| names.contains(test.name))
    }
}

/// The room that a file belongs to, as the list names it.
fn room(path: &str) -> String {
    let mut parts = path.split('/');
    match (parts.next(), parts.next()) {
        (Some("tests"), Some("e2e")) => "e2e".to_owned(),
        (room, _) => room.unwrap_or_default().to_owned(),
    }
}

/// The functions that have the attribute `#[test]`.
fn test_functions(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut lines = text.lines();
    while lines.by_ref().any(|line| line.trim() == "#[test]") {
        let name = lines.by_ref().find_map(|line| {
            let (_, signature) = line.trim().split_once("fn ")?;
            Some(signature.split_once('(')?.0.to_owned())
        });
        names.extend(name);
    }
    names
}

/// The functions of which a macro of that file makes tests: it is given a list of them, one a line.
fn tests_of_tables(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    if text.contains("$(#[test]") {
        let mut lines = text.lines();
        while lines
            .by_ref()
            .any(|line| line.ends_with("! {") && !line.starts_with("macro_rules"))
        {
            let list = lines.by_ref().take_while(|line| *line != "}");
            names.extend(list.filter_map(|line| Some(line.trim().strip_suffix(',')?.to_owned())));
        }
    }
    names
}

/// The functions `check_NAME` of a script.
fn shell_checks(text: &str) -> Vec<String> {
    let name = |line: &str| Some(line.strip_prefix("check_")?.split_once("()")?.0.to_owned());
    text.lines().filter_map(name).collect()
}

fn module(path: &Path) -> String {
    let named = match path.file_stem().unwrap().to_str().unwrap() {
        "mod" => path.parent().unwrap().file_name(),
        _ => path.file_stem(),
    };
    named.unwrap().to_str().unwrap().to_owned()
}

/// A test that an attack names.
#[derive(Debug, PartialEq, Eq)]
struct Test<'a> {
    room: &'a str,
    name: &'a str,
}

/// An attack of the list.
struct Attack<'a> {
    title: &'a str,
    /// What follows "Tests:".
    tests: &'a str,
    /// The room of tests without a word before them.
    room: &'a str,
}

impl<'a> Attack<'a> {
    /// The tests: of the room that a word names, up to the next semicolon.
    fn tests(&self) -> Vec<Test<'a>> {
        let mut tests = Vec::new();
        for part in self.tests.split(';') {
            let word = part.split('`').next().unwrap_or_default().trim();
            let room = if word.is_empty() { self.room } else { word };
            let names = code_spans(part).filter(|span| is_test(span));
            tests.extend(names.map(|name| Test { room, name }));
        }
        tests
    }
}

/// The attacks of all sections. A section may say of which room its tests are.
fn attacks(list: &str) -> Vec<Attack<'_>> {
    let mut attacks = Vec::new();
    for section in list.split("\n## ").skip(1) {
        let mut parts = section.split("\n- **");
        let room = parts
            .next()
            .and_then(|begin| begin.split_once("Tests are those of `"))
            .and_then(|(_, rest)| rest.split_once('`'))
            .map_or("", |(room, _)| room);
        for text in parts {
            let tests = text.split("\n  - Tests:").nth(1).unwrap_or_default();
            attacks.push(Attack {
                title: text.lines().next().unwrap_or_default(),
                tests: &tests[..tests.find("\n\n").unwrap_or(tests.len())],
                room,
            });
        }
    }
    attacks
}

/// Whether a name in code can be that of a test or of a module of tests, and not of anything else.
fn is_test(span: &str) -> bool {
    let name = span.strip_suffix("::*").unwrap_or(span);
    let plain = |character: char| {
        character == '_' || character.is_ascii_lowercase() || character.is_ascii_digit()
    };
    name.chars().all(plain) && (name.contains('_') || name != span)
}

fn unknown<'a>(list: &'a str, known: &Known) -> Vec<Test<'a>> {
    let named = attacks(list).into_iter().flat_map(|attack| attack.tests());
    named.filter(|test| !known.has(test)).collect()
}

#[test]
fn every_test_that_the_list_of_attacks_names_exists_where_it_says() {
    let list = fs::read_to_string(top().join("docs/attacks.md")).unwrap();
    let unknown = unknown(&list, &Known::read(top()));
    assert!(unknown.is_empty(), "no such tests: {unknown:#?}");
}

#[test]
fn each_sentence_of_what_an_app_can_not_hold_up_has_tests() {
    let text = fs::read_to_string(top().join("SECURITY.md")).unwrap();
    let (_, section) = text.split_once("\n## What an app can't hold up\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let known = Known::read(top());
    let sentences: Vec<&str> = section.split("\n- ").skip(1).collect();
    assert!(sentences.len() > 7, "{}", sentences.len());
    for sentence in sentences {
        let names = code_spans(sentence).filter(|span| is_test(span));
        let tests: Vec<Test<'_>> = names.map(|name| Test { room: "e2e", name }).collect();
        assert!(!tests.is_empty(), "no test: {sentence}");
        let unknown: Vec<_> = tests.iter().filter(|test| !known.has(test)).collect();
        assert!(unknown.is_empty(), "no such tests: {unknown:#?}");
    }
}

#[test]
fn every_attack_has_a_test_or_says_why_there_is_none() {
    let list = fs::read_to_string(top().join("docs/attacks.md")).unwrap();
    let attacks = attacks(&list);
    assert!(attacks.len() > 90, "{}", attacks.len());
    for attack in attacks {
        let reason = attack.tests.trim_start().starts_with("none (");
        assert!(
            !attack.tests().is_empty() || reason,
            "no test: {}",
            attack.title
        );
    }
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let source = "#[test]\nfn a_real_one() {}\n#[test]\n#[ignore = \"slow\"]\nfn another(_: u8) {}\nfn no_test() {}\n";
    assert_eq!(test_functions(source), ["a_real_one", "another"]);
    let mut known = Known::default();
    known.add(&top().join("tests/e2e/a.rs"), test_functions(source));
    known.add(
        &top().join("tests/e2e/a.sh"),
        shell_checks("check_in_a_shell() {\n}\n"),
    );
    known.add(&top().join("trust/src/a.rs"), ["bombs::*".to_owned()]);
    let list = "\n## One\n\nTests are those of `trust` unless marked.\n\n- **A**\n  - B `not_read`.\n  \
                - Tests: e2e `a_real_one`, `no_test` (`EPERM`);\n    `bombs::*`.\n- **C**\n  \
                - Tests: e2e `in_a_shell`; `a_real_one`, `gone::*`.\n\nText `of_another_kind`.\n";
    let unknown = unknown(list, &known);
    let names: Vec<(&str, &str)> = unknown.iter().map(|test| (test.room, test.name)).collect();
    assert_eq!(
        names,
        [
            ("e2e", "no_test"),
            ("trust", "a_real_one"),
            ("trust", "gone::*")
        ]
    );
}
