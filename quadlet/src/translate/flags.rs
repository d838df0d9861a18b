//! What the tables of keys say, done.

use crate::finding::Findings;
use crate::keys::{self, Key, Meaning, Takes};
use crate::unit_file::{Entry, UnitFile, Word, truth, words};

/// Sections that any file may have.
const FOR_ALL: [&str; 4] = ["Unit", "Service", "Install", "Quadlet"];

/// A value, and where it stands.
pub(super) type Value<'a> = (Word, &'a Entry);

/// Flags, in the order of the tables.
#[derive(Debug, Default)]
pub(super) struct Flags<'a> {
    pub(super) pod: Vec<Value<'a>>,
    pub(super) app: Vec<Word>,
}

impl Flags<'_> {
    /// Those of the pod, without where they stand.
    pub(super) fn of_pod(&self) -> impl Iterator<Item = Word> + '_ {
        self.pod.iter().map(|(word, _)| word.clone())
    }
}

/// What a file says by the keys of a section that are flags. Keys and sections that there are not are errors.
pub(super) fn flags<'a>(
    file: &'a UnitFile,
    section: &str,
    findings: &mut Findings<'_>,
) -> Flags<'a> {
    let table = keys::of(section).unwrap_or_default();
    unknown(file, section, table, findings);
    let mut flags = Flags::default();
    for key in table {
        match key.meaning {
            Meaning::Own(_) => {}
            Meaning::Refused(why) => {
                for entry in file.all(section, key.name) {
                    findings.error(entry, why);
                }
            }
            Meaning::App(prefix) => {
                let values = values(file, section, key, findings);
                flags
                    .app
                    .extend(values.iter().map(|(value, _)| value.after(prefix)));
            }
            Meaning::Pod(prefix) => {
                let values = values(file, section, key, findings);
                let with_flag = values
                    .into_iter()
                    .map(|(value, entry)| (value.after(prefix), entry));
                flags.pod.extend(with_flag);
            }
            Meaning::AppSwitch(on, off) => {
                if let Some((text, entry)) = switch(file, section, key, on, off, findings) {
                    flags.app.push(Word::written(text).at(entry));
                }
            }
            Meaning::PodSwitch(on, off) => {
                if let Some((text, entry)) = switch(file, section, key, on, off, findings) {
                    flags.pod.push((Word::written(text).at(entry), entry));
                }
            }
        }
    }
    flags
}

/// A flag that a truth value stands for, if one does.
fn switch<'a>(
    file: &'a UnitFile,
    section: &str,
    key: &Key,
    on: &'static str,
    off: &'static str,
    findings: &mut Findings<'_>,
) -> Option<(&'static str, &'a Entry)> {
    let (value, entry) = is_true(file, section, key.name, findings)?;
    let text = match value {
        true => on,
        false => off,
    };
    (!text.is_empty()).then_some((text, entry))
}

/// A key that takes a truth value, if it is there.
pub(super) fn is_true<'a>(
    file: &'a UnitFile,
    section: &str,
    key: &str,
    findings: &mut Findings<'_>,
) -> Option<(bool, &'a Entry)> {
    let entry = file.last(section, key)?;
    let value = truth(&entry.value);
    if value.is_none() {
        findings.error(
            entry,
            format!("`{}` is no truth value: true or false", entry.value),
        );
    }
    Some((value?, entry))
}

/// The values of a key, one by one.
pub(super) fn values<'a>(
    file: &'a UnitFile,
    section: &str,
    key: &Key,
    findings: &mut Findings<'_>,
) -> Vec<Value<'a>> {
    match key.takes {
        Takes::One => file
            .last(section, key.name)
            .map(written)
            .into_iter()
            .collect(),
        Takes::Lines => file
            .all(section, key.name)
            .into_iter()
            .map(written)
            .collect(),
        Takes::Words => split(file.all(section, key.name), findings),
    }
}

/// The same of a key by its name.
pub(super) fn values_of<'a>(
    file: &'a UnitFile,
    section: &str,
    name: &str,
    findings: &mut Findings<'_>,
) -> Vec<Value<'a>> {
    let table = keys::of(section).unwrap_or_default();
    match table.iter().find(|key| key.name == name) {
        Some(key) => values(file, section, key, findings),
        None => Vec::new(),
    }
}

/// Flags of PodmanArgs=, as they are: each word is a flag, or the value of the one before it. Any other would be taken for an
/// image, or for a word of the image's program.
pub(super) fn further(
    file: &UnitFile,
    section: &str,
    findings: &mut Findings<'_>,
) -> impl Iterator<Item = Word> {
    let words = values_of(file, section, "PodmanArgs", findings);
    let mut may_be_value = false;
    for (word, entry) in &words {
        let text = word.as_str();
        let is_flag = text.starts_with('-') && !text.trim_matches('-').is_empty();
        if !is_flag && !may_be_value {
            findings.error(entry, format!("`{text}` is no flag"));
        }
        may_be_value = is_flag && !text.contains('=');
    }
    words.into_iter().map(|(word, _)| word)
}

fn written(entry: &Entry) -> Value<'_> {
    (Word::of(entry), entry)
}

fn split<'a>(entries: Vec<&'a Entry>, findings: &mut Findings<'_>) -> Vec<Value<'a>> {
    let mut all = Vec::new();
    for entry in entries {
        match words(&entry.value) {
            Ok(words) => all.extend(
                words
                    .into_iter()
                    .map(|word| (Word::written(word).at(entry), entry)),
            ),
            Err(unfit) => findings.error(entry, unfit.reason()),
        }
    }
    all
}

fn unknown(file: &UnitFile, section: &str, table: &[Key], findings: &mut Findings<'_>) {
    let mut told: Vec<&str> = Vec::new();
    for entry in &file.entries {
        let named = entry.section.as_str();
        if named == section {
            if let Some(specifier) = unknown_specifier(&entry.value) {
                let reason = format!(
                    "systemd has no specifier `{specifier}`; a percent sign is written `%%`"
                );
                findings.error(entry, reason);
            }
            if !table.iter().any(|key| key.name == entry.key) {
                let near = table.iter().find(|key| is_near(key.name, &entry.key));
                let near = near.map(|key| format!(", perhaps {} is meant", key.name));
                let near = near.unwrap_or_default();
                findings.error(entry, format!("[{section}] has no such key{near}"));
            }
        } else if named == "Quadlet" {
            if entry.key != "DefaultDependencies" {
                findings.error(entry, "[Quadlet] has no such key");
            }
        } else if !FOR_ALL.contains(&named) && !named.starts_with("X-") && !told.contains(&named) {
            told.push(named);
            findings.error(
                entry,
                format!("the section [{named}] means nothing here: there are [{section}], [Unit], [Service] and [Install]"),
            );
        }
    }
}

/// The first `%` that systemd would not put something in for, with what stands behind it: then it would leave the line out.
fn unknown_specifier(value: &str) -> Option<String> {
    // systemd.unit(5)
    const KNOWN: &str = "%aAbBCdDEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY";
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            continue;
        }
        match rest.next() {
            Some(letter) if KNOWN.contains(letter) => {}
            letter => return Some(letter.map_or_else(|| "%".to_owned(), |c| format!("%{c}"))),
        }
    }
    None
}

/// Whether a key was meant that is written otherwise, or with a letter more or less.
fn is_near(key: &str, typed: &str) -> bool {
    let (key, typed) = (key.to_ascii_lowercase(), typed.to_ascii_lowercase());
    let (short, long) = match key.len() <= typed.len() {
        true => (key, typed),
        false => (typed, key),
    };
    let same = short.chars().zip(long.chars()).take_while(|(a, b)| a == b);
    let same: usize = same.map(|(c, _)| c.len_utf8()).sum();
    let one_more = long.get(same..).map(|rest| {
        let mut rest = rest.chars();
        rest.next();
        rest.as_str().to_owned()
    });
    short == long || (short.len() > 2 && one_more.as_deref() == short.get(same..))
}

#[cfg(test)]
mod tests {
    use super::{is_near, unknown_specifier};

    #[test]
    fn a_percent_sign_that_means_nothing_is_found() {
        for (value, found) in [
            ("a%%b %n-%i", None),
            ("100%", Some("%")),
            ("%%%z", Some("%z")),
            ("date +%F", Some("%F")),
            ("", None),
        ] {
            assert_eq!(unknown_specifier(value).as_deref(), found, "{value}");
        }
    }

    #[test]
    fn a_key_is_near_if_it_differs_by_case_or_by_one_letter() {
        for typed in ["image", "IMAGE", "Imag", "Imagee", "mage"] {
            assert!(is_near("Image", typed), "{typed}");
        }
        for typed in ["Im", "Exec", "Imeag", "Images2", ""] {
            assert!(!is_near("Image", typed), "{typed}");
        }
    }
}
