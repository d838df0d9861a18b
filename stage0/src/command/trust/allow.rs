//! `fairing trust allow`: lets images run that nobody signed, by digest or by prefix.

use clap::Args;
use image_name::Prefix;
use trust::accept_unsigned;

use super::hub::warn_of_library;
use super::pin::{Pin, confirm, refuse_rejected};
use super::rule_file::RuleFile;
use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `trust allow`.
#[derive(Debug, Args)]
pub(crate) struct Allow {
    /// Images, of which the digests that they have today are pinned; with --unsigned, prefixes
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Let every image of the prefixes run, whoever made it and whatever it becomes
    #[arg(long)]
    unsigned: bool,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

impl Subcommand for Allow {
    const NAME: &'static str = "allow";
    const ABOUT: &'static str =
        "Let images run that nobody signed: by today's digest, or a whole prefix";
    const USAGE: Option<&'static str> = Some(
        "fairing trust allow [--yes] IMAGE…\n       fairing trust allow [--yes] --unsigned PREFIX…",
    );

    fn run(self, context: &Context) -> Result<u8, Failure> {
        for_each(&self.images, |image| match self.unsigned {
            true => self.open(context, image),
            false => self.pin(context, image),
        })
    }
}

impl Allow {
    fn pin(&self, context: &Context, image: &str) -> Result<(), Failure> {
        let pin = Pin::of(context, image)?;
        pin.show(context)?;
        if !self.yes {
            confirm(&pin.question())?;
        }
        let pinned = pin.pinned();
        output::line(&match pin.write(context)? {
            Some(file) => format!("{pinned} may run, by {}", file.display()),
            None => format!("{pinned} is pinned already"),
        })
    }

    fn open(&self, context: &Context, prefix: &str) -> Result<(), Failure> {
        let prefix: Prefix = prefix
            .parse()
            .map_err(|error| Failure::Usage(format!("--unsigned: {error}")))?;
        refuse_rejected(context, &prefix)?;
        warn_of_library(&prefix);
        let which = match prefix.is_everything() {
            true => "Every image there is".to_owned(),
            false => format!("Every image of {prefix}"),
        };
        output::warn(&format!(
            "{which} will run unverified: today's, later ones, and whatever somebody puts in their place"
        ));
        if !self.yes {
            confirm("Is that what you want?")?;
        }
        let file = RuleFile::lock(context, &prefix)?;
        file.refuse_other(context, &prefix)?;
        let text = file.read(context)?;
        let opened = accept_unsigned(text.as_deref(), &prefix).map_err(|source| Failure::Edit {
            path: file.path().to_path_buf(),
            source,
        })?;
        output::line(&match opened {
            Some(text) => {
                file.replace(context, &text)?;
                format!(
                    "images of {prefix} may run unsigned, by {}",
                    file.path().display()
                )
            }
            None => format!("images of {prefix} may run unsigned already"),
        })
    }
}
