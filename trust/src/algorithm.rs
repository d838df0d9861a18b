//! The kinds of key.

use std::fmt;

/// The kinds of key that sign images.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// ECDSA on NIST P-256 with SHA-256, what cosign makes and every verifier takes.
    #[default]
    EcdsaP256,
    /// ECDSA on NIST P-384. Its signatures are verified; none are made.
    EcdsaP384,
    /// Ed25519 (RFC 8032): small and fast to verify.
    Ed25519,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::Ed25519 => "ed25519",
        })
    }
}
