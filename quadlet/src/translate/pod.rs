//! A `.pod` with its containers: a pod of several apps, and one unit.

use std::collections::BTreeSet;
use std::path::Path;

use super::app::{App, FETCH, SEPARATOR, app};
use super::container::{pod_command, reload, remove, restarts};
use super::flags::{flags, further, values_of};
use super::service::{Form, dependencies, warn};
use super::work::Work;
use crate::index::Parsed;
use crate::install::Link;
use crate::unit::{Unit, UnitText};
use crate::unit_file::{Command, Entry, Word};

const SECTION: &str = "Pod";
/// Keys of `[Unit]` of a container that order it.
const ORDER: [&str; 2] = ["After", "Before"];
/// Those that say what else must be there.
const WANTS: [&str; 5] = ["BindsTo", "Requires", "Requisite", "Upholds", "Wants"];
/// Keys of `[Service]` of a container that the pod's unit decides: without them, the container starts all the same.
const OF_THE_POD: [&str; 3] = ["Timeout", "StartLimit", "RestartS"];

/// The directory of the drop-ins that all containers have.
const OF_ALL: &str = "container.d";

/// The unit of a pod.
pub(crate) fn pod<'a>(work: &mut Work<'a>, members: &[&'a Parsed<'a>]) -> Option<Unit> {
    let parsed = work.parsed;
    let mut text = work.begin(Form::Pod);
    text.service.unless_said("Restart", "on-failure");
    let of_pod = flags(&parsed.file, SECTION, &mut work.findings);
    let last = |key: &str| parsed.file.last(SECTION, key);
    let name = parsed.resource();
    work.check_pod_name(last("PodName"), &name);
    if members.is_empty() {
        work.findings
            .file(format!("no container has Pod={}", parsed.source.name));
    }
    let members = ordered(work, members);
    let mut apps: Vec<(String, App<'a>)> = Vec::new();
    for member in &members {
        let before = work.findings.has_errors();
        let mut app = app(work, member);
        let name = app_name(work, member);
        let called = Word::written(&*name).after("--app-name=");
        app.flags
            .push(called.said_by(member.file.last("Container", "ContainerName")));
        member_sections(work, &mut text, member, &mut app);
        for (word, entry) in &app.pod {
            let flag = word.as_str().split('=').next().unwrap_or_default();
            let in_pod = format!(
                "{} has it for all apps, or `PodmanArgs={flag}=…` there",
                parsed.source.name
            );
            work.findings
                .error(entry, format!("it is the pod's: {in_pod}"));
        }
        if work.findings.has_errors() && !before {
            let reason = format!("its container {} is refused", member.source.name);
            work.findings.file(reason);
        }
        apps.push((name, app));
    }
    for entry in parsed.file.all(SECTION, "Volume") {
        let flag = work.volume(entry).after("--volume=");
        for (_, app) in &mut apps {
            app.flags.push(flag.clone());
        }
    }
    let again = apps.iter().any(|(_, app)| app.flags.iter().any(restarts));
    let mut start = pod_command(work, (&name, last("PodName")), again);
    for (value, _) in values_of(&parsed.file, SECTION, "Label", &mut work.findings) {
        start.push(value.after("--label="));
    }
    for (_, app) in &apps {
        start.extend(app.labels.iter().cloned());
    }
    start.extend(fetch(work, &apps));
    if let Some(ready) = apps.iter().filter_map(|(_, app)| app.ready).max() {
        start.push(ready.flag());
    }
    start.extend(of_pod.of_pod());
    pod_keys(work, &mut start);
    for (index, (_, app)) in apps.iter().enumerate() {
        if index > 0 {
            start.word(SEPARATOR);
        }
        app.write(&mut start);
    }
    work.foreground(&mut text, last("StopTimeout"));
    for (app_name, app) in apps {
        reload(work, &mut text, &name, Some(&app_name), app.reload);
    }
    remove(work, &mut text, &name);
    let aliases: Vec<_> = members
        .iter()
        .map(|member| Link::alias(&member.source.name.member_alias(), &parsed.service))
        .collect();
    let mut unit = work.finish(text, &start, members)?;
    unit.links.extend(aliases);
    Some(unit)
}

/// Keys of `[Pod]` that are more than a flag.
fn pod_keys(work: &mut Work<'_>, start: &mut Command) {
    let parsed = work.parsed;
    let last = |key: &str| parsed.file.last(SECTION, key);
    if let Some(entry) = last("UserNS") {
        start.extend(work.users(entry));
    }
    let addresses: Vec<_> = [last("IP"), last("IP6")].into_iter().flatten().collect();
    let networks = parsed.file.all(SECTION, "Network");
    start.extend(work.networks(networks, &addresses));
    if let Some(entry) = last("StopTimeout") {
        start.push(Word::of(entry).after("--grace-period="));
    }
    if let Some(entry) = last("ExitPolicy") {
        match entry.value.as_str() {
            "stop" => {}
            "continue" => start.word("--lifetime=until-stopped"),
            _ => work.findings.error(entry, "there are stop and continue"),
        }
    }
    start.extend(further(&parsed.file, SECTION, &mut work.findings));
}

/// The pod has one way to fetch images.
fn fetch(work: &mut Work<'_>, apps: &[(String, App<'_>)]) -> Vec<Word> {
    let mut words = Vec::new();
    for (place, (key, flag)) in FETCH.iter().enumerate() {
        let mut said = apps
            .iter()
            .filter_map(|(_, app)| app.fetch.get(place).copied().flatten());
        let Some(first) = said.next() else { continue };
        if let Some(other) = said.find(|other| other.value != first.value) {
            let reason = format!("the containers of a pod agree on {key}=, or one alone has it");
            work.findings.error(other, reason);
        }
        words.push(Word::of(first).after(flag));
    }
    words
}

/// What an app is called.
fn app_name(work: &mut Work<'_>, member: &Parsed<'_>) -> String {
    let entry = member.file.last("Container", "ContainerName");
    let name = match entry {
        Some(entry) => entry.value.clone(),
        None => crate::name::pod_name(member.source.name.prefix()),
    };
    if let Err(error) = name.parse::<pod::AppName>() {
        match entry {
            Some(entry) => work.findings.error(entry, error.to_string()),
            None => work
                .findings
                .whole(&member.source.path, None, error.to_string()),
        }
    }
    name
}

/// What a container that is a part of a pod says for systemd: the pod's unit has it, as far as it can.
fn member_sections(
    work: &mut Work<'_>,
    text: &mut UnitText,
    member: &Parsed<'_>,
    app: &mut App<'_>,
) {
    if member.source.name.instance().is_some() {
        work.findings.whole(
            &member.source.path,
            None,
            "a template can't be a part of a pod",
        );
    }
    for key in [
        "StopTimeout",
        "UserNS",
        "Network",
        "IP",
        "IP6",
        "ServiceName",
    ] {
        if let Some(entry) = member.file.last("Container", key) {
            work.findings
                .error(entry, "it is the pod's: write it there");
        }
    }
    if let Some(entry) = member.file.last("Container", "StartWithPod")
        && crate::unit_file::truth(&entry.value) != Some(true)
    {
        work.findings.error(
            entry,
            "the apps of a pod start together; `fairing app add` adds one later",
        );
    }
    for entry in &member.file.entries {
        // What is said for all units of containers is not meant for what has none.
        let directory = entry.place.path.parent().and_then(Path::file_name);
        if directory.is_some_and(|name| name == OF_ALL) {
            continue;
        }
        match (entry.section.as_str(), entry.key.as_str()) {
            ("Unit", "Description" | "Documentation") => {}
            ("Unit", key) if ORDER.contains(&key) || WANTS.contains(&key) => {
                let units = dependencies(entry, work.index, &mut work.findings);
                work.needs_those(entry);
                let others: Vec<_> = units
                    .split(' ')
                    .filter(|unit| !unit.is_empty() && *unit != work.parsed.service)
                    .collect();
                if !others.is_empty() {
                    text.unit.push(key, others.join(" "));
                }
            }
            ("Unit", key) if OF_THE_POD.iter().any(|begin| key.starts_with(begin)) => {
                warn(
                    &mut work.findings,
                    entry,
                    "it has no effect: the pod's unit decides",
                );
            }
            ("Unit", _) => work.findings.error(
                entry,
                "an app has no unit of its own: write it into the .pod",
            ),
            ("Service", "Restart") => match entry.value.as_str() {
                "" | "no" => {}
                "on-failure" | "on-abnormal" | "on-abort" | "on-watchdog" => {
                    app.flags
                        .push(Word::written("--restart=on-failure").at(entry));
                }
                "always" | "on-success" => {
                    app.flags.push(Word::written("--restart=always").at(entry));
                }
                _ => work
                    .findings
                    .error(entry, "there are no, on-failure and always"),
            },
            ("Service", key) if OF_THE_POD.iter().any(|begin| key.starts_with(begin)) => {
                warn(
                    &mut work.findings,
                    entry,
                    "it has no effect: the pod's unit decides",
                );
            }
            ("Service", _) => work.findings.error(
                entry,
                "an app has no unit of its own: write it into the .pod",
            ),
            _ => {}
        }
    }
}

/// Whether an app starts, and is there, before those behind it.
fn is_first(member: &Parsed<'_>) -> bool {
    let further = member.file.all("Container", "PodmanArgs");
    let mut words = further
        .iter()
        .flat_map(|entry| entry.value.split_whitespace());
    words.any(|word| matches!(word, "--init" | "--sidecar"))
}

/// The containers in an order in which each comes behind those that it is to start after. All but init apps and sidecars
/// start together, so that nothing can be after one of those.
fn ordered<'a>(work: &mut Work<'a>, members: &[&'a Parsed<'a>]) -> Vec<&'a Parsed<'a>> {
    let named = |entry: &Entry| -> Vec<&'a Parsed<'a>> {
        let is_named = |member: &Parsed<'_>| {
            let name = member.source.name.to_string();
            let alias = member.source.name.member_alias();
            entry
                .value
                .split_whitespace()
                .any(|word| word == name || word == alias)
        };
        members
            .iter()
            .copied()
            .filter(|member| is_named(member))
            .collect()
    };
    let mut edges: BTreeSet<(&str, &str)> = BTreeSet::new();
    for member in members {
        for entry in member.file.section("Unit") {
            for other in named(entry) {
                let (first, second) = match entry.key.as_str() {
                    "After" => (other, *member),
                    "Before" => (*member, other),
                    _ => continue,
                };
                if !is_first(first) {
                    let first = &first.source.name;
                    let reason = format!(
                        "the apps of a pod start together, unless {first} has PodmanArgs=--sidecar (or --init, if it ends)"
                    );
                    work.findings.error(entry, reason);
                }
                edges.insert((first.service_alias(), second.service_alias()));
            }
        }
    }
    let mut left: Vec<_> = members.to_vec();
    // Init apps and sidecars first: their places among the others mean nothing.
    left.sort_by_key(|member| !is_first(member));
    let mut sorted: Vec<&Parsed<'_>> = Vec::new();
    while !left.is_empty() {
        let is_free = |member: &Parsed<'_>| {
            let waits = edges
                .iter()
                .filter(|(_, second)| *second == member.service_alias());
            let mut waits = waits.map(|(first, _)| *first);
            !waits.any(|first| left.iter().any(|other| other.service_alias() == first))
        };
        let Some(place) = left.iter().position(|member| is_free(member)) else {
            work.findings
                .file("its containers wait for each other in a circle");
            sorted.append(&mut left);
            break;
        };
        sorted.push(left.remove(place));
    }
    sorted
}

impl Parsed<'_> {
    fn service_alias(&self) -> &str {
        self.source.name.prefix()
    }
}
