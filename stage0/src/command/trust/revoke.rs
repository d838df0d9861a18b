//! `fairing trust revoke`: a key counts nowhere any more, whatever the rules say.

use clap::Args;
use engine::policy::circumstances;
use engine::policy::files as policy_files;
use trust::{Fingerprint, Policy, Revocation, Timestamp};

use super::key_argument;
use super::known_keys::known_keys;
use super::rule_file::RuleFile;
use crate::arguments::validity::first_moment;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `trust revoke`.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// File of the key, its fingerprint in full or, of a key that a rule names, the first digits
    #[arg(value_name = "KEY.pub|FINGERPRINT")]
    key: String,
    /// Time from which the key no longer counts; at once if left out
    #[arg(long, value_name = "TIME", value_parser = first_moment)]
    since: Option<Timestamp>,
}

impl Subcommand for Revoke {
    const NAME: &'static str = "revoke";
    const ABOUT: &'static str = "Revoke a key: it counts nowhere from the next start on";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let policy = policy_files::read(&context.engine.directories)?;
        let fingerprint = self.find(&policy)?;
        let name = format!("revoked-{}.toml", fingerprint.short());
        let file = RuleFile::lock_named(context, name)?;
        let already = policy.revoked().iter().find(|placed| {
            placed.revocation().fingerprint == fingerprint && placed.file() != file.path()
        });
        if let Some(placed) = already {
            return Err(Failure::Other(format!(
                "{fingerprint} is already revoked by {}; change it there",
                placed.file().display()
            )));
        }
        let revocation = Revocation {
            fingerprint,
            since: self.since,
        };
        file.replace(context, &revocation.to_toml())?;
        let from = match self.since {
            Some(since) if since > circumstances::now() => format!("will be revoked from {since}"),
            _ => "is revoked".to_owned(),
        };
        output::line(&format!(
            "{fingerprint} {from}; remove {} to undo that",
            file.path().display()
        ))?;
        Ok(0)
    }
}

impl Revoke {
    fn find(&self, policy: &Policy) -> Result<Fingerprint, Failure> {
        let wanted = key_argument::fingerprint(&self.key)?;
        if let Ok(fingerprint) = Fingerprint::parse(&wanted) {
            return Ok(fingerprint);
        }
        let mut found: Vec<Fingerprint> = Vec::new();
        for known in known_keys(policy) {
            let fingerprint = known.fingerprint;
            if fingerprint.starts_with(&wanted) && !found.contains(&fingerprint) {
                found.push(fingerprint);
            }
        }
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(Failure::Other(format!(
                "no rule names a key {:?}; give its full fingerprint or its file to revoke it anyway",
                self.key
            ))),
            more => Err(Failure::Other(format!(
                "{:?} matches {} keys; give more of the fingerprint",
                self.key,
                more.len()
            ))),
        }
    }
}
