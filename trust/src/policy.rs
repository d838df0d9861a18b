//! Policies: all rules that are in force, from the vendor's files and the local ones.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use image_name::{Named, Prefix};

use crate::fingerprint::Fingerprint;
use crate::key::PublicKey;
use crate::key_error::KeyError;
use crate::one_line;
use crate::policy_file;
use crate::revocation::PlacedRevocation;
use crate::rule::{Requirement, Rule, RuleError};

/// A policy file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// Where it was read from; its file name decides what it masks.
    pub path: PathBuf,
    /// Its contents.
    pub text: String,
}

/// Whether a file of a policy directory is a policy: its name ends in `.toml` and begins with no dot
/// (names with one are half-written or an editor's).
pub fn is_policy_file(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(b".toml") && !name.starts_with(b".")
}

/// A rule and the file it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedRule {
    rule: Rule,
    file: PathBuf,
    line: Option<usize>,
}

impl PlacedRule {
    /// The rule.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The file it comes from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line in it where the rule begins, from 1; `None` in files that are no rules of fairing's.
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

/// A vendor's file that a local file of the same name replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked {
    /// The vendor's file, which is not in force.
    pub file: PathBuf,
    /// The local file, which is.
    pub by: PathBuf,
}

/// Why the files make no policy. Nothing runs until that is mended: a policy that is half
/// understood could allow more than the whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A file is no valid policy.
    #[error("policy file {}: {reason}", one_line::path(.file))]
    File {
        /// The file.
        file: PathBuf,
        /// Line and reason.
        reason: String,
    },
    /// Two rules have the same prefix.
    #[error(
        "prefix {prefix:?} has two rules, in {} and in {}: keep one, or give the local file \
         the vendor's name to replace it",
        one_line::path(.first),
        one_line::path(.second)
    )]
    SamePrefix {
        /// The prefix.
        prefix: String,
        /// The file of the first rule.
        first: PathBuf,
        /// The file of the second rule.
        second: PathBuf,
    },
    /// Two files of one directory have the same name, so that neither masks the other.
    #[error("policy files {} and {} have the same name", one_line::path(.first), one_line::path(.second))]
    SameName {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A key of a rule can't be read.
    #[error("policy file {}: rule {prefix:?}: key {position}", one_line::path(.file))]
    Key {
        /// The file.
        file: PathBuf,
        /// The prefix of the rule.
        prefix: String,
        /// Which of its keys, from 1.
        position: usize,
        /// What is wrong with it.
        source: KeyError,
    },
    /// A rule makes no sense once its keys are known.
    #[error("policy file {}: rule {prefix:?}", one_line::path(.file))]
    Rule {
        /// The file.
        file: PathBuf,
        /// The prefix of the rule.
        prefix: String,
        /// What is wrong with it.
        source: RuleError,
    },
}

/// The rules in force. The default, without any rule, refuses every image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Most specific first.
    rules: Vec<PlacedRule>,
    revoked: Vec<PlacedRevocation>,
    masked: Vec<Masked>,
    /// Of the pods whose images are judged.
    kubernetes_namespace: Option<String>,
}

impl Policy {
    /// The rules of one file, which has no layers.
    pub(crate) fn of_rules(rules: Vec<Rule>, file: &Path) -> Result<Self, PolicyError> {
        let mut policy = Self::default();
        policy.place(rules.into_iter().map(|rule| (rule, None)), file);
        policy.sort()?;
        Ok(policy)
    }

    /// The policy with other keys in place of its own, in rules and revocations.
    pub(crate) fn with_keys(&self, other: &dyn Fn(Fingerprint) -> Option<PublicKey>) -> Self {
        let mut policy = self.clone();
        for placed in &mut policy.rules {
            placed.rule.replace_keys(other);
        }
        for placed in &mut policy.revoked {
            let fingerprint = &mut placed.revocation.fingerprint;
            if let Some(key) = other(*fingerprint) {
                *fingerprint = key.fingerprint();
            }
        }
        policy
    }

    /// The policy as it is for pods of a namespace of Kubernetes. Without this, no rule counts that is for some of them.
    #[must_use]
    pub fn for_kubernetes_namespace(self, namespace: Option<&str>) -> Self {
        Self {
            kubernetes_namespace: namespace.map(str::to_owned),
            ..self
        }
    }

    /// The namespace of Kubernetes whose pods it is for.
    pub(crate) fn kubernetes_namespace(&self) -> Option<&str> {
        self.kubernetes_namespace.as_deref()
    }

    /// The rule of the longest prefix that covers a name and counts elsewhere: in other namespaces of Kubernetes alone.
    pub(crate) fn elsewhere<'n>(&self, name: impl Into<Named<'n>>) -> Option<&PlacedRule> {
        let name = name.into();
        let mut rules = self.rules.iter();
        rules.find(|placed| placed.rule.prefix().covers(name) && !self.counts(placed))
    }

    fn counts(&self, placed: &PlacedRule) -> bool {
        placed.rule.counts_in(self.kubernetes_namespace.as_deref())
    }

    /// Takes over the revocations of another policy: for the one who reads a containers policy.json in
    /// place of the rules of their own, which can't revoke a key.
    pub fn revoke_as(&mut self, other: &Self) {
        self.revoked.extend(other.revoked.iter().cloned());
    }

    /// Parses the vendor's files (`system`) and the local ones. A local file replaces the vendor's
    /// of the same name; an empty one thereby masks it. Keys are not decoded yet.
    ///
    /// # Errors
    /// [`PolicyError`] naming the file or files. A masked file is not looked at.
    pub fn parse(system: &[PolicySource], local: &[PolicySource]) -> Result<Self, PolicyError> {
        let local_names = by_name(local)?;
        by_name(system)?;
        let mut policy = Self::default();
        for source in system {
            match local_names.get(&source.path.file_name()) {
                Some(by) => {
                    policy.masked.push(Masked {
                        file: source.path.clone(),
                        by: by.path.clone(),
                    });
                }
                None => policy.read(source)?,
            }
        }
        for source in local {
            policy.read(source)?;
        }
        policy.sort()?;
        Ok(policy)
    }

    fn read(&mut self, source: &PolicySource) -> Result<(), PolicyError> {
        let contents = policy_file::parse(&source.text).map_err(|error| PolicyError::File {
            file: source.path.clone(),
            reason: error.to_string(),
        })?;
        let lines = contents.lines.into_iter().map(Some);
        self.place(contents.rules.into_iter().zip(lines), &source.path);
        let revoked = contents.revoked.into_iter();
        self.revoked
            .extend(revoked.map(|revocation| PlacedRevocation {
                revocation,
                file: source.path.clone(),
            }));
        Ok(())
    }

    fn place(&mut self, rules: impl Iterator<Item = (Rule, Option<usize>)>, file: &Path) {
        self.rules.extend(rules.map(|(rule, line)| PlacedRule {
            rule,
            file: file.to_owned(),
            line,
        }));
    }

    fn sort(&mut self) -> Result<(), PolicyError> {
        let prefix = |placed: &PlacedRule| placed.rule.prefix().clone();
        self.rules.sort_by(|a, b| {
            let (a, b) = (a.rule.prefix(), b.rule.prefix());
            b.specificity().cmp(&a.specificity()).then_with(|| a.cmp(b))
        });
        // What is said of a namespace comes before what is said of all.
        for same in self
            .rules
            .chunk_by_mut(|a, b| a.rule.prefix() == b.rule.prefix())
        {
            same.sort_by_key(|placed| placed.rule.kubernetes_namespaces().is_empty());
        }
        let twice = self.rules.iter().enumerate().find_map(|(at, a)| {
            let others = self.rules.iter().skip(at + 1);
            let mut same = others.take_while(|b| a.rule.prefix() == b.rule.prefix());
            Some((a, same.find(|b| overlap(&a.rule, &b.rule))?))
        });
        match twice {
            None => Ok(()),
            Some((first, second)) => Err(PolicyError::SamePrefix {
                prefix: prefix(first).to_string(),
                first: first.file.clone(),
                second: second.file.clone(),
            }),
        }
    }

    /// Checks what [`Policy::parse`] leaves for the moment of use: that every key can be decoded
    /// and that no rule has a key twice. For commands that change or show policies.
    ///
    /// # Errors
    /// The first [`PolicyError::Key`] or [`PolicyError::Rule`].
    pub fn check(&self) -> Result<(), PolicyError> {
        for PlacedRule { rule, file, .. } in &self.rules {
            let Requirement::SignedBy {
                keys, threshold, ..
            } = rule.requirement()
            else {
                continue;
            };
            let prefix = || rule.prefix().to_string();
            let mut decoded = Vec::with_capacity(keys.len());
            for (at, key) in keys.iter().enumerate() {
                decoded.push(key.decode().map_err(|source| PolicyError::Key {
                    file: file.clone(),
                    prefix: prefix(),
                    position: at + 1,
                    source,
                })?);
            }
            for demand in rule.attestations() {
                for (at, key) in demand.keys.iter().enumerate() {
                    key.decode().map_err(|source| PolicyError::Key {
                        file: file.clone(),
                        prefix: format!("{}, attestation {}", rule.prefix(), demand.predicate_type),
                        position: at + 1,
                        source,
                    })?;
                }
            }
            Rule::signed_by(rule.prefix().clone(), &decoded, *threshold).map_err(|source| {
                PolicyError::Rule {
                    file: file.clone(),
                    prefix: prefix(),
                    source,
                }
            })?;
        }
        Ok(())
    }

    /// All rules in force, most specific first.
    pub fn rules(&self) -> &[PlacedRule] {
        &self.rules
    }

    /// The rule of exactly this prefix, for all that runs.
    pub fn rule_of(&self, prefix: &Prefix) -> Option<&PlacedRule> {
        self.rules.iter().find(|placed| {
            placed.rule.prefix() == prefix && placed.rule.kubernetes_namespaces().is_empty()
        })
    }

    /// The rules that cover a name and count, the one that decides first.
    pub fn covering<'n>(&self, name: impl Into<Named<'n>>) -> impl Iterator<Item = &PlacedRule> {
        let name = name.into();
        self.rules
            .iter()
            .filter(move |placed| placed.rule.prefix().covers(name) && self.counts(placed))
    }

    /// The rule that decides about a name: the one of the longest prefix; of two of one prefix, the one for the namespace.
    pub fn deciding<'n>(&self, name: impl Into<Named<'n>>) -> Option<&PlacedRule> {
        self.covering(name).next()
    }

    /// The rule that decides about the names of a prefix, as far as no rule for a longer one does.
    pub fn deciding_below(&self, prefix: &Prefix) -> Option<&PlacedRule> {
        let covers = |own: &Prefix| {
            own.is_everything()
                || own == prefix
                || prefix
                    .as_str()
                    .strip_prefix(own.as_str())
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        let mut rules = self.rules.iter();
        rules.find(|placed| covers(placed.rule.prefix()) && self.counts(placed))
    }

    /// The keys that no longer count, in any rule.
    pub fn revoked(&self) -> &[PlacedRevocation] {
        &self.revoked
    }

    /// The vendor's files that are not in force.
    pub fn masked(&self) -> &[Masked] {
        &self.masked
    }
}

/// Whether some pod has both of two rules of one prefix, and neither comes first.
fn overlap(one: &Rule, other: &Rule) -> bool {
    let (one, other) = (one.kubernetes_namespaces(), other.kubernetes_namespaces());
    (one.is_empty() && other.is_empty()) || one.iter().any(|name| other.contains(name))
}

type ByName<'a> = HashMap<Option<&'a OsStr>, &'a PolicySource>;

fn by_name(sources: &[PolicySource]) -> Result<ByName<'_>, PolicyError> {
    let mut names = ByName::with_capacity(sources.len());
    for source in sources {
        if let Some(first) = names.insert(source.path.file_name(), source) {
            return Err(PolicyError::SameName {
                first: first.path.clone(),
                second: source.path.clone(),
            });
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
