//! Files in the syntax of systemd.syntax(7).

mod command;
mod entry;
mod parse;
mod words;

pub use self::command::{Command, Word, quoted};
pub use self::entry::{Entry, Origin, Place};
pub use self::parse::{Mistake, parse};
pub use self::words::{Unfit, words};

/// Assignments in their order, those of drop-ins last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitFile {
    /// All of them.
    pub entries: Vec<Entry>,
}

impl UnitFile {
    /// The assignments of a section.
    pub fn section(&self, name: &str) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.section == name)
    }

    /// The assignments that count of a key that takes several: an empty one takes back what stands before it.
    pub fn all(&self, section: &str, key: &str) -> Vec<&Entry> {
        let mut found = Vec::new();
        for entry in self.section(section).filter(|entry| entry.key == key) {
            match entry.value.is_empty() {
                true => found.clear(),
                false => found.push(entry),
            }
        }
        found
    }

    /// The assignment that counts of a key that takes one: the last. An empty one is none.
    pub fn last(&self, section: &str, key: &str) -> Option<&Entry> {
        let last = self
            .section(section)
            .filter(|entry| entry.key == key)
            .last();
        last.filter(|entry| !entry.value.is_empty())
    }

    /// Whether a key is there at all, be it to take back what systemd assumes.
    pub fn has(&self, section: &str, key: &str) -> bool {
        self.section(section).any(|entry| entry.key == key)
    }
}

/// A truth value, in systemd's words.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}
