//! `fairing trust add`: lets a key vouch for the images of a prefix.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use trust::{Policy, Prefix, PublicKey, add_key};

use super::rule_file::RuleFile;
use crate::command::Subcommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::{key_files, output, policy_files};

const PREFIX_HELP: &str = "Images that the keys may vouch for: HOST[:PORT][/PATH], or * for all";

/// Arguments of `trust add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    #[arg(long, value_name = "PREFIX", help = PREFIX_HELP)]
    prefix: Prefix,
    /// Files of public keys
    #[arg(value_name = "KEY.pub", required = true)]
    keys: Vec<PathBuf>,
    /// Don't ask whether the fingerprints are right
    #[arg(short, long)]
    yes: bool,
}

impl Subcommand for Add {
    const NAME: &'static str = "add";
    const ABOUT: &'static str = "Trust keys for the images of a prefix";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let mut keys = Vec::with_capacity(self.keys.len());
        for path in &self.keys {
            keys.push(key_files::read_public(path)?);
        }
        for key in &keys {
            output::line(&format!(
                "{} ({}) for {}",
                key.fingerprint(),
                key.algorithm(),
                self.prefix
            ))?;
        }
        if !self.yes {
            confirm()?;
        }
        let file = RuleFile::lock(context, &self.prefix)?;
        self.refuse_other_file(&policy_files::read(&context.directories)?, &file)?;
        let mut text = file.read(context)?;
        for key in &keys {
            text = Some(self.add(text.as_deref(), key, &file)?);
        }
        file.replace(context, text.as_deref().unwrap_or_default())?;
        output::line(&format!("written to {}", file.path().display()))?;
        Ok(0)
    }
}

impl Add {
    fn add(&self, text: Option<&str>, key: &PublicKey, file: &RuleFile) -> Result<String, Failure> {
        add_key(text, &self.prefix, key).map_err(|source| Failure::Edit {
            path: file.path().to_path_buf(),
            source,
        })
    }

    /// A rule that somebody wrote into another file is not ours to change, nor to contradict.
    fn refuse_other_file(&self, policy: &Policy, own: &RuleFile) -> Result<(), Failure> {
        match policy.rule_of(&self.prefix) {
            Some(placed) if placed.file() != own.path() => Err(Failure::Other(format!(
                "the rule for {:?} is in {}; edit it there, or copy it to {} to replace it",
                self.prefix.as_str(),
                placed.file().display(),
                own.path().display()
            ))),
            _ => Ok(()),
        }
    }
}

/// Asks a person; without one, `--yes` must have been given.
fn confirm() -> Result<(), Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::Other(
            "nobody is there to compare the fingerprints; compare them and add --yes".to_owned(),
        ));
    }
    output::error("Are these the fingerprints you were told? (yes/no) ");
    let mut answer = String::new();
    stdin
        .lock()
        .read_line(&mut answer)
        .map_err(Failure::io("read", "the answer"))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "yes" | "y" => Ok(()),
        _ => Err(Failure::Other("not trusted: the answer was no".to_owned())),
    }
}
