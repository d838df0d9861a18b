//! The tests that the list of attacks names exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::markdown::code_spans;
use crate::sources::{files, top};

/// What a list of attacks can name.
#[derive(Default)]
struct Known {
    /// Test functions, and checks of shell scripts that tests run.
    tests: BTreeSet<String>,
    /// Modules with tests.
    modules: BTreeSet<String>,
}

impl Known {
    fn read(top: &Path) -> Self {
        let mut known = Self::default();
        for path in files(top, "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let tests = test_functions(&text);
            if !tests.is_empty() {
                known.modules.insert(module(&path));
            }
            known.tests.extend(tests);
        }
        for path in files(&top.join("tests/e2e"), "sh") {
            let text = fs::read_to_string(&path).unwrap();
            known.tests.extend(shell_checks(&text));
        }
        known
    }

    fn has(&self, name: &str) -> bool {
        match name.strip_suffix("::*") {
            Some(module) => self.modules.contains(module),
            None => self.tests.contains(name),
        }
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

/// The functions `check_NAME` of a script.
fn shell_checks(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .filter_map(|line| Some(line.strip_prefix("check_")?.split_once("()")?.0.to_owned()))
}

fn module(path: &Path) -> String {
    let named = match path.file_stem().unwrap().to_str().unwrap() {
        "mod" => path.parent().unwrap().file_name(),
        _ => path.file_stem(),
    };
    named.unwrap().to_str().unwrap().to_owned()
}

/// The tests of each attack: what follows "Tests:", up to the next point of the list.
fn named_tests(list: &str) -> Vec<Vec<&str>> {
    list.split("\n- **")
        .skip(1)
        .map(|attack| {
            let tests = attack.split("\n  - Tests:").nth(1).unwrap_or_default();
            let end = tests.find("\n\n").unwrap_or(tests.len());
            code_spans(&tests[..end])
                .filter(|span| is_test(span))
                .collect()
        })
        .collect()
}

/// Whether a name in code can be that of a test or of a module of tests, and not of anything else.
fn is_test(span: &str) -> bool {
    let name = span.strip_suffix("::*").unwrap_or(span);
    let plain = |character: char| {
        character == '_' || character.is_ascii_lowercase() || character.is_ascii_digit()
    };
    name.chars().all(plain) && (name.contains('_') || name != span)
}

fn unknown<'a>(list: &'a str, known: &Known) -> Vec<&'a str> {
    let named = named_tests(list).into_iter().flatten();
    named.filter(|name| !known.has(name)).collect()
}

#[test]
fn every_test_that_the_list_of_attacks_names_exists() {
    let list = fs::read_to_string(top().join("docs/attacks.md")).unwrap();
    let unknown = unknown(&list, &Known::read(top()));
    assert!(unknown.is_empty(), "no such tests: {unknown:#?}");
}

#[test]
fn every_attack_has_a_test_or_says_why_there_is_none() {
    let list = fs::read_to_string(top().join("docs/attacks.md")).unwrap();
    let attacks: Vec<&str> = list.split("\n- **").skip(1).collect();
    let named = named_tests(&list);
    assert_eq!(attacks.len(), named.len());
    for (attack, tests) in attacks.iter().zip(named) {
        let reason = attack.contains("Tests: none (");
        assert!(
            !tests.is_empty() || reason,
            "an attack without a test: {attack}"
        );
    }
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    let source = "#[test]\nfn a_real_one() {}\n#[test]\n#[ignore = \"slow\"]\nfn another(_: u8) {}\nfn no_test() {}\n";
    assert_eq!(test_functions(source), ["a_real_one", "another"]);
    let script = "check_in_a_shell() {\n}\n";
    let known = Known {
        tests: test_functions(source)
            .into_iter()
            .chain(shell_checks(script))
            .collect(),
        modules: BTreeSet::from(["bombs".to_owned()]),
    };
    let list = "\n- **A**\n  - B `not_read`.\n  - Tests: e2e `a_real_one`, `no_test` (`EPERM`);\n    `bombs::*`.\n- **C**\n  \
                - Tests: `in_a_shell`, `gone::*`.\n\nText `of_another_kind`.\n";
    assert_eq!(unknown(list, &known), ["no_test", "gone::*"]);
}
