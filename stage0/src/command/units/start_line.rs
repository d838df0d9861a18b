//! What is wrong with the command line of a unit, and which assignment of its files is to blame.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::ArgMatches;
use image_store::ImageArgument;
use quadlet::unit_file::Origin;
use quadlet::{Argument, Finding, Severity, Unit};

use crate::command::play::mistakes;
use crate::wording::failure::Failure;

/// Understands a command line, without doing what it says.
type Understands = fn(Vec<OsString>) -> Result<ArgMatches, Failure>;

/// The most mistakes of one line that are told.
const MISTAKES_MAX: usize = 20;
/// The most assignments that are tried one by one.
const TRIED_MAX: usize = 200;
/// What stands for an image or a file that systemd is to name.
const UNKNOWN: &str = "unknown";

/// What is wrong with the command line of a unit, and with the files that it names, as far as that is known before it is
/// started: what systemd is to put in is not.
pub(super) fn wrong(unit: &Unit, understands: Understands) -> Vec<Finding> {
    let known: Vec<&Argument> = unit
        .argv
        .iter()
        .filter(|word| !is_open_flag(word))
        .collect();
    let mut line = Line {
        groups: grouped(&known),
        is_shortened: false,
        understands,
    };
    let mut findings = of_images(unit, &known);
    loop {
        let failure = match line.tried(None) {
            Ok(matches) => {
                if known.len() == unit.argv.len() && known.iter().all(|word| word.text.is_some()) {
                    let reasons = mistakes(&matches).into_iter();
                    findings.extend(reasons.map(|reason| {
                        let to_blame = known.iter().find(|word| is_about(&reason, word));
                        finding(unit, to_blame.and_then(|word| word.origin.as_ref()), reason)
                    }));
                }
                return findings;
            }
            Err(failure) => failure.line(),
        };
        let blamed = line.blamed(&failure);
        let group = blamed.map(|place| line.groups.remove(place));
        let origin = group.and_then(|group| group.origin);
        // Once a part is left out, it may be what another one needs.
        if origin.is_none() && line.is_shortened {
            return findings;
        }
        line.is_shortened = true;
        let is_last = origin.is_none() || findings.len() >= MISTAKES_MAX;
        findings.push(finding(unit, origin.as_ref(), failure));
        if is_last {
            return findings;
        }
    }
}

/// The names of images that are none: what a name means is not looked up.
fn of_images(unit: &Unit, words: &[&Argument]) -> Vec<Finding> {
    let mut told = BTreeSet::new();
    let mut findings = Vec::new();
    for word in words {
        let (Some(origin), Some(text)) = (&word.origin, &word.text) else {
            continue;
        };
        if origin.key != "Image" || !told.insert((origin.place.path.clone(), origin.place.line)) {
            continue;
        }
        if let Err(error) = ImageArgument::parse(text) {
            findings.push(finding(unit, Some(origin), error.to_string()));
        }
    }
    findings
}

/// A flag whose value systemd is to put in.
fn is_open_flag(word: &Argument) -> bool {
    word.text.is_none() && word.written.starts_with('-')
}

/// Whether a reason names the file that a word is.
fn is_about(reason: &str, word: &Argument) -> bool {
    let value = word.text.as_deref().map(|text| match text.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => value,
        _ => text,
    });
    word.origin.is_some() && value.is_some_and(|value| value.len() > 1 && reason.contains(value))
}

fn finding(unit: &Unit, origin: Option<&Origin>, reason: String) -> Finding {
    let (path, line, key) = match origin {
        Some(Origin { place, key }) => (
            place.path.to_path_buf(),
            Some(place.line),
            Some(key.clone()),
        ),
        None => (unit.source.clone(), None, None),
    };
    Finding {
        source: unit.source.clone(),
        path,
        line,
        reason: match &key {
            Some(_) => reason,
            None => format!("{} can't start: {reason}", unit.name),
        },
        key,
        severity: Severity::Error,
        unit: Some(unit.name.clone()),
    }
}

/// Words that are to blame together.
struct Group {
    words: Vec<OsString>,
    origin: Option<Origin>,
}

/// Words by the assignments that they come from. A flag of PodmanArgs= may have its value in a word of its own.
fn grouped(words: &[&Argument]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for word in words {
        let text = word.text.as_deref().unwrap_or(UNKNOWN).into();
        let goes_on = |group: &&mut Group| {
            let is_one = |origin: &Origin| origin.key == "PodmanArgs";
            group.origin == word.origin && word.origin.as_ref().is_some_and(is_one)
        };
        match groups.last_mut().filter(goes_on) {
            Some(group) => group.words.push(text),
            None => groups.push(Group {
                words: vec![text],
                origin: word.origin.clone(),
            }),
        }
    }
    groups
}

/// A command line of which parts can be left out.
struct Line {
    groups: Vec<Group>,
    /// Whether something has been left out for good.
    is_shortened: bool,
    understands: Understands,
}

impl Line {
    /// What it means without one of its parts.
    fn tried(&self, without: Option<usize>) -> Result<ArgMatches, Failure> {
        let groups = self.groups.iter().enumerate();
        let left = groups.filter(|(place, _)| Some(*place) != without);
        let words = left.flat_map(|(_, group)| group.words.clone());
        (self.understands)(words.collect())
    }

    /// The part without which something else is wrong, or nothing. Those that the reason names are tried first.
    fn blamed(&self, reason: &str) -> Option<usize> {
        let is_named = |group: &Group| {
            let mut flags = group.words.iter().filter_map(|word| {
                let text = word.to_str()?;
                let (flag, _) = text.split_once('=').unwrap_or((text, ""));
                (flag.len() > 2).then_some(flag)
            });
            flags.any(|flag| reason.contains(flag))
        };
        let mut places: Vec<usize> = (0..self.groups.len()).collect();
        // Without an image or a file, the line would be another one.
        let may_be_left_out = |origin: &Origin| !["Image", "Yaml"].contains(&&*origin.key);
        places.retain(|place| {
            let origin = self
                .groups
                .get(*place)
                .and_then(|group| group.origin.as_ref());
            origin.is_some_and(may_be_left_out)
        });
        places.sort_by_key(|place| !self.groups.get(*place).is_some_and(is_named));
        places.truncate(TRIED_MAX);
        places
            .into_iter()
            .find(|place| match self.tried(Some(*place)) {
                Ok(_) => true,
                Err(other) => other.line() != reason,
            })
    }
}

#[cfg(test)]
mod tests {
    use quadlet::{DropIn, Settings, Source, generate};

    use super::*;

    fn told(files: &[(&str, &str)], all: &str) -> Vec<String> {
        let source = |(name, text): &(&str, &str)| Source {
            name: name.parse().unwrap(),
            path: format!("/u/{name}").into(),
            text: (*text).into(),
            drop_ins: match all {
                "" => Vec::new(),
                all => vec![DropIn {
                    path: "/u/container.d/all.conf".into(),
                    text: all.into(),
                }],
            },
        };
        let mut sources: Vec<_> = files.iter().map(source).collect();
        sources.sort_by(|one, other| one.name.cmp(&other.name));
        let settings = Settings {
            program: "/bin/fairing".into(),
            data: "/d".into(),
        };
        let made = generate(&sources, &settings);
        assert_eq!(made.findings, []);
        let units = made.units.iter();
        units
            .flat_map(|unit| wrong(unit, crate::command::parsed))
            .map(|finding| finding.to_string())
            .collect()
    }

    #[test]
    fn each_mistake_has_the_line_that_it_stands_in() {
        let text = "[Container]\nImage=UPPER/case\nMemory=lots\nPublishPort=x\nPublishPort=80:80\nHealthRetries=0\nUser=%t\n\
                    PodmanArgs=--pod-cpus lots\nVolume=a b:/x\nContainerName=%n\n";
        let told = told(&[("web.container", text)], "");
        for wanted in [
            "/u/web.container:2: Image=: ",
            "/u/web.container:3: Memory=: ",
            "/u/web.container:4: PublishPort=: ",
            "/u/web.container:6: HealthRetries=: ",
            "/u/web.container:8: PodmanArgs=: ",
            "/u/web.container:9: Volume=: ",
            "/u/web.container:10: ContainerName=: ",
        ] {
            assert!(
                told.iter().any(|line| line.starts_with(wanted)),
                "{wanted}: {told:#?}"
            );
        }
        assert_eq!(told.len(), 7, "{told:#?}");
        assert!(
            told.iter().any(|line| line.contains("it is 1 at least")),
            "{told:#?}"
        );
    }

    #[test]
    fn what_contradicts_and_what_is_a_containers_of_a_pod_has_a_line_too() {
        let pod = [
            ("shop.pod", "[Pod]\nPublishPort=x\n"),
            ("one.container", "[Container]\nImage=a\nPod=shop.pod\n"),
            (
                "two.container",
                "[Container]\nImage=b\nPod=shop.pod\nStopSignal=NONE\n",
            ),
            ("base.image", "[Image]\nImage=UPPER/case\n"),
            (
                "web.container",
                "[Container]\nImage=a\nHealthCmd=x\nPodmanArgs=--no-healthcheck\n",
            ),
        ];
        let told = told(&pod, "");
        for wanted in [
            "/u/shop.pod:2: PublishPort=: ",
            "/u/two.container:4: StopSignal=: ",
            "/u/base.image:2: Image=: ",
        ] {
            assert!(
                told.iter().any(|line| line.starts_with(wanted)),
                "{wanted}: {told:#?}"
            );
        }
        assert!(
            told.iter()
                .any(|line| line.starts_with("/u/web.container:")),
            "{told:#?}"
        );
    }

    #[test]
    fn a_mistake_in_what_all_containers_have_names_that_file() {
        let files = [
            ("a.container", "[Container]\nImage=a\n"),
            ("b.container", "[Container]\nImage=b\n"),
        ];
        let told = told(&files, "[Container]\nMemory=lots\n");
        let [one, two] = &told[..] else {
            panic!("{told:#?}");
        };
        assert_eq!(one, two);
        assert!(
            one.starts_with("/u/container.d/all.conf:2: Memory=: "),
            "{one}"
        );
    }
}
