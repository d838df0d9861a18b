//! A container as an app: the image with its flags and arguments.

use super::flags::{Flags, Value, flags, further, is_true, values_of};
use super::service::warn;
use super::work::Work;
use crate::index::Parsed;
use crate::unit_file::{Command, Entry, Word};

const SECTION: &str = "Container";
/// What separates the apps of a pod.
pub(super) const SEPARATOR: &str = "---";

/// Keys about fetches, with the flags that they are.
pub(super) const FETCH: [(&str, &str); 3] = [
    ("Pull", "--pull="),
    ("Retry", "--retry="),
    ("RetryDelay", "--retry-delay="),
];

/// When a pod counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ready {
    Healthy,
    Notified,
}

impl Ready {
    pub(super) fn flag(self) -> Word {
        Word::written(match self {
            Self::Healthy => "--ready-when=healthy",
            Self::Notified => "--ready-when=notified",
        })
    }
}

/// A container as an app.
#[derive(Debug)]
pub(super) struct App<'a> {
    /// The image.
    image: Word,
    /// Its flags, which stand before or behind the image.
    pub(super) flags: Vec<Word>,
    /// Those that nobody has looked at. They stand before the image: behind it, one that is none would be handed to the
    /// image's program.
    further: Vec<Word>,
    /// What is the pod's, and where it stands.
    pub(super) pod: Vec<Value<'a>>,
    /// Labels, which are the pod's, too.
    pub(super) labels: Vec<Word>,
    arguments: Vec<Word>,
    pub(super) ready: Option<Ready>,
    /// How its image is fetched, which is the pod's: by the flags in [`FETCH`].
    pub(super) fetch: [Option<&'a Entry>; FETCH.len()],
    /// Commands that make it read its files again, without the pod: what stands before and behind its name.
    pub(super) reload: Option<(Vec<Word>, Vec<Word>)>,
}

impl App<'_> {
    /// The image, its flags and what is started in it.
    pub(super) fn write(&self, command: &mut Command) {
        command.extend(self.further.iter().cloned());
        command.push(self.image.clone());
        command.extend(self.flags.iter().cloned());
        if !self.arguments.is_empty() {
            command.word("--");
            command.extend(self.arguments.iter().cloned());
        }
    }
}

/// What a `[Container]` says of an app. `parsed` is the file of the work, or a container of its pod.
pub(super) fn app<'a>(work: &mut Work<'_>, parsed: &'a Parsed<'a>) -> App<'a> {
    let file = &parsed.file;
    let Flags { pod, mut app } = flags(file, SECTION, &mut work.findings);
    let last = |key: &str| file.last(SECTION, key);
    let image = match last("Image") {
        Some(entry) => work.image(entry),
        None => {
            // What it would be instead was told of.
            if last("Rootfs").is_none() {
                work.findings
                    .whole(&parsed.source.path, None, "[Container] has no Image=");
            }
            Word::written("")
        }
    };
    for entry in file.all(SECTION, "Volume") {
        app.push(work.volume(entry).after("--volume="));
    }
    for (value, entry) in values_of(file, SECTION, "Mount", &mut work.findings) {
        app.push(work.mount(&value, entry).after("--mount="));
    }
    for (value, entry) in values_of(file, SECTION, "Environment", &mut work.findings) {
        warn_of_variable(work, &value, entry);
        if !value.as_str().contains('=') {
            work.findings
                .error(entry, "a variable is written KEY=VALUE");
        }
        app.push(value.after("--env="));
    }
    for (value, entry) in values_of(file, SECTION, "EnvironmentFile", &mut work.findings) {
        if value.as_str().starts_with('-') {
            work.findings.error(
                entry,
                "a file that may be missing is not there yet: leave out the `-`",
            );
        }
        app.push(work.path(value.as_str()).at(entry).after("--env-file="));
    }
    for (value, entry) in values_of(file, SECTION, "AddDevice", &mut work.findings) {
        if value.as_str().starts_with('-') {
            work.findings.error(
                entry,
                "which devices there will be is not known when units are made: leave out the `-`",
            );
        }
        app.push(value.after("--device="));
    }
    let mut labels = Vec::new();
    for (value, entry) in values_of(file, SECTION, "Label", &mut work.findings) {
        warn_of_variable(work, &value, entry);
        labels.push(value.after("--label="));
    }
    if let Some(entry) = last("AutoUpdate") {
        labels.extend(work.auto_update(entry));
    }
    if let Some(entry) = last("LogDriver") {
        app.extend(work.log_driver(entry));
    }
    if let Some(entry) = last("Timezone") {
        match entry.value.as_str() {
            "local" => work.findings.error(
                entry,
                "name it, such as Europe/Berlin; Volume=/etc/localtime:/etc/localtime:ro gives the host's to an app",
            ),
            zone => app.push(Word::written(zone).at(entry).after("--env=TZ=")),
        }
    }
    if let Some(entry) = last("HealthInterval") {
        match entry.value.as_str() {
            "disable" => work.findings.error(
                entry,
                "a check has an interval; leave out HealthCmd= for no check",
            ),
            value => app.push(Word::written(value).at(entry).after("--health-interval=")),
        }
    }
    is_only(
        work,
        parsed,
        "CgroupsMode",
        &["split"],
        "each app has a cgroup below the unit's",
    );
    is_switch_only(
        work,
        parsed,
        "HttpProxy",
        false,
        "name the variables: Environment=http_proxy=…",
    );
    // Each pod has an init: either value is what there is.
    is_true(file, SECTION, "RunInit", &mut work.findings);
    let further = further(file, SECTION, &mut work.findings).collect();
    let mut arguments: Vec<Word> = Vec::new();
    if let Some(entry) = last("Exec") {
        match crate::unit_file::words(&entry.value) {
            Ok(words) if words.iter().any(|word| word == SEPARATOR) => {
                work.findings
                    .error(entry, "a word `---` would separate apps");
            }
            Ok(words) => {
                let words = words.into_iter().map(|word| Word::written(word).at(entry));
                arguments.extend(words);
            }
            Err(unfit) => work.findings.error(entry, unfit.reason()),
        }
    }
    App {
        image,
        flags: app,
        further,
        pod,
        labels,
        arguments,
        ready: ready(work, parsed),
        fetch: fetch(work, parsed),
        reload: reload(work, parsed),
    }
}

/// systemd puts a variable of the service in, where many mean a dollar.
fn warn_of_variable(work: &mut Work<'_>, value: &Word, entry: &Entry) {
    let text = value.as_str().replace("$$", "");
    let begins = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{');
    let has = text.split('$').skip(1).any(|rest| rest.starts_with(begins));
    if has {
        warn(
            &mut work.findings,
            entry,
            "systemd replaces `$NAME` by a variable of the service: a dollar is written `$$`",
        );
    }
}

fn ready(work: &mut Work<'_>, parsed: &Parsed<'_>) -> Option<Ready> {
    let entry = parsed.file.last(SECTION, "Notify")?;
    match (entry.value.as_str(), crate::unit_file::truth(&entry.value)) {
        ("healthy", _) => Some(Ready::Healthy),
        (_, Some(true)) => Some(Ready::Notified),
        (_, Some(false)) => None,
        _ => {
            work.findings
                .error(entry, "there are true, false and healthy");
            None
        }
    }
}

fn fetch<'a>(work: &mut Work<'_>, parsed: &'a Parsed<'a>) -> [Option<&'a Entry>; FETCH.len()] {
    let said = FETCH.map(|(key, _)| parsed.file.last(SECTION, key));
    let [pull, ..] = said;
    let words = ["always", "missing", "never", "newer"];
    if let Some(entry) = pull.filter(|entry| !words.contains(&entry.value.as_str())) {
        work.findings
            .error(entry, "there are always, missing, never and newer");
    }
    said
}

fn reload(work: &mut Work<'_>, parsed: &Parsed<'_>) -> Option<(Vec<Word>, Vec<Word>)> {
    let word = |text: &str| Word::written(text);
    let command = parsed.file.last(SECTION, "ReloadCmd");
    let signal = parsed.file.last(SECTION, "ReloadSignal");
    match (command, signal) {
        (None, None) => None,
        (Some(_), Some(signal)) => {
            work.findings
                .error(signal, "ReloadCmd= and ReloadSignal= exclude each other");
            None
        }
        (Some(command), None) => match crate::unit_file::words(&command.value) {
            Ok(words) => {
                let mut behind = vec![word("--")];
                behind.extend(words.into_iter().map(Word::written));
                Some((vec![word("enter")], behind))
            }
            Err(unfit) => {
                work.findings.error(command, unfit.reason());
                None
            }
        },
        (None, Some(signal)) => {
            let flag = Word::written(&*signal.value).after("--signal=");
            Some((vec![word("kill"), flag], Vec::new()))
        }
    }
}

/// A key that may have one value, since it is so.
fn is_only(work: &mut Work<'_>, parsed: &Parsed<'_>, key: &str, values: &[&str], why: &str) {
    let entry = parsed.file.last(SECTION, key);
    if let Some(entry) = entry.filter(|entry| !values.contains(&entry.value.as_str())) {
        work.findings.error(entry, why);
    }
}

fn is_switch_only(work: &mut Work<'_>, parsed: &Parsed<'_>, key: &str, value: bool, why: &str) {
    let said = is_true(&parsed.file, SECTION, key, &mut work.findings);
    if let Some((_, entry)) = said.filter(|(said, _)| *said != value) {
        work.findings.error(entry, why);
    }
}
