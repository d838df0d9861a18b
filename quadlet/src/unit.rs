//! Units that are made.

use std::path::{Path, PathBuf};

use crate::install::Link;
use crate::unit_file::Origin;

/// A unit that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// The file that it is made of.
    pub source: PathBuf,
    /// Other files that are parts of it: the containers of a pod.
    pub members: Vec<PathBuf>,
    /// Its text.
    pub text: String,
    /// The links by which it is found, and started.
    pub links: Vec<Link>,
    /// What `ExecStart=` starts, word by word.
    pub argv: Vec<Argument>,
}

/// A word of the command line that a unit starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// As it is written, with what systemd is to put in.
    pub written: String,
    /// What it is, as long as it is known what systemd puts in.
    pub text: Option<String>,
    /// The assignment that it comes from.
    pub origin: Option<Origin>,
}

/// A section that grows.
#[derive(Debug, Default)]
pub(crate) struct Section {
    lines: Vec<(String, String)>,
}

impl Section {
    /// Adds an assignment.
    pub(crate) fn push(&mut self, key: &str, value: impl Into<String>) {
        self.lines.push((key.to_owned(), value.into()));
    }

    /// Adds one if nothing is said of it, be it that what systemd assumes is taken back.
    pub(crate) fn unless_said(&mut self, key: &str, value: impl Into<String>) {
        if !self.lines.iter().any(|(known, _)| known == key) {
            self.push(key, value);
        }
    }
}

/// A unit's text that grows.
#[derive(Debug, Default)]
pub(crate) struct UnitText {
    pub(crate) unit: Section,
    pub(crate) service: Section,
    /// Others, with their names.
    pub(crate) further: Vec<(String, Section)>,
}

impl UnitText {
    /// The text as a whole.
    pub(crate) fn text(&self, source: &Path) -> String {
        let shown = |c: char| match c.is_control() {
            true => '?',
            false => c,
        };
        let source: String = source.display().to_string().chars().map(shown).collect();
        let mut text = format!("# Made by fairing-generator of {source}\n");
        let named = self
            .further
            .iter()
            .map(|(name, section)| (name.as_str(), section));
        for (name, section) in [("Unit", &self.unit), ("Service", &self.service)]
            .into_iter()
            .chain(named)
        {
            if section.lines.is_empty() {
                continue;
            }
            text.push_str(&format!("\n[{name}]\n"));
            for (key, value) in &section.lines {
                text.push_str(&format!("{key}={value}\n"));
            }
        }
        text
    }
}
