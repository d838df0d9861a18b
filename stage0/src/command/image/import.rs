//! `fairing image import`: brings an image from a folder or file into the store.

use std::path::Path;

use clap::Args;
use image_store::{ImageSource, Reference};

use crate::command::Subcommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::verify::{Verifier, warn_if_unsigned};
use crate::{fetching, output};

const SOURCE_HELP: &str =
    "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://REF, or a path";

/// Arguments of `image import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    source: String,
    /// Name for the image [default: the one that the source has]
    #[arg(long, value_name = "REFERENCE")]
    name: Option<String>,
}

impl Subcommand for Import {
    const NAME: &'static str = "import";
    const ABOUT: &'static str =
        "Bring an image from a folder or file into the store, and print its name";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        // Unlike elsewhere, a bare name of a file is meant as such.
        let is_path = !self.source.starts_with('/') && Path::new(&self.source).exists();
        let source = match is_path {
            true => ImageSource::parse(&format!("./{}", self.source))?,
            false => ImageSource::parse(&self.source)?,
        };
        let name = self.name.as_deref().map(Reference::parse).transpose()?;
        let verifier = Verifier::new(context)?;
        let fetched = fetching::fetch(context, &verifier, &source, name)?;
        warn_if_unsigned(&fetched.proof);
        output::line(&fetched.reference.to_string())?;
        Ok(0)
    }
}
