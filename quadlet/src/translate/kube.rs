//! A `.kube`, and Pod YAML that has none.

use std::path::{Component, Path, PathBuf};

use super::flags::{flags, further, is_true, values_of};
use super::service::Form;
use super::work::Work;
use crate::index::Parsed;
use crate::name::Kind;
use crate::unit::Unit;
use crate::unit_file::{Command, Word};

const SECTION: &str = "Kube";

/// The unit of Pod YAML.
pub(crate) fn kube(work: &mut Work<'_>) -> Option<Unit> {
    let parsed = work.parsed;
    let file = &parsed.file;
    let mut text = work.begin(Form::Pod);
    let of_table = flags(file, SECTION, &mut work.findings);
    let last = |key: &str| file.last(SECTION, key);
    let yaml = yaml(work);
    let mut start = Command::new(&work.program());
    start.word("play");
    start.word("--replace");
    start.extend(of_table.of_pod());
    for (value, entry) in values_of(file, SECTION, "ConfigMap", &mut work.findings) {
        // A comma would separate two.
        if value.as_str().contains(',') {
            work.findings
                .error(entry, "each file has a ConfigMap= of its own");
        }
        start.push(work.path(value.as_str()).at(entry).after("--configmap="));
    }
    if let Some(entry) = last("LogDriver") {
        start.extend(work.log_driver(entry));
    }
    if let Some(entry) = last("UserNS") {
        start.extend(work.users(entry));
    }
    let networks = work.networks(file.all(SECTION, "Network"), &[]);
    start.extend(networks.map(|word| {
        let value = word.as_str().trim_start_matches("--net=");
        let first = file.all(SECTION, "Network").first().copied();
        Word::written(value).said_by(first).after("--network=")
    }));
    for (value, entry) in values_of(file, SECTION, "AutoUpdate", &mut work.findings) {
        let (app, when) = match value.as_str().rsplit_once('/') {
            Some((app, when)) => (format!("/{app}"), when),
            None => (String::new(), value.as_str()),
        };
        match when {
            "registry" | "local" => {
                let text = format!("--annotation=io.containers.autoupdate{app}={when}");
                start.push(Word::written(text).at(entry));
            }
            _ => work
                .findings
                .error(entry, "there are registry and local, perhaps behind NAME/"),
        }
    }
    start.extend(further(file, SECTION, &mut work.findings));
    start.extend(yaml.iter().cloned());
    work.foreground(&mut text, None);
    let force = is_true(file, SECTION, "KubeDownForce", &mut work.findings);
    let mut down = Command::new(&work.program());
    down.word("down");
    if force.is_some_and(|(force, _)| force) {
        down.word("--force");
    }
    down.extend(yaml.iter().cloned());
    text.service.push("ExecStopPost", format!("-{down}"));
    if let Some(entry) = last("SetWorkingDirectory") {
        let of_yaml = || {
            let (directory, _) = yaml.first()?.as_str().rsplit_once('/')?;
            Some(directory.to_owned())
        };
        let unit = Word::literal(&work.directory().display().to_string());
        match entry.value.as_str() {
            "yaml" => text
                .service
                .unless_said("WorkingDirectory", of_yaml().unwrap_or_default()),
            "unit" => text.service.unless_said("WorkingDirectory", unit.as_str()),
            _ => work.findings.error(entry, "there are yaml and unit"),
        }
    }
    work.finish(text, &start, Vec::new())
}

/// The files that are played.
fn yaml(work: &mut Work<'_>) -> Vec<Word> {
    let source = &work.parsed.source;
    let said = work.parsed.file.all(SECTION, "Yaml");
    if source.name.kind() == Kind::Yaml {
        if let Some(entry) = said.first() {
            work.findings.error(
                entry,
                "it is this file's drop-in: a .kube names other files",
            );
        }
        return vec![Word::literal(&source.path.display().to_string())];
    }
    if said.is_empty() {
        work.findings.file("[Kube] has no Yaml=");
    }
    said.iter()
        .map(|entry| work.path(&entry.value).at(entry))
        .collect()
}

/// The files that a `.kube` names, which are no units of their own.
pub(crate) fn yaml_files(parsed: &Parsed<'_>) -> Vec<PathBuf> {
    if parsed.source.name.kind() != Kind::Kube {
        return Vec::new();
    }
    let directory = parsed.source.path.parent().unwrap_or(Path::new("/"));
    let named = ["Yaml", "ConfigMap"]
        .into_iter()
        .flat_map(|key| parsed.file.all(SECTION, key));
    named
        .map(|entry| plain(&directory.join(&entry.value)))
        .collect()
}

/// A path without steps that lead nowhere.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}
