//! `fairing image sign`: signs an image, in its registry and in the store.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use engine::Error;
use engine::images::choice;
use engine::images::registries;
use engine::policy::circumstances;
use image_name::{Digest, Repository};
use image_registry::{push_bundle, push_signature};
use image_store::{BundleLimits, FetchOptions};
use trust::{PrivateKey, Timestamp};

use super::signed_image::SignedImage;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::keys::files as key_files;
use crate::keys::passphrase::PassphraseArguments;
use crate::wording::failure::Failure;

/// Largest predicate, in bytes: in base64 it must fit into a bundle.
const MAX_PREDICATE: u64 = 11 << 20;

/// Arguments of `image sign`.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// Reference, or the beginning of a digest in the store
    #[arg(value_name = "IMAGE")]
    image: String,
    /// File of the private key, of fairing or of cosign
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    /// Sign in the store alone: the registry is neither asked nor written to
    #[arg(long)]
    local: bool,
    /// Format of the signature, for those who verify with other tools
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: SignatureFormat,
    /// Sign this JSON file as a statement about the image (in-toto)
    #[arg(
        long,
        value_name = "FILE",
        requires = "type",
        conflicts_with = "format"
    )]
    attest: Option<PathBuf>,
    /// What --attest is: slsaprovenance1, spdxjson, cyclonedx, openvex, vuln, custom, or a URI
    #[arg(long, value_name = "TYPE", requires = "attest")]
    r#type: Option<String>,
}

/// In which form a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum SignatureFormat {
    /// Both, so that every tool finds one that it knows
    #[default]
    Both,
    /// A Sigstore bundle as a referrer of the image: what cosign 3 makes
    Bundle,
    /// Simple signing under a tag: what cosign 1 and 2, podman and CRI-O read
    Simple,
}

/// What is written about an image.
#[derive(Debug, Default)]
struct Written {
    /// Payload and signature.
    simple: Option<(Vec<u8>, String)>,
    bundle: Option<Vec<u8>>,
}

impl Subcommand for Sign {
    const NAME: &'static str = "sign";
    const ABOUT: &'static str =
        "Sign an image or what is known of it, in its registry and in the store";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let predicate = self.predicate()?;
        let key = key_files::read_private(&self.key, &self.passphrase)?;
        let options = registries::fetch_options(&context.engine)?;
        let store = context.engine.store();
        let _pin = store.pin()?;
        if self.local {
            self.expect_in_store(context)?;
        }
        let image = SignedImage::find(context, &self.image, &options)?;
        let digest = image.top();
        let repository = image.reference.repository();
        let now = circumstances::now();
        let (what, written) = match &predicate {
            None => (String::new(), self.signature(&key, repository, digest, now)),
            Some((kind, predicate)) => {
                let bundle = attestation(&key, repository, digest, now, kind, predicate)?;
                (format!("{kind} of "), bundle)
            }
        };
        if image.in_registry && !self.local {
            written.push(&image, &options)?;
        } else if !self.local {
            output::error(&format!(
                "note: signed in the store alone, since the image did not come from there; \
                 `fairing push {}` brings it and its signatures to its registry\n",
                image.reference
            ));
        }
        if image.in_store {
            if let Some((payload, signature)) = &written.simple {
                store.add_signature(digest, payload, signature)?;
            }
            if let Some(bundle) = &written.bundle {
                store.add_bundle(digest, bundle)?;
            }
        }
        output::line(&format!(
            "signed {what}{repository}@{digest} with {}",
            key.public().fingerprint()
        ))?;
        Ok(0)
    }
}

impl Sign {
    /// There is nothing else that `--local` could write to.
    fn expect_in_store(&self, context: &Context) -> Result<(), Failure> {
        match choice::in_store(&context.engine, &self.image) {
            Ok(_) => Ok(()),
            Err(Error::NotInStore { reference }) => Err(Failure::Other(format!(
                "image {reference} is not in the store, where --local signs; `fairing fetch \
                 --insecure-options=image {reference}` brings it there unverified"
            ))),
            Err(error) => Err(error.into()),
        }
    }

    fn signature(
        &self,
        key: &PrivateKey,
        repository: &Repository,
        digest: &Digest,
        now: Timestamp,
    ) -> Written {
        let mut written = Written::default();
        if self.format != SignatureFormat::Bundle {
            let payload = trust::payload(repository, digest, Some(now));
            let signature = key.sign(&payload);
            written.simple = Some((payload, signature));
        }
        if self.format != SignatureFormat::Simple {
            let statement = trust::signature_statement(repository, digest, Some(now));
            written.bundle = Some(key.sign_statement(&statement));
        }
        written
    }

    /// The predicate type and the predicate, if one is to be signed.
    fn predicate(&self) -> Result<Option<(String, Vec<u8>)>, Failure> {
        let (Some(path), Some(kind)) = (&self.attest, &self.r#type) else {
            return Ok(None);
        };
        let kind = match trust::predicate_type(kind) {
            Some(uri) => uri.to_owned(),
            None if kind.contains(':') => kind.clone(),
            None => {
                return Err(Failure::Usage(format!(
                    "{kind:?} is not a predicate type; give a URI, or one of slsaprovenance, \
                     slsaprovenance1, spdxjson, cyclonedx, openvex, link, vuln and custom"
                )));
            }
        };
        Ok(Some((kind, read(path)?)))
    }
}

fn attestation(
    key: &PrivateKey,
    repository: &Repository,
    digest: &Digest,
    now: Timestamp,
    kind: &str,
    predicate: &[u8],
) -> Result<Written, Failure> {
    let statement = trust::attestation_statement(repository, digest, Some(now), kind, predicate)
        .map_err(|error| Failure::Other(format!("the attestation can't be signed: {error}")))?;
    let bundle = key.sign_statement(&statement);
    // What is larger is of use only where a setting says so.
    let most = BundleLimits::default().size;
    if bundle.len() as u64 > most {
        return Err(Failure::Other(format!(
            "the attestation would be {} bytes long, the limit is {most}",
            bundle.len()
        )));
    }
    Ok(Written {
        simple: None,
        bundle: Some(bundle),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(Failure::io("open", path))?
        .take(MAX_PREDICATE + 1)
        .read_to_end(&mut bytes)
        .map_err(Failure::io("read", path))?;
    match bytes.len() as u64 > MAX_PREDICATE {
        true => Err(Failure::Other(format!(
            "{} is larger than {MAX_PREDICATE} bytes, the most that an attestation may hold",
            path.display()
        ))),
        false => Ok(bytes),
    }
}

impl Written {
    fn push(&self, image: &SignedImage, options: &FetchOptions) -> Result<(), Failure> {
        let (reference, digest) = (&image.reference, image.top());
        let (registries, limits) = (&options.registries, &options.limits);
        if let Some((payload, signature)) = &self.simple {
            push_signature(reference, digest, payload, signature, registries, limits)?;
        }
        if let Some(bundle) = &self.bundle {
            push_bundle(reference, digest, bundle, registries, limits)?;
        }
        Ok(())
    }
}
