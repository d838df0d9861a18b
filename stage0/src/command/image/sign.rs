//! `fairing image sign`: signs an image, in its registry and in the store.

use std::path::PathBuf;

use clap::Args;
use image_store::{FetchOptions, ImageSource, Reference, registry};
use oci_spec::image::Digest;
use trust::Repository;

use crate::command::Subcommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::{key_files, output, registries};

/// Arguments of `image sign`.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// Reference, or the beginning of a digest in the store
    #[arg(value_name = "IMAGE")]
    image: String,
    /// File of the private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// What is signed, and where the signature goes.
struct Target {
    reference: Reference,
    digest: Digest,
    in_store: bool,
    in_registry: bool,
}

impl Subcommand for Sign {
    const NAME: &'static str = "sign";
    const ABOUT: &'static str = "Sign an image, in the registry it came from and in the store";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let key = key_files::read_private(&self.key)?;
        let options = registries::fetch_options(context)?;
        let store = context.store();
        let _pin = store.pin()?;
        let target = self.target(context, &options)?;
        let repository = Repository::parse(&target.reference.repository())?;
        let payload = trust::payload(&repository, &target.digest, None);
        let signature = key.sign(&payload);
        if target.in_registry {
            registry::push_signature(
                &target.reference,
                &target.digest,
                &payload,
                &signature,
                &options,
            )?;
        }
        if target.in_store {
            store.add_signature(&target.digest, &payload, &signature)?;
        }
        output::line(&format!(
            "signed {repository}@{} with {}",
            target.digest,
            key.public().fingerprint()
        ))?;
        Ok(0)
    }
}

impl Sign {
    /// The image as the store has it; else as its registry has it now.
    fn target(&self, context: &Context, options: &FetchOptions) -> Result<Target, Failure> {
        let image = registries::full_name(context, &self.image)?;
        let name = image.strip_prefix("docker://").unwrap_or(&image);
        if let Some(record) = context.store().find(name)? {
            // Imported images may have no registry, or one that has never seen them.
            let in_registry = record.source.starts_with("docker://")
                && ImageSource::parse(&record.source)?
                    .reference()
                    .is_some_and(|source| source.repository() == record.reference.repository());
            return Ok(Target {
                reference: record.reference,
                digest: record.digest,
                in_store: true,
                in_registry,
            });
        }
        let source = ImageSource::parse(&image)?;
        let Some(reference) = source.reference() else {
            return Err(Failure::Other(format!(
                "{source} can't be signed in place; `fairing image import` it first"
            )));
        };
        let fetch = context.store().begin_fetch(&source, options)?;
        Ok(Target {
            reference: reference.clone(),
            digest: fetch
                .chain()
                .first()
                .unwrap_or(fetch.manifest_digest())
                .clone(),
            in_store: false,
            in_registry: true,
        })
    }
}
