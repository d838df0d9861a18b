//! `fairing trust list`: the rules in force.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use trust::{KeyText, PlacedRule, Requirement};

use crate::arguments::Format;
use crate::arguments::listing::ListArguments;
use crate::command::Subcommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::table::Table;
use crate::{output, policy_files};

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
    file: PathBuf,
}

impl From<&PlacedRule> for RuleView {
    fn from(placed: &PlacedRule) -> Self {
        let rule = placed.rule();
        let mut view = Self {
            prefix: rule.prefix().to_string(),
            r#type: rule.requirement().word(),
            threshold: None,
            keys: Vec::new(),
            digests: Vec::new(),
            file: placed.file().to_path_buf(),
        };
        match rule.requirement() {
            Requirement::SignedBy {
                keys, threshold, ..
            } => {
                view.threshold = Some(*threshold);
                view.keys = keys.iter().map(fingerprint).collect();
            }
            Requirement::Digest { digests } => {
                view.digests = digests.iter().map(ToString::to_string).collect();
            }
            Requirement::AcceptUnsigned
            | Requirement::Reject
            | Requirement::All(_)
            | Requirement::Unsupported(_) => {}
        }
        view
    }
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
        let policy = policy_files::read(&context.directories)?;
        let rules: Vec<RuleView> = policy.rules().iter().map(RuleView::from).collect();
        match self.shown.format {
            Format::Json => output::json(&rules)?,
            Format::Text => output::text(&self.table(&rules).render(!self.shown.no_legend))?,
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
        let mut table = Table::new(&["PREFIX", "TYPE", "KEYS OR DIGESTS", "FILE"]);
        for rule in rules {
            let listed: Vec<String> = rule.keys.iter().chain(&rule.digests).map(shown).collect();
            let mut listed = listed.join(" ");
            if let Some(threshold) = rule.threshold.filter(|threshold| *threshold > 1) {
                listed = format!("{threshold} of {listed}");
            }
            table.row(vec![
                rule.prefix.clone(),
                rule.r#type.to_owned(),
                if listed.is_empty() {
                    "-".to_owned()
                } else {
                    listed
                },
                rule.file.display().to_string(),
            ]);
        }
        table
    }
}
