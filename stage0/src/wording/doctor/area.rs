//! What is told of one thing that was looked at.

use serde::Serialize;

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// It is as it should be.
    Fine,
    /// Most do without it.
    Note,
    /// Pods run, and lack something that they have elsewhere.
    Warning,
    /// No pod runs.
    Error,
}

impl Severity {
    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Check {
    /// What it belongs to.
    pub(crate) area: &'static str,
    /// What was looked at.
    pub(crate) subject: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What was found.
    pub(crate) found: String,
    /// What that means, where something is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) meaning: Option<String>,
}

/// The checks of one area.
pub(super) struct Area {
    name: &'static str,
    pub(super) checks: Vec<Check>,
}

impl Area {
    pub(super) fn new(name: &'static str) -> Self {
        let checks = Vec::new();
        Self { name, checks }
    }

    /// Something that is as it should be.
    pub(super) fn fine(&mut self, subject: &str, found: impl Into<String>) {
        self.add(subject, Severity::Fine, found.into(), None);
    }

    /// Something that is not, and what that means.
    pub(super) fn lacks(
        &mut self,
        subject: &str,
        severity: Severity,
        found: impl Into<String>,
        meaning: &str,
    ) {
        self.add(subject, severity, found.into(), Some(meaning.to_owned()));
    }

    /// Something that is there, or is missing with that meaning.
    pub(super) fn either(
        &mut self,
        subject: &str,
        is_there: bool,
        severity: Severity,
        meaning: &str,
    ) {
        match is_there {
            true => self.fine(subject, "yes"),
            false => self.lacks(subject, severity, "no", meaning),
        }
    }

    fn add(&mut self, subject: &str, severity: Severity, found: String, meaning: Option<String>) {
        self.checks.push(Check {
            area: self.name,
            subject: subject.to_owned(),
            severity,
            found,
            meaning,
        });
    }
}
