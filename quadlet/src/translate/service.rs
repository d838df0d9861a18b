//! What the units of all kinds have: what the file says for systemd itself, and what it is started with.

use std::collections::BTreeSet;

use super::flags::is_true;
use super::work::{NeededFile, Work};
use crate::finding::{Findings, Severity};
use crate::index::{Index, Parsed};
use crate::install;
use crate::name::Kind;
use crate::unit::{Argument, Unit, UnitText};
use crate::unit_file::{Command, Entry, Word, quoted};

/// Keys of `[Unit]` whose values are names of units.
const DEPENDENCIES: [&str; 17] = [
    "After",
    "Before",
    "BindsTo",
    "Conflicts",
    "JoinsNamespaceOf",
    "OnFailure",
    "OnSuccess",
    "PartOf",
    "PropagatesReloadTo",
    "PropagatesStopTo",
    "ReloadPropagatedFrom",
    "Requires",
    "Requisite",
    "StopPropagatedFrom",
    "Upholds",
    "Wants",
    "WantsMountsFor",
];
/// Those that keep a unit from starting where there is no such unit.
const MUST_BE_THERE: [&str; 3] = ["BindsTo", "Requires", "Requisite"];
/// Keys of `[Service]` that are written here, or would keep a pod from starting.
const NOT_TAKEN: &[(&str, &str)] = &[
    ("BusName", "a pod has no name on the bus"),
    (
        "DynamicUser",
        "pods need root; User= of [Container] is the app's user",
    ),
    (
        "ExecReload",
        "ReloadCmd= or ReloadSignal= says how to reload",
    ),
    ("ExecStart", "it is made of the file"),
    (
        "Group",
        "pods need root; Group= of [Container] is the app's group",
    ),
    ("PIDFile", "the main process is the one that is started"),
    ("RootDirectory", "pods have root filesystems of their own"),
    ("RootImage", "pods have root filesystems of their own"),
    (
        "User",
        "pods need root; User= of [Container] is the app's user",
    ),
];
/// How long systemd waits for a service's end if nothing is said, less what an end takes.
const USUAL_STOP: u64 = 80;

/// What a kind of service may say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A pod: it runs in the foreground.
    Pod,
    /// A command that is over when the service has started.
    Once,
}

impl<'a> Work<'a> {
    /// A unit's text with what the file says for systemd.
    pub(super) fn begin(&mut self, form: Form) -> UnitText {
        let mut text = UnitText::default();
        let parsed: &'a Parsed<'a> = self.parsed;
        for entry in &parsed.file.entries {
            match entry.section.as_str() {
                "Unit" => self.unit_line(&mut text, entry),
                "Service" => {
                    self.service_line(entry, form);
                    text.service.push(&entry.key, &*entry.value);
                }
                section => {
                    let name = match section {
                        "Install" => "Install".to_owned(),
                        name if name.starts_with("X-") => name.to_owned(),
                        name => format!("X-{name}"),
                    };
                    let known = text.further.iter_mut().find(|(known, _)| *known == name);
                    match known {
                        Some((_, section)) => section.push(&entry.key, &*entry.value),
                        None => {
                            let mut section = crate::unit::Section::default();
                            section.push(&entry.key, &*entry.value);
                            text.further.push((name, section));
                        }
                    }
                }
            }
        }
        let path = Word::literal(&parsed.source.path.display().to_string());
        text.unit.push("SourcePath", path.as_str());
        let kind = parsed.source.name.kind();
        let waits = is_true(
            &parsed.file,
            "Quadlet",
            "DefaultDependencies",
            &mut self.findings,
        );
        if waits.is_none_or(|(waits, _)| waits) && !matches!(kind, Kind::Volume | Kind::Network) {
            text.unit.push("Wants", "network-online.target");
            text.unit.push("After", "network-online.target");
        }
        if let Some(entry) = parsed.file.last(kind.section(), "ServiceName")
            && parsed.service_name().is_none()
        {
            self.findings
                .error(entry, format!("`{}` is no name of a unit", entry.value));
        }
        text
    }

    /// An assignment of `[Unit]`, with the units of files that it names.
    fn unit_line(&mut self, text: &mut UnitText, entry: &Entry) {
        if !DEPENDENCIES.contains(&entry.key.as_str()) {
            text.unit.push(&entry.key, &*entry.value);
            return;
        }
        let value = dependencies(entry, self.index, &mut self.findings);
        text.unit.push(&entry.key, value);
        self.needs_those(entry);
    }

    /// Notes the files of an assignment of `[Unit]` without whose units this one can't start.
    pub(super) fn needs_those(&mut self, entry: &Entry) {
        if !MUST_BE_THERE.contains(&entry.key.as_str()) {
            return;
        }
        for name in entry.value.split_whitespace() {
            if let Some(target) = self.index.find(name) {
                self.needs.files.push(NeededFile {
                    name: name.to_owned(),
                    path: target.source,
                    entry: entry.clone(),
                });
            }
        }
    }

    fn service_line(&mut self, entry: &Entry, form: Form) {
        let findings = &mut self.findings;
        if let Some((_, why)) = NOT_TAKEN.iter().find(|(key, _)| *key == entry.key) {
            findings.error(entry, *why);
        }
        let allowed: &[&str] = match (entry.key.as_str(), form) {
            ("Type", Form::Pod) => &["notify", "notify-reload", "oneshot"],
            ("Type", Form::Once) => &["oneshot"],
            ("KillMode", Form::Pod) => &["mixed", "control-group"],
            _ => return,
        };
        if !entry.value.is_empty() && !allowed.contains(&entry.value.as_str()) {
            let allowed = allowed.join(" and ");
            findings.error(
                entry,
                format!(
                    "there is no `{}` for this file: there is {allowed}",
                    entry.value
                ),
            );
        }
    }

    /// What a service is like that is a pod in the foreground.
    pub(super) fn foreground(&mut self, text: &mut UnitText, grace: Option<&Entry>) {
        text.service.unless_said("Type", "notify");
        text.service.unless_said("KillMode", "mixed");
        text.service.unless_said("Delegate", "yes");
        text.service.unless_said("SyslogIdentifier", "%N");
        let Some(grace) = grace else { return };
        match grace.value.parse::<u64>() {
            // Else systemd kills what still has time.
            Ok(seconds) if seconds > USUAL_STOP => {
                let time = seconds.saturating_add(10).to_string();
                let says = |key| self.parsed.file.has("Service", key);
                if !says("TimeoutSec") {
                    text.service.unless_said("TimeoutStopSec", time);
                }
            }
            Ok(_) => {}
            Err(_) if grace.value.contains('%') => {}
            Err(_) => self.findings.error(grace, "it is a number of seconds"),
        }
    }

    /// The unit, if nothing was wrong.
    pub(super) fn finish(
        &mut self,
        mut text: UnitText,
        start: &Command,
        members: Vec<&'a Parsed<'a>>,
    ) -> Option<Unit> {
        let mut mounts = self.needs.mounts.clone();
        mounts.insert(Word::literal(&self.settings.data.display().to_string()));
        for path in &mounts {
            text.unit.push("RequiresMountsFor", quoted(path));
        }
        self.needs.units.remove(&self.parsed.service);
        for unit in &self.needs.units {
            text.unit.push("Requires", &**unit);
            text.unit.push("After", &**unit);
        }
        text.service.push("ExecStart", start.to_string());
        if start.is_too_long() {
            self.findings
                .file("it makes a command line that systemd can't read: it is longer than 1 MiB");
        }
        let name = self.parsed.service.clone();
        if !crate::name::is_unit_name(&name) {
            self.findings.file(format!(
                "`{name}` is no name of a unit: only letters, digits and :-_.\\@ may be used, 255 in all"
            ));
        }
        let mut links = install::links(&self.parsed.file, &name, &mut self.findings);
        for member in &members {
            links.extend(install::links(&member.file, &name, &mut self.findings));
        }
        links.sort();
        links.dedup();
        if self.findings.has_errors() {
            return None;
        }
        let argument = |word: &Word| Argument {
            written: word.as_str().to_owned(),
            text: word.expanded(&name),
            origin: word.origin().cloned(),
        };
        let argv = start.words().iter().map(argument).collect();
        Some(Unit {
            text: text.text(&self.parsed.source.path),
            name,
            source: self.parsed.source.path.clone(),
            members: members
                .iter()
                .map(|member| member.source.path.clone())
                .collect(),
            links,
            argv,
        })
    }

    /// Notes that a name of a pod is one.
    pub(super) fn check_pod_name(&mut self, entry: Option<&Entry>, name: &str) {
        if name.contains(['%', '$']) {
            return;
        }
        if let Err(error) = name.parse::<pod::PodName>() {
            match entry {
                Some(entry) => self.findings.error(entry, error.to_string()),
                None => self
                    .findings
                    .file(format!("{error}; another one can be given")),
            }
        }
    }

    /// The label by which updates find out of whom a pod asks for them.
    pub(super) fn auto_update(&mut self, entry: &Entry) -> Option<Word> {
        match entry.value.as_str() {
            "registry" | "local" => {
                Some(Word::of(entry).after("--label=io.containers.autoupdate="))
            }
            _ => {
                self.findings.error(entry, "there are registry and local");
                None
            }
        }
    }

    /// The value of `--userns`.
    pub(super) fn users(&mut self, entry: &Entry) -> Option<Word> {
        let value = entry.value.as_str();
        let is_range = value.starts_with(|c: char| c.is_ascii_digit());
        match value {
            "auto" | "host" => {}
            _ if is_range || value.contains(['%', '$']) => {}
            _ => {
                self.findings.error(
                    entry,
                    format!("`{value}` is not there: there are auto (IDs that no other pod has), host, and ranges"),
                );
                return None;
            }
        }
        Some(Word::of(entry).after("--userns="))
    }

    /// The value of `--log-driver`.
    pub(super) fn log_driver(&mut self, entry: &Entry) -> Option<Word> {
        let driver = match entry.value.as_str() {
            driver @ ("k8s-file" | "json-file" | "journald" | "none") => driver,
            // What a pod in the foreground writes is in the journal anyway.
            "passthrough" => "none",
            _ => {
                self.findings.error(
                    entry,
                    "there are k8s-file (also called json-file), journald, none and passthrough",
                );
                return None;
            }
        };
        Some(Word::written(driver).at(entry).after("--log-driver="))
    }
}

/// The names of units of an assignment; those of files are their units'.
pub(super) fn dependencies(
    entry: &Entry,
    index: &Index<'_>,
    findings: &mut Findings<'_>,
) -> String {
    let mut units = Vec::new();
    let mut seen = BTreeSet::new();
    for name in entry.value.split_whitespace() {
        let unit = match Index::is_name(name) {
            true => match index.find(name) {
                Some(target) => target.service,
                None => {
                    findings.error(entry, index.why_not(name));
                    continue;
                }
            },
            false => name.to_owned(),
        };
        if seen.insert(unit.clone()) {
            units.push(unit);
        }
    }
    units.join(" ")
}

/// Says that something means nothing, which does no harm.
pub(super) fn warn(findings: &mut Findings<'_>, entry: &Entry, reason: impl Into<String>) {
    findings.add(entry, Severity::Warning, reason);
}
