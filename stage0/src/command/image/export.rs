//! `fairing image export`: writes an image of the store for other tools.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine::images::choice::record;
use image_store::{ExportFormat, ImageSource};

use super::copy::warn;
use crate::command::subcommand::Subcommand;
use crate::console::interrupt::until_signal;
use crate::console::progress::Progress;
use crate::context::Context;
use crate::wording::failure::Failure;

const DEST_HELP: &str = "Directory or file to write, which must not exist; or oci:DIR[:TAG], \
     oci-archive:FILE[:TAG], docker-archive:FILE[:REF]";

/// Arguments of `image export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Reference, or the beginning of a digest
    #[arg(value_name = "IMAGE")]
    image: String,
    #[arg(value_name = "DEST", help = DEST_HELP)]
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
        let store = context.engine.store();
        let _pin = store.pin()?;
        let record = record(&context.engine, &self.image)?;
        let outgoing = store.outgoing(&record)?;
        let signatures = !self.no_signatures;
        let place = self.place()?;
        let copied = until_signal(|interrupt| {
            let mut progress = Progress::new(record.reference.to_string());
            let mut on_event = |event| progress.event(event);
            let outgoing = outgoing.until(interrupt);
            Ok(match &place {
                Some(place) => outgoing.export_to(place, signatures, &mut on_event),
                None => outgoing.export(self.format(), &self.dest, signatures, &mut on_event),
            }?)
        })?;
        warn(&copied.notes);
        Ok(0)
    }
}

impl Export {
    /// The destination, where it begins with what it is, as for `image copy`.
    fn place(&self) -> Result<Option<ImageSource>, Failure> {
        let Some(text) = self
            .dest
            .to_str()
            .filter(|text| ImageSource::has_scheme(text))
        else {
            return Ok(None);
        };
        if self.format.is_some() {
            return Err(Failure::Usage(format!(
                "{text} says what to write; --format says it a second time"
            )));
        }
        match ImageSource::parse_destination(text)? {
            ImageSource::Registry(_) => Err(Failure::Usage(format!(
                "{text} is at a registry; `fairing push` writes there"
            ))),
            place => Ok(Some(place)),
        }
    }

    fn format(&self) -> ExportFormat {
        let is_tar = self
            .dest
            .extension()
            .is_some_and(|extension| extension == "tar");
        match (self.format, is_tar) {
            (Some(Kind::Oci), _) | (None, false) => ExportFormat::OciLayout,
            (Some(Kind::OciArchive), _) | (None, true) => ExportFormat::OciArchive,
            (Some(Kind::DockerArchive), _) => ExportFormat::DockerArchive,
        }
    }
}
