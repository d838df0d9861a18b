//! One signature, examined: who made it, and whether it counts for an image.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_spec::image::Digest;

use crate::fingerprint::Fingerprint;
use crate::key::PublicKey;
use crate::one_line;
use crate::simple_signing::{Claim, MAX_PAYLOAD, PayloadError};
use crate::verify::Subject;

/// Most signatures that are looked at for one image. More don't count: whoever can add signatures
/// to a registry must not decide how long a start takes.
pub const MAX_SIGNATURES: usize = 128;

/// Longest signature in base64, in bytes. P-256 needs 96, Ed25519 88.
const MAX_SIGNATURE: usize = 1024;

/// A signature as the store holds it: one layer of a cosign signature manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLayer {
    /// The layer's blob, which is what was signed.
    pub payload: Vec<u8>,
    /// The annotation `dev.cosignproject.cosign/signature`: standard base64.
    pub signature: String,
}

/// Why a signature doesn't count for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The annotation is no base64 or far too long.
    #[error("its signature is no base64 of a sane length")]
    Encoding,
    /// The payload is too large to be looked at.
    #[error("its payload is {size} bytes long, the limit is {MAX_PAYLOAD}")]
    PayloadTooLarge {
        /// Its length in bytes.
        size: usize,
    },
    /// None of the keys made it, or its payload was changed.
    #[error("no key of the rule made it")]
    OtherKey,
    /// A good key signed a payload that isn't understood.
    #[error("its payload is refused: {0}")]
    Payload(PayloadError),
    /// A good key signed another image.
    #[error("it is for another image, {signed}")]
    OtherImage {
        /// The digest that was signed.
        signed: Digest,
    },
    /// A good key signed the image under another name.
    #[error("it is for another name, {}", one_line::quoted(.signed))]
    OtherName {
        /// The `docker-reference` that was signed.
        signed: String,
    },
}

impl Flaw {
    /// How much a flaw says about what went wrong; of several the highest is reported.
    pub(crate) fn weight(&self) -> u8 {
        match self {
            Self::OtherKey => 0,
            Self::Encoding | Self::PayloadTooLarge { .. } => 1,
            Self::Payload(_) => 2,
            Self::OtherImage { .. } => 3,
            Self::OtherName { .. } => 4,
        }
    }
}

/// A signature that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Examined {
    /// The key that made it, if it is one of the rule's.
    pub(crate) key: Option<Fingerprint>,
    /// The digest that it counts for, or why it doesn't.
    pub(crate) verdict: Result<Digest, Flaw>,
}

/// Examines one signature. It is verified over the raw payload first; a payload that no key of the
/// rule signed is never parsed.
pub(crate) fn examine(
    keys: &[PublicKey],
    subject: &Subject<'_>,
    layer: &SignatureLayer,
) -> Examined {
    let flawed = |key, flaw| Examined {
        key,
        verdict: Err(flaw),
    };
    if layer.payload.len() > MAX_PAYLOAD {
        return flawed(
            None,
            Flaw::PayloadTooLarge {
                size: layer.payload.len(),
            },
        );
    }
    let decoded = (layer.signature.len() <= MAX_SIGNATURE)
        .then(|| STANDARD.decode(&layer.signature).ok())
        .flatten();
    let Some(signature) = decoded else {
        return flawed(None, Flaw::Encoding);
    };
    let Some(key) = keys
        .iter()
        .find(|key| key.verifies(&layer.payload, &signature))
    else {
        return flawed(None, Flaw::OtherKey);
    };
    let verdict = Claim::parse(&layer.payload)
        .map_err(Flaw::Payload)
        .and_then(|claim| {
            if !subject.digests.contains(claim.digest()) {
                Err(Flaw::OtherImage {
                    signed: claim.digest().clone(),
                })
            } else if !claim.names(subject.repository) {
                Err(Flaw::OtherName {
                    signed: claim.docker_reference().to_owned(),
                })
            } else {
                Ok(claim.digest().clone())
            }
        });
    Examined {
        key: Some(key.fingerprint()),
        verdict,
    }
}
