//! Signing keys.

use std::fs;
use std::path::{Path, PathBuf};

use crate::host::Host;

/// The kinds of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    Ed25519,
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
}

/// A key pair in a host's base directory, made by `fairing trust keygen`.
#[derive(Debug, Clone)]
pub struct Key {
    private: PathBuf,
    public: PathBuf,
}

impl Key {
    /// Makes an Ed25519 key as `keys/NAME.key` and `keys/NAME.pub`.
    #[track_caller]
    pub fn generate(host: &Host, name: &str) -> Self {
        Self::generate_as(host, name, Algorithm::Ed25519)
    }

    /// Makes a key of this kind.
    #[track_caller]
    pub fn generate_as(host: &Host, name: &str, algorithm: Algorithm) -> Self {
        let folder = host.base().join("keys");
        fs::create_dir_all(&folder).expect("the folder of keys");
        let algorithm = match algorithm {
            Algorithm::Ed25519 => "ed25519",
            Algorithm::EcdsaP256 => "ecdsa-p256",
        };
        let private = folder.join(format!("{name}.key"));
        host.fairing([
            "trust",
            "keygen",
            "--no-passphrase",
            "--algorithm",
            algorithm,
            "--output",
        ])
        .arg(&private)
        .run()
        .ok();
        let public = folder.join(format!("{name}.key.pub"));
        assert!(
            public.exists(),
            "trust keygen did not write {}",
            public.display()
        );
        Self { private, public }
    }

    /// The PEM file of the private key.
    pub fn private(&self) -> &Path {
        &self.private
    }

    /// The PEM file of the public key.
    pub fn public(&self) -> &Path {
        &self.public
    }

    /// Signs an image in its registry: `fairing image sign --key KEY REFERENCE`.
    #[track_caller]
    pub fn sign(&self, host: &Host, reference: &str) {
        host.fairing(["image", "sign", "--key"])
            .arg(&self.private)
            .arg(reference)
            .run()
            .ok();
    }

    /// Trusts the key for a prefix of names: `fairing trust add --prefix PREFIX KEY.pub`.
    #[track_caller]
    pub fn trust(&self, host: &Host, prefix: &str) {
        host.fairing(["trust", "add", "--yes", "--prefix", prefix])
            .arg(&self.public)
            .run()
            .ok();
    }
}
