//! The tables say what the code does: each field that is honoured changes what comes of a file, and each other one is told.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::fuzzing::facts;
use crate::translate::{Pods, Source, pods};

const FULL: &str = include_str!("full.yaml");

/// Honoured fields that change nothing: what they may say is so anyway, or only has to make sense.
const SILENT: [&str; 22] = [
    "emptyDir",
    "immutable",
    "accessModes",
    "volumeMode",
    "requests",
    "storage",
    "selector",
    "replicas",
    "parallelism",
    "completions",
    "completionMode",
    "os",
    "name of os",
    "enableServiceLinks",
    "automountServiceAccountToken",
    "apiVersion of fieldRef",
    "apiVersion of claim",
    "kind of claim",
    "spec of claim",
    "metadata of list",
    "optional of what is there",
    "type of what is opaque",
];

fn understood(text: &str) -> Result<Pods, String> {
    let source = [Source { name: "full", text }];
    pods(&source, &[], &facts()).map_err(|error| error.to_string())
}

/// All that comes of a text, less what is random.
fn outcome(text: &str) -> String {
    let pods = match understood(text) {
        Ok(pods) => pods,
        Err(error) => return error,
    };
    let files = pods.pods.iter().flat_map(|plan| &plan.spec.files);
    let files: Vec<_> = files
        .flat_map(|volume| &volume.files)
        .map(|file| String::from_utf8_lossy(&file.bytes).into_owned())
        .collect();
    let logins: Vec<_> = pods
        .pods
        .iter()
        .flat_map(|plan| &plan.logins)
        .map(|login| &login.0)
        .collect();
    let mut all = format!("{pods:?} {files:?} {logins:?}");
    for plan in &pods.pods {
        all = all.replace(&plan.spec.uuid.to_string(), "UUID");
    }
    all
}

/// Where a member is: names, and numbers in lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Name(String),
    Number(usize),
}

fn members(value: &Value, path: &mut Vec<Step>, all: &mut Vec<Vec<Step>>) {
    match value {
        Value::Object(members_of) => {
            for (name, value) in members_of {
                path.push(Step::Name(name.clone()));
                all.push(path.clone());
                members(value, path, all);
                path.pop();
            }
        }
        Value::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                path.push(Step::Number(number));
                members(value, path, all);
                path.pop();
            }
        }
        _ => {}
    }
}

fn without(value: &mut Value, path: &[Step]) {
    match path {
        [Step::Name(name)] => {
            value.as_object_mut().unwrap().remove(name);
        }
        [Step::Name(name), rest @ ..] => without(&mut value[name], rest),
        [Step::Number(number), rest @ ..] => without(&mut value[*number], rest),
        [] => {}
    }
}

fn documents() -> Vec<Value> {
    let documents = yaml::documents(FULL).unwrap();
    documents.iter().map(yaml::Node::to_json).collect()
}

fn text(documents: &[Value]) -> String {
    let texts: Vec<_> = documents.iter().map(Value::to_string).collect();
    texts.join("\n---\n")
}

#[test]
fn each_field_that_is_honoured_changes_what_comes_of_a_file() {
    let whole = documents();
    understood(&text(&whole)).unwrap();
    let expected = outcome(&text(&whole));
    let mut silent = Vec::new();
    for number in 0..whole.len() {
        let mut paths = Vec::new();
        members(&whole[number], &mut Vec::new(), &mut paths);
        for path in paths {
            let mut less = whole.clone();
            without(&mut less[number], &path);
            if outcome(&text(&less)) == expected {
                silent.push((number, path));
            }
        }
    }
    let unexpected: Vec<_> = silent
        .iter()
        .filter(|(_, path)| !may_be_silent(path))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}

/// Whether what is taken away may change nothing.
fn may_be_silent(path: &[Step]) -> bool {
    let names: Vec<&str> = path
        .iter()
        .filter_map(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Number(_) => None,
        })
        .collect();
    let has = |word: &str| SILENT.contains(&word);
    match names.as_slice() {
        [.., last] if has(last) => true,
        [.., "os", "name"] => has("name of os"),
        [.., "fieldRef", "apiVersion"] => has("apiVersion of fieldRef"),
        [.., "volumeClaimTemplates", "apiVersion"] => has("apiVersion of claim"),
        [.., "volumeClaimTemplates", "kind"] => has("kind of claim"),
        [.., "volumeClaimTemplates", "spec"] | ["spec"] | ["spec", "resources"] => {
            has("spec of claim")
        }
        ["metadata"] => has("metadata of list"),
        [.., "configMapKeyRef", "optional"] => has("optional of what is there"),
        ["type"] => has("type of what is opaque"),
        _ => false,
    }
}

#[test]
fn each_field_that_is_honoured_is_in_the_example() {
    let mut seen = BTreeSet::new();
    for document in documents() {
        let mut paths = Vec::new();
        members(&document, &mut Vec::new(), &mut paths);
        seen.extend(paths.into_iter().filter_map(|path| match path.last() {
            Some(Step::Name(name)) => Some(name.clone()),
            _ => None,
        }));
    }
    let honoured = ALL.iter().flat_map(|schema| schema.fields);
    let honoured = honoured.filter(|field| field.verdict == Verdict::Honoured);
    let missing: BTreeSet<_> = honoured
        .map(|field| field.name)
        .filter(|name| !seen.contains(*name))
        .collect();
    // It is looked at where a job is concerned.
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn what_is_not_honoured_is_told_by_path_and_line() {
    let pod = |field: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n  - name: a\n    image: x\n    {field}: \
             [x]\n"
        )
    };
    for field in CONTAINER.fields {
        let found = understood(&pod(field.name));
        let path = format!("full:8: spec.containers[0].{}: ", field.name);
        match field.verdict {
            Verdict::Honoured => {}
            Verdict::Ignored => {
                let warnings = found.unwrap().warnings;
                let [warning] = warnings.as_slice() else {
                    panic!("{}: {warnings:?}", field.name);
                };
                assert_eq!(
                    warning.to_string(),
                    format!("{path}ignored: {}", field.reason)
                );
            }
            Verdict::Refused => assert_eq!(found.unwrap_err(), format!("{path}{}", field.reason)),
        }
    }
    let unknown = understood(&pod("volumeMount")).unwrap_err();
    assert_eq!(
        unknown,
        "full:8: spec.containers[0].volumeMount: there is no such field; volumeMounts is perhaps meant"
    );
    let unknown = understood(&pod("nonsense")).unwrap_err();
    assert!(
        unknown.ends_with("there is no such field of containers, initContainers"),
        "{unknown}"
    );
}

#[test]
fn a_field_stands_once_in_its_table_and_has_a_reason_if_it_is_not_honoured() {
    for schema in ALL {
        let names: BTreeSet<_> = schema.fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), schema.fields.len(), "{}", schema.title);
        for field in schema.fields {
            let needs_reason = field.verdict != Verdict::Honoured;
            assert!(!needs_reason || !field.reason.is_empty(), "{}", field.name);
        }
    }
    let titles: BTreeSet<_> = ALL.iter().map(|schema| schema.title).collect();
    assert_eq!(titles.len(), ALL.len());
}

/// The tables as the page of the documents has them.
fn page() -> String {
    let mut text = String::new();
    for schema in ALL {
        text.push_str(&format!(
            "### {}\n\n| field | | |\n|---|---|---|\n",
            schema.title
        ));
        for field in schema.fields {
            let verdict = match field.verdict {
                Verdict::Honoured => "yes",
                Verdict::Ignored => "ignored",
                Verdict::Refused => "refused",
            };
            text.push_str(&format!(
                "| `{}` | {verdict} | {} |\n",
                field.name, field.reason
            ));
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_page_of_the_documents_has_these_tables() {
    const PAGE: &str = include_str!("../../../docs/pod-yaml.md");
    let (_, tables) = PAGE.split_once("## All fields\n\n").unwrap();
    let (_, tables) = tables.split_once("\n\n").unwrap();
    let page = page();
    if tables.trim() != page.trim() {
        let path = std::env::temp_dir().join("pod-yaml-tables.md");
        std::fs::write(&path, &page).unwrap();
        panic!("docs/pod-yaml.md has other tables than {}", path.display());
    }
}
