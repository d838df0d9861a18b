//! What is said of a file.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::unit_file::Entry;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The unit is made all the same.
    Warning,
    /// No unit is made of the file.
    Error,
}

impl Severity {
    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that is said of a file: where, of which key, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file that was asked to become a unit, which a drop-in may have spoiled; empty if it is of no one file.
    pub source: PathBuf,
    /// The file in which it stands.
    pub path: PathBuf,
    /// The line, from 1 on.
    pub line: Option<u32>,
    /// The key, without the `=`.
    pub key: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, and what can be done.
    pub reason: String,
    /// The unit that would be made.
    pub unit: Option<String>,
}

impl Finding {
    /// Of a file as a whole.
    pub(crate) fn of_file(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            source: path.clone(),
            path,
            line: None,
            key: None,
            severity: Severity::Error,
            reason: reason.into(),
            unit: None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.path.display().to_string();
        if let Some(line) = self.line {
            text.push_str(&format!(":{line}"));
        }
        text.push_str(": ");
        if self.severity == Severity::Warning {
            text.push_str("warning: ");
        }
        if let Some(key) = &self.key {
            text.push_str(&format!("{key}=: "));
        }
        text.push_str(&self.reason);
        // Names of files and values are strangers' words.
        let shown = |c: char| match c.is_control() {
            true => '\u{fffd}',
            false => c,
        };
        f.write_str(&text.chars().map(shown).collect::<String>())
    }
}

/// The most that is said of one file.
const FINDINGS_MAX: usize = 50;

/// What is found in a file and its drop-ins.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    source: &'a Path,
    unit: Option<String>,
    list: Vec<Finding>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(source: &'a Path, unit: Option<String>) -> Self {
        Self {
            source,
            unit,
            list: Vec::new(),
        }
    }

    fn push(&mut self, finding: Finding) {
        if self.list.len() < FINDINGS_MAX
            || (finding.severity == Severity::Error && !self.has_errors())
        {
            self.list.push(finding);
        }
    }

    /// Says something of an assignment.
    pub(crate) fn add(&mut self, entry: &Entry, severity: Severity, reason: impl Into<String>) {
        let finding = Finding {
            source: self.source.to_path_buf(),
            path: entry.place.path.to_path_buf(),
            line: Some(entry.place.line),
            key: Some(entry.key.clone()),
            severity,
            reason: reason.into(),
            unit: self.unit.clone(),
        };
        self.push(finding);
    }

    /// An assignment that makes no sense.
    pub(crate) fn error(&mut self, entry: &Entry, reason: impl Into<String>) {
        self.add(entry, Severity::Error, reason);
    }

    /// Something that is wrong with the file as a whole, or with a line of it.
    pub(crate) fn whole(&mut self, path: &Path, line: Option<u32>, reason: impl Into<String>) {
        let finding = Finding {
            line,
            source: self.source.to_path_buf(),
            unit: self.unit.clone(),
            ..Finding::of_file(path, reason)
        };
        self.push(finding);
    }

    /// Something that is wrong with the file as a whole.
    pub(crate) fn file(&mut self, reason: impl Into<String>) {
        self.whole(self.source, None, reason);
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    pub(crate) fn into_list(self) -> Vec<Finding> {
        self.list
    }
}
