//! Pinning: the digest that an image has today goes into a rule, so that it may run.

use std::path::PathBuf;

use engine::images::look_up::{ImageFacts, look_up};
use engine::policy::files as policy_files;
use image_name::Prefix;
use trust::{Requirement, add_digest};

use super::rule_file::RuleFile;
use crate::console::output;
use crate::console::table;
use crate::context::Context;
use crate::terminal::question;
use crate::wording::failure::Failure;

/// An image that can be pinned.
#[derive(Debug)]
pub(crate) struct Pin {
    facts: ImageFacts,
    prefix: Prefix,
}

impl Pin {
    /// Looks at what an image is today.
    ///
    /// # Errors
    /// If neither the store nor its origin has it, or a rule stands in the way.
    pub(crate) fn of(context: &Context, image: &str) -> Result<Self, Failure> {
        let facts = look_up(&context.engine, image)?;
        let prefix = Prefix::from(facts.reference.repository());
        refuse_rejected(context, &prefix)?;
        RuleFile::lock(context, &prefix)?.refuse_other(context, &prefix)?;
        Ok(Self { facts, prefix })
    }

    /// What the person decides about, on standard error.
    pub(crate) fn show(&self, context: &Context) -> Result<(), Failure> {
        let facts = &self.facts;
        let from = match facts.in_store {
            true => "the store",
            false => "its origin",
        };
        let layers = match facts.layers {
            1 => "1 layer".to_owned(),
            layers => format!("{layers} layers"),
        };
        let signed = match facts.signatures {
            0 => "by nobody".to_owned(),
            1 => "1 signature or attestation, not verified here".to_owned(),
            count => format!("{count} signatures and attestations, not verified here"),
        };
        output::error(&format!(
            "image:   {} (as {from} has it now)\ndigest:  {}\nconfig:  {}\nsize:    {} in {layers}\n\
             created: {}\nsigned:  {signed}\n",
            facts.reference,
            facts.top,
            facts.config,
            table::size(facts.size),
            facts.created.as_deref().unwrap_or("not said")
        ));
        self.warn_of_shadowed(context)
    }

    /// Writes the digest into the rule of the repository. Gives the file; `None` if it is there already.
    ///
    /// # Errors
    /// If the repository has a rule of another type, or one in another file.
    pub(crate) fn write(&self, context: &Context) -> Result<Option<PathBuf>, Failure> {
        let file = RuleFile::lock(context, &self.prefix)?;
        file.refuse_other(context, &self.prefix)?;
        let text = file.read(context)?;
        let added =
            add_digest(text.as_deref(), &self.prefix, &self.facts.top).map_err(|source| {
                Failure::Edit {
                    path: file.path().to_path_buf(),
                    source,
                }
            })?;
        let Some(text) = added else {
            return Ok(None);
        };
        file.replace(context, &text)?;
        Ok(Some(file.path().to_path_buf()))
    }

    /// `NAME@DIGEST`.
    pub(crate) fn pinned(&self) -> String {
        format!("{}@{}", self.facts.reference.repository(), self.facts.top)
    }

    /// The question that writing answers.
    pub(crate) fn question(&self) -> String {
        format!(
            "Pin this digest, so that it may run as {} from now on?",
            self.prefix
        )
    }

    /// A rule for the repository takes its images away from one of a shorter prefix.
    fn warn_of_shadowed(&self, context: &Context) -> Result<(), Failure> {
        let policy = policy_files::read(&context.engine.directories)?;
        let Some(placed) = policy.deciding(&self.facts.reference) else {
            return Ok(());
        };
        if *placed.rule().prefix() != self.prefix {
            output::warn(&format!(
                "rule {:?} ({}) of {} no longer decides about {} then: only digests that are pinned run",
                placed.rule().prefix().as_str(),
                placed.rule().requirement().word(),
                placed.file().display(),
                self.prefix
            ));
        }
        Ok(())
    }
}

/// Asks on the terminal whether to pin, once it was shown; without a terminal, `--yes` must have been
/// given.
pub(super) fn confirm(question: &str) -> Result<(), Failure> {
    if !question::somebody_is_there() {
        return Err(Failure::Other(
            "there is no terminal to ask on; check what is shown and add --yes".to_owned(),
        ));
    }
    match question::confirm(question)? {
        true => Ok(()),
        false => Err(Failure::Other("not allowed: the answer was no".to_owned())),
    }
}

/// Who rejects images means it: only a change of that rule lets one run.
pub(super) fn refuse_rejected(context: &Context, prefix: &Prefix) -> Result<(), Failure> {
    let policy = policy_files::read(&context.engine.directories)?;
    match policy.deciding_below(prefix) {
        Some(placed) if matches!(placed.rule().requirement(), Requirement::Reject) => {
            Err(Failure::Other(format!(
                "{prefix} is rejected by rule {:?} of {}: to be changed there, by whoever keeps it",
                placed.rule().prefix().as_str(),
                placed.file().display()
            )))
        }
        _ => Ok(()),
    }
}
