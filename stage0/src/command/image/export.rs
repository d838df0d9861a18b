//! `fairing image export`: writes an image of the store for other tools.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine::images::choice::record;
use image_store::ExportFormat;

use super::copy::warn;
use crate::command::subcommand::Subcommand;
use crate::console::progress::Progress;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `image export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Reference, or the beginning of a digest
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Directory or file to write; must not exist
    #[arg(value_name = "DEST")]
    dest: PathBuf,
    /// What to write [default: oci-archive if DEST ends in .tar, else oci]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Kind>,
    /// Leave signatures out
    #[arg(long)]
    no_signatures: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A directory in the OCI image layout
    Oci,
    /// The same as a tar file
    OciArchive,
    /// What `docker load` reads
    DockerArchive,
}

impl Subcommand for Export {
    const NAME: &'static str = "export";
    const ABOUT: &'static str = "Write an image of the store to a directory or file";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let is_tar = self
            .dest
            .extension()
            .is_some_and(|extension| extension == "tar");
        let format = match (self.format, is_tar) {
            (Some(Kind::Oci), _) | (None, false) => ExportFormat::OciLayout,
            (Some(Kind::OciArchive), _) | (None, true) => ExportFormat::OciArchive,
            (Some(Kind::DockerArchive), _) => ExportFormat::DockerArchive,
        };
        let store = context.engine.store();
        let _pin = store.pin()?;
        let record = record(&context.engine, &self.image)?;
        let name = record.reference.to_string();
        let mut progress = Progress::new(name);
        let copied = store.outgoing(&record)?.export(
            format,
            &self.dest,
            !self.no_signatures,
            &mut |event| progress.event(event),
        )?;
        drop(progress);
        warn(&copied.notes);
        Ok(0)
    }
}
