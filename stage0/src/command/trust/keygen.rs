//! `fairing trust keygen`: makes a key pair.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use trust::{Algorithm, PrivateKey, Zeroizing};

use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::keys::files as key_files;
use crate::keys::passphrase::PassphraseArguments;
use crate::wording::failure::Failure;

/// Arguments of `trust keygen`.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Name of the pair: NAME.key and NAME.pub are written
    #[arg(
        value_name = "NAME",
        required_unless_present = "output",
        conflicts_with = "output"
    )]
    name: Option<String>,
    /// Directory to write them to
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output_dir: PathBuf,
    /// File to write the private key to; the public key goes beside it, with .pub added
    #[arg(long, value_name = "FILE", conflicts_with = "output_dir")]
    output: Option<PathBuf>,
    /// Kind of key: ecdsa-p256, which every tool can verify, or ed25519
    #[arg(long, value_name = "ALGORITHM", default_value_t)]
    algorithm: Algorithm,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    /// Write the private key unencrypted, without asking for a passphrase
    #[arg(long, conflicts_with = "passphrase_file")]
    no_passphrase: bool,
}

impl Subcommand for Keygen {
    const NAME: &'static str = "keygen";
    const ABOUT: &'static str = "Make a key pair to sign images with";
    const NEEDS_ROOT: bool = false;

    fn run(self, _: &Context) -> Result<u8, Failure> {
        let (private, public) = self.files()?;
        let passphrase = match self.no_passphrase {
            true => None,
            false => self.passphrase.for_new_key()?,
        };
        let is_empty = passphrase.as_ref().is_some_and(|given| given.is_empty());
        if is_empty {
            output::warn(
                "the passphrase is empty: whoever has the file of the key can sign with it",
            );
        }
        let failed = |source| Failure::Key {
            path: private.clone(),
            source,
        };
        let key = PrivateKey::generate(self.algorithm).map_err(failed)?;
        let text = match &passphrase {
            Some(passphrase) => Zeroizing::new(
                key.to_encrypted_pem(passphrase.as_bytes())
                    .map_err(failed)?,
            ),
            None => key.to_pem(),
        };
        key_files::write_new(&private, &text, 0o600)?;
        if let Err(failure) = key_files::write_new(&public, &key.public().to_pem(), 0o644) {
            // Half a pair would stand in the way of the next try.
            let _ = std::fs::remove_file(&private);
            return Err(failure);
        }
        output::text(&format!(
            "private key: {}{}\npublic key:  {}\nfingerprint: {}\n",
            private.display(),
            match passphrase {
                Some(_) if is_empty => " (encrypted with an empty passphrase)",
                Some(_) => " (encrypted with the passphrase)",
                None => "",
            },
            public.display(),
            key.public().fingerprint()
        ))?;
        Ok(0)
    }
}

impl Keygen {
    fn files(&self) -> Result<(PathBuf, PathBuf), Failure> {
        if let Some(private) = &self.output {
            let mut public = OsString::from(private);
            public.push(".pub");
            return Ok((private.clone(), public.into()));
        }
        let name = self.name.as_deref().unwrap_or_default();
        if name.is_empty() || name.contains('/') {
            return Err(Failure::Usage(format!(
                "{name:?} is not the name of a key pair; name the directory with --output-dir"
            )));
        }
        Ok((
            self.output_dir.join(format!("{name}.key")),
            self.output_dir.join(format!("{name}.pub")),
        ))
    }
}
