//! `fairing trust add`: lets a key vouch for the images of a prefix.

use std::io::{self, Read};
use std::path::Path;

use clap::Args;
use engine::images::registries;
use engine::policy::circumstances::now;
use engine::policy::files as policy_files;
use image_name::Prefix;
use image_registry::download;
use pod::manifest::InsecureOption;
use trust::{PublicKey, Timestamp, Validity, add_keys};

use super::hub::warn_of_library;
use super::rule_file::RuleFile;
use crate::arguments::validity::{first_moment, last_moment};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::keys::files as key_files;
use crate::terminal::question;
use crate::wording::failure::Failure;

const PREFIX_HELP: &str = "Images that the keys may vouch for: HOST[:PORT][/PATH], or * for all";

/// Arguments of `trust add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    #[arg(long, value_name = "PREFIX", help = PREFIX_HELP)]
    prefix: Prefix,
    /// Public keys: files, https:// addresses, or - for standard input
    #[arg(value_name = "KEY.pub", required = true)]
    keys: Vec<String>,
    /// The first moment at which the keys count, such as 2027-01-01 or 2027-01-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = first_moment)]
    not_before: Option<Timestamp>,
    /// The last moment at which the keys count; of a day, its end
    #[arg(long, value_name = "TIME", value_parser = last_moment)]
    not_after: Option<Timestamp>,
    /// How many keys of the prefix must have signed
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    threshold: Option<usize>,
    /// Don't ask whether the fingerprints are right
    #[arg(short, long)]
    yes: bool,
}

impl Subcommand for Add {
    const NAME: &'static str = "add";
    const ABOUT: &'static str = "Trust keys for the images of a prefix";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let mut keys = Vec::with_capacity(self.keys.len());
        for place in &self.keys {
            keys.push(read(context, place)?);
        }
        self.check_limits()?;
        // What can't be written is nothing to ask about.
        self.changed(context, &keys)?;
        if !self.yes {
            self.show(&keys)?;
        }
        warn_of_library(&self.prefix);
        warn_of_revoked(context, &keys);
        if !self.yes {
            confirm()?;
        }
        let (file, text) = self.changed(context, &keys)?;
        file.replace(context, &text)?;
        if self.yes {
            self.show(&keys)?;
        }
        output::line(&format!("written to {}", file.path().display()))?;
        Ok(0)
    }
}

impl Add {
    /// Limits between which no moment lies are a mistake; those that have passed may be meant to end a key's time.
    fn check_limits(&self) -> Result<(), Failure> {
        if let Some(last) = self.not_after.filter(|last| *last < now()) {
            output::warn(&format!(
                "--not-after {last} has passed: the key counts nowhere now"
            ));
        }
        match (self.not_before, self.not_after) {
            (Some(first), Some(last)) if last < first => Err(Failure::Usage(format!(
                "--not-after {last} is before --not-before {first}: the key would never count"
            ))),
            _ => Ok(()),
        }
    }

    fn show(&self, keys: &[PublicKey]) -> Result<(), Failure> {
        keys.iter().try_for_each(|key| {
            output::line(&format!(
                "{} ({}) for {}",
                key.fingerprint(),
                key.algorithm(),
                self.prefix
            ))
        })
    }

    /// The file of the rule, and its text with the keys.
    fn changed(
        &self,
        context: &Context,
        keys: &[PublicKey],
    ) -> Result<(RuleFile, String), Failure> {
        let file = RuleFile::lock(context, &self.prefix)?;
        file.refuse_other(context, &self.prefix)?;
        let text = file.read(context)?;
        let text = self.added(text.as_deref(), keys, &file)?;
        Ok((file, text))
    }

    fn added(
        &self,
        text: Option<&str>,
        keys: &[PublicKey],
        file: &RuleFile,
    ) -> Result<String, Failure> {
        let validity = Validity {
            not_before: self.not_before,
            not_after: self.not_after,
        };
        add_keys(text, &self.prefix, keys, validity, self.threshold).map_err(|source| {
            Failure::Edit {
                path: file.path().to_path_buf(),
                source,
            }
        })
    }
}

/// A key that is revoked counts nowhere, whatever rule names it. A policy that can't be read is for who reads it next.
fn warn_of_revoked(context: &Context, keys: &[PublicKey]) {
    let Ok(policy) = policy_files::read(&context.engine.directories) else {
        return;
    };
    for key in keys {
        let fingerprint = key.fingerprint();
        let revoked = policy.revoked().iter();
        for placed in revoked.filter(|placed| placed.revocation().fingerprint == fingerprint) {
            output::warn(&format!(
                "{fingerprint} is revoked by {}: it counts nowhere",
                placed.file().display()
            ));
        }
    }
}

/// Reads a key from where the user says.
fn read(context: &Context, place: &str) -> Result<PublicKey, Failure> {
    let path = Path::new(place);
    if place == "-" {
        let mut text = String::new();
        io::stdin()
            .lock()
            .take(key_files::largest())
            .read_to_string(&mut text)
            .map_err(Failure::io("read", "standard input"))?;
        return key_files::parse_public(&text, Path::new("of standard input"));
    }
    if !place.starts_with("https://") && !place.starts_with("http://") {
        return key_files::read_public_to_trust(path);
    }
    let plain_http = context.engine.insecure.contains(&InsecureOption::Http);
    let registries = registries::load(&context.engine)?;
    let bytes = download(place, key_files::largest(), &registries, plain_http)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::Other(format!("{place} is not a public key: it is not UTF-8 text"))
    })?;
    key_files::parse_public(&text, path)
}

/// Asks a person; without one, `--yes` must have been given.
fn confirm() -> Result<(), Failure> {
    if !question::somebody_is_there() {
        return Err(Failure::Other(
            "there is no terminal to ask on; compare the fingerprints and add --yes".to_owned(),
        ));
    }
    match question::confirm("Are these the fingerprints you were told?")? {
        true => Ok(()),
        false => Err(Failure::Other("not trusted: the answer was no".to_owned())),
    }
}
