//! `fairing trust rm`: takes a key away from a prefix.

use clap::Args;
use engine::policy::files as policy_files;
use image_name::Prefix;
use trust::{Removal, remove_key, sole_rule};

use super::key_argument;
use super::rule_file::RuleFile;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `trust rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// The prefix whose rule loses a key or, without a key, goes
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<Prefix>,
    /// The prefix, if --prefix doesn't name it, and then the key: its file, its fingerprint or the first digits;
    /// the whole rule goes without one
    #[arg(value_name = "[PREFIX] [KEY]", required_unless_present = "prefix", num_args = 0..=2)]
    words: Vec<String>,
}

impl Subcommand for Rm {
    const NAME: &'static str = "rm";
    const ABOUT: &'static str = "Stop trusting a key for a prefix, or remove the rule of a prefix";
    const USAGE: Option<&'static str> = Some("fairing trust rm PREFIX [KEY.pub|FINGERPRINT]");

    fn run(self, context: &Context) -> Result<u8, Failure> {
        Chosen::parse(self)?.remove(context)
    }
}

/// What goes.
struct Chosen {
    prefix: Prefix,
    fingerprint: Option<String>,
}

impl Chosen {
    fn parse(given: Rm) -> Result<Self, Failure> {
        let mut words = given.words.into_iter();
        let prefix = match given.prefix {
            Some(prefix) => prefix,
            None => {
                let word = words.next().unwrap_or_default();
                word.parse()
                    .map_err(|error| Failure::Usage(format!("{error}")))?
            }
        };
        let key = words.next();
        if let Some(word) = words.next() {
            return Err(Failure::Usage(format!(
                "unexpected {word:?}: the rule of one prefix loses one key at a time"
            )));
        }
        let fingerprint = key.as_deref().map(key_argument::fingerprint).transpose()?;
        Ok(Self {
            prefix,
            fingerprint,
        })
    }

    fn remove(&self, context: &Context) -> Result<u8, Failure> {
        let file = RuleFile::lock(context, &self.prefix)?;
        let Some(text) = file.read(context)? else {
            return Err(self.no_file(context, &file));
        };
        let edit = |source| Failure::Edit {
            path: file.path().to_path_buf(),
            source,
        };
        let removal = match &self.fingerprint {
            Some(fingerprint) => remove_key(&text, &self.prefix, fingerprint).map_err(edit)?,
            None => {
                let kind = sole_rule(&text, &self.prefix).map_err(edit)?;
                file.remove(context)?;
                output::line(&format!(
                    "the rule of {} ({}) is gone, with {}",
                    self.prefix,
                    kind.requirement().word(),
                    file.path().display()
                ))?;
                self.tell_what_decides_now(context)?;
                return Ok(0);
            }
        };
        match removal {
            Removal::Rule(text, fingerprint) => {
                file.replace(context, &text)?;
                output::line(&format!(
                    "{fingerprint} is no longer trusted for {}",
                    self.prefix
                ))?;
            }
            Removal::Last(fingerprint) => {
                file.remove(context)?;
                output::line(&format!(
                    "{fingerprint} is no longer trusted for {}; it was the last key, so {} is gone",
                    self.prefix,
                    file.path().display()
                ))?;
                self.tell_what_decides_now(context)?;
            }
        }
        Ok(0)
    }

    fn no_file(&self, context: &Context, file: &RuleFile) -> Failure {
        match policy_files::read(&context.engine.directories) {
            Err(error) => error.into(),
            Ok(policy) => match policy.rule_of(&self.prefix) {
                Some(placed) => Failure::Other(format!(
                    "the rule for {:?} is in {}, not in {}: edit it there",
                    self.prefix.as_str(),
                    placed.file().display(),
                    file.path().display()
                )),
                None => Failure::Other(format!(
                    "{:?} has no rule; `fairing trust list` shows all",
                    self.prefix.as_str()
                )),
            },
        }
    }

    /// With a rule gone, one for a shorter prefix may let more run than before.
    fn tell_what_decides_now(&self, context: &Context) -> Result<(), Failure> {
        let policy = policy_files::read(&context.engine.directories)?;
        if let Some(placed) = policy.deciding_below(&self.prefix) {
            output::warn(&format!(
                "rule {:?} ({}) of {} decides about {} from now on",
                placed.rule().prefix().as_str(),
                placed.rule().requirement().word(),
                placed.file().display(),
                self.prefix
            ));
        }
        Ok(())
    }
}
