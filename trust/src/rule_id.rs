//! Where a rule stands, as messages tell it.

use std::fmt;
use std::path::{Path, PathBuf};

use image_name::Prefix;

use crate::one_line::path;
use crate::policy::PlacedRule;

/// Names that a message lists before it only counts the others.
const SHOWN: usize = 4;

/// Names a rule: its prefix, its file, and the line there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleId {
    prefix: Prefix,
    kubernetes_namespaces: Vec<String>,
    file: PathBuf,
    line: Option<usize>,
}

impl RuleId {
    pub(crate) fn of(placed: &PlacedRule) -> Self {
        Self {
            prefix: placed.rule().prefix().clone(),
            kubernetes_namespaces: placed.rule().kubernetes_namespaces().to_vec(),
            file: placed.file().to_owned(),
            line: placed.line(),
        }
    }

    /// The rule's prefix.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// The file it is in.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The namespaces of Kubernetes for whose pods alone it counts; none if it counts for all.
    pub fn kubernetes_namespaces(&self) -> &[String] {
        &self.kubernetes_namespaces
    }

    /// Its file and, where that is known, the line in it: `FILE:LINE`.
    pub fn place(&self) -> String {
        place(&self.file, self.line)
    }
}

/// A file and, where that is known, a line in it.
pub(crate) fn place(file: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{}:{line}", path(file)),
        None => path(file),
    }
}

/// The first few of some names, and how many more there are.
pub(crate) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let mut shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("{more} more"),
    };
    if !more.is_empty() {
        shown.push(&more);
    }
    shown.join(", ")
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {:?}", self.prefix.as_str())?;
        if !self.kubernetes_namespaces.is_empty() {
            let names = listed(&self.kubernetes_namespaces);
            write!(f, " for Kubernetes namespace {names}")?;
        }
        write!(f, " of {}", self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_named_by_its_prefix_its_place_and_some_of_its_namespaces() {
        let names = |count: usize| (0..count).map(|number| format!("n{number}")).collect();
        let of = |count, line| RuleId {
            prefix: Prefix::parse("a.io").unwrap(),
            kubernetes_namespaces: names(count),
            file: "/etc/a.toml".into(),
            line,
        };
        for (id, told) in [
            (of(0, None), "rule \"a.io\" of /etc/a.toml"),
            (of(0, Some(7)), "rule \"a.io\" of /etc/a.toml:7"),
            (
                of(1, Some(7)),
                "rule \"a.io\" for Kubernetes namespace n0 of /etc/a.toml:7",
            ),
            (
                of(6, None),
                "rule \"a.io\" for Kubernetes namespace n0, n1, n2, n3, 2 more of /etc/a.toml",
            ),
        ] {
            assert_eq!(id.to_string(), told);
        }
    }
}
