//! `fairing trust list`: the rules in force.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use engine::policy::circumstances::now;
use engine::policy::files as policy_files;
use serde::Serialize;
use trust::{Integrity, KeyText, PlacedRule, Policy, Requirement};

use super::known_keys::keys_of;
use super::show::limits;
use crate::arguments::listing::{ListArguments, values};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::console::table::{Cut, Table};
use crate::context::Context;
use crate::wording::failure::Failure;

/// What templates see of each.
const FIELDS: &[&str] = &[
    "prefix",
    "type",
    "threshold",
    "keys",
    "digests",
    "limits",
    "revoked",
    "attestations",
    "monotonic",
    "integrity",
    "kubernetes-namespaces",
    "file",
];

/// Arguments of `trust list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    shown: ListArguments,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct RuleView {
    prefix: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    digests: Vec<String>,
    /// Of the keys, those that don't always count, and when.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<String, String>,
    /// Of the keys, those that count no more, by a revocation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    revoked: Vec<String>,
    /// The predicate types of the attestations that it demands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attestations: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    monotonic: bool,
    integrity: Integrity,
    /// The namespaces of Kubernetes for which alone it counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kubernetes_namespaces: Vec<String>,
    file: PathBuf,
}

impl RuleView {
    fn of(placed: &PlacedRule, policy: &Policy) -> Self {
        let rule = placed.rule();
        let mut view = Self {
            prefix: rule.prefix().to_string(),
            r#type: rule.requirement().word(),
            threshold: None,
            keys: Vec::new(),
            digests: Vec::new(),
            limits: BTreeMap::new(),
            revoked: Vec::new(),
            attestations: rule
                .attestations()
                .iter()
                .map(|demand| demand.predicate_type.clone())
                .collect(),
            monotonic: rule.is_monotonic(),
            integrity: rule.integrity(),
            kubernetes_namespaces: rule.kubernetes_namespaces().to_vec(),
            file: placed.file().to_path_buf(),
        };
        match rule.requirement() {
            Requirement::SignedBy { threshold, .. } => view.threshold = Some(*threshold),
            Requirement::Digest { digests } => {
                view.digests = digests.iter().map(ToString::to_string).collect();
            }
            Requirement::AcceptUnsigned
            | Requirement::Reject
            | Requirement::All(_)
            | Requirement::Unsupported(_) => {}
        }
        for text in keys_of(rule.requirement()) {
            let name = fingerprint(text);
            if !text.validity().is_unlimited() {
                let limits = limits(text.validity());
                view.limits.insert(name.clone(), limits.trim().to_owned());
            }
            if is_revoked(policy, &name) {
                view.revoked.push(name.clone());
            }
            view.keys.push(name);
        }
        view
    }

    /// The type, with what else the rule asks for.
    fn kind(&self) -> String {
        let mut kind = self.r#type.to_owned();
        if !self.attestations.is_empty() {
            kind.push_str(&format!(" attested:{}", self.attestations.len()));
        }
        if self.monotonic {
            kind.push_str(" monotonic");
        }
        if !self.integrity.is_default() {
            kind.push_str(&format!(" integrity:{}", self.integrity));
        }
        if !self.kubernetes_namespaces.is_empty() {
            kind.push_str(&format!(" for:{}", self.kubernetes_namespaces.join(",")));
        }
        kind
    }
}

fn is_revoked(policy: &Policy, fingerprint: &str) -> bool {
    policy.revoked().iter().any(|placed| {
        let revocation = placed.revocation();
        let begun = revocation.since.is_none_or(|since| since <= now());
        begun && revocation.fingerprint.to_string() == fingerprint
    })
}

fn fingerprint(key: &KeyText) -> String {
    match key.decode() {
        Ok(key) => key.fingerprint().to_string(),
        Err(error) => format!("unreadable ({error})"),
    }
}

impl Subcommand for List {
    const NAME: &'static str = "list";
    const ABOUT: &'static str = "List the rules that decide which images may run";
    const ALIASES: &'static [&'static str] = &["ls"];
    const NEEDS_ROOT: bool = false;

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let policy = policy_files::read(&context.engine.directories)?;
        let rules: Vec<RuleView> = policy
            .rules()
            .iter()
            .map(|placed| RuleView::of(placed, &policy))
            .collect();
        self.shown
            .show(&rules, FIELDS, || values(&rules), || self.table(&rules))?;
        for placed in policy.revoked() {
            let revocation = placed.revocation();
            let since = revocation.since.map(|since| format!(" since {since}"));
            output::error(&format!(
                "{} is revoked{} by {}\n",
                revocation.fingerprint,
                since.unwrap_or_default(),
                placed.file().display()
            ));
        }
        for masked in policy.masked() {
            output::error(&format!(
                "{} is replaced by {}\n",
                masked.file.display(),
                masked.by.display()
            ));
        }
        Ok(0)
    }
}

impl List {
    fn table(&self, rules: &[RuleView]) -> Table {
        let shown = |text: &String| match text.strip_prefix("sha256:") {
            Some(digits) if !self.shown.full => digits.chars().take(12).collect(),
            _ => text.clone(),
        };
        let mut table = Table::new(&["PREFIX", "TYPE", "KEYS OR DIGESTS", "FILE"]).cut(&[
            // It is what `trust rm` takes.
            Cut::Never,
            Cut::Never,
            // The keys are what the list is for; of many, the first do.
            match rules
                .iter()
                .any(|rule| rule.keys.len() + rule.digests.len() > 2)
            {
                true => Cut::End,
                false => Cut::Never,
            },
            Cut::Start,
        ]);
        for rule in rules {
            let noted = |key: &String| {
                let mut text = shown(key);
                if let Some(limits) = rule.limits.get(key) {
                    let limits = match self.shown.full {
                        true => limits.clone(),
                        false => in_days(limits),
                    };
                    text.push_str(&format!(" ({limits})"));
                }
                if rule.revoked.contains(key) {
                    text.push_str(" (revoked)");
                }
                text
            };
            let keys = rule.keys.iter().map(noted);
            let listed: Vec<String> = keys.chain(rule.digests.iter().map(shown)).collect();
            let mut listed = listed.join(" ");
            if let Some(threshold) = rule.threshold.filter(|threshold| *threshold > 1) {
                listed = format!("{threshold} of {listed}");
            }
            table.row(vec![
                rule.prefix.clone(),
                rule.kind(),
                if listed.is_empty() {
                    "-".to_owned()
                } else {
                    listed
                },
                match self.shown.full {
                    true => rule.file.display().to_string(),
                    false => {
                        let name = rule.file.file_name().unwrap_or_default();
                        name.to_string_lossy().into_owned()
                    }
                },
            ]);
        }
        table
    }
}

/// Limits of a key without the time of day.
fn in_days(limits: &str) -> String {
    let day = |word: &str| match word.split_once('T') {
        Some((day, _)) if day.len() == 10 => day.to_owned(),
        _ => word.to_owned(),
    };
    limits.split(' ').map(day).collect::<Vec<_>>().join(" ")
}
