//! `fairing image export`: writes an image of the store for other tools.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use image_store::{ExportFormat, Outgoing, Platform, RefRecord, Store, export, parse_digest};
use oci_spec::image::Digest;

use crate::command::Subcommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::image_choice::record;

/// Arguments of `image export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Reference, or the beginning of a digest
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Folder or file to write; must not exist
    #[arg(value_name = "DEST")]
    dest: PathBuf,
    /// What to write [default: oci-archive if DEST ends in .tar, else oci]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A folder in the OCI image layout
    Oci,
    /// The same as a tar file
    OciArchive,
    /// What `docker load` reads
    DockerArchive,
}

impl Subcommand for Export {
    const NAME: &'static str = "export";
    const ABOUT: &'static str = "Write an image of the store to a folder or file";

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
        let store = context.store();
        let _pin = store.pin()?;
        let record = record(context, &self.image)?;
        let blob_path = |digest: &Digest| {
            // A digest that can't be a file's name names none.
            store.blob_path(digest).unwrap_or_default()
        };
        let outgoing = Outgoing {
            blob_path: &blob_path,
            signatures: signatures(&store, &record)?,
            top: record.digest,
            reference: Some(record.reference),
        };
        export(&outgoing, format, &self.dest)?;
        Ok(0)
    }
}

/// The signature manifests that go along, each with what it is about.
fn signatures(store: &Store, record: &RefRecord) -> Result<Vec<(Digest, Digest)>, Failure> {
    let mut signatures = Vec::new();
    for subject in store.image(&record.digest, &Platform::host())?.chain() {
        let path = store
            .path()
            .join("signatures")
            .join(format!("sha256-{}", subject.digest()));
        match fs::read_to_string(&path) {
            Ok(text) => signatures.push((subject.clone(), parse_digest(text.trim_end())?)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::io("read", &path)(error)),
        }
    }
    Ok(signatures)
}
