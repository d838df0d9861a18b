//! `fairing image tag`: a further name for an image.

use clap::Args;
use engine::images::choice::record;
use image_name::Reference;

use crate::arguments::local_name::local;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `image tag`.
#[derive(Debug, Args)]
pub(crate) struct Tag {
    /// Reference, or the beginning of a digest
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Other names for it; one without a registry is local: localhost/NAME
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

impl Subcommand for Tag {
    const NAME: &'static str = "tag";
    const ABOUT: &'static str =
        "Give an image of the store another name; rules for that name judge it";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let store = context.engine.store();
        let _pin = store.pin()?;
        let record = record(&context.engine, &self.image)?;
        let names: Vec<Reference> = self
            .names
            .iter()
            .map(|name| local(name))
            .collect::<Result<_, _>>()?;
        for name in names {
            store.tag(&record, &name)?;
            output::line(&name.to_string())?;
        }
        Ok(0)
    }
}
