//! Public keys: Ed25519 and ECDSA on P-256 and P-384, as SubjectPublicKeyInfo in PEM.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::Sha512;
use p256::pkcs8::{Document, ObjectIdentifier, SubjectPublicKeyInfoRef};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    EcdsaVerificationAlgorithm, UnparsedPublicKey,
};
use sha2::Digest as _;

use crate::algorithm::Algorithm;
use crate::fingerprint::Fingerprint;
use crate::key_error::{KeyError, MAX_PEM};
use crate::{one_line, pem};

/// id-Ed25519 (RFC 8410).
pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// id-ecPublicKey (RFC 5480).
pub(crate) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// secp256r1 (RFC 5480).
pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// secp384r1 (RFC 5480).
pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// Everything of a P-256 SubjectPublicKeyInfo before its uncompressed point.
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Everything of a P-384 SubjectPublicKeyInfo before its uncompressed point.
const P384_SPKI: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];
/// Everything of an Ed25519 SubjectPublicKeyInfo before the key (RFC 8410, section 4).
const ED25519_SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

impl FromStr for Algorithm {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ecdsa-p256" => Ok(Self::EcdsaP256),
            "ecdsa-p384" => Ok(Self::EcdsaP384),
            "ed25519" => Ok(Self::Ed25519),
            _ => Err(KeyError::UnknownAlgorithm {
                text: one_line::quoted(text),
            }),
        }
    }
}

impl KeyError {
    pub(crate) fn broken(reason: &impl fmt::Display) -> Self {
        Self::Broken {
            reason: one_line::message(reason),
        }
    }
}

#[derive(Clone)]
enum Kind {
    EcdsaP256(p256::ecdsa::VerifyingKey),
    EcdsaP384(p384::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

/// A key that signatures are verified with. Two of them are equal if they are the same key, in
/// whatever form they were written.
#[derive(Clone)]
pub struct PublicKey {
    kind: Kind,
    fingerprint: Fingerprint,
}

impl PublicKey {
    /// Parses a SubjectPublicKeyInfo in PEM (`-----BEGIN PUBLIC KEY-----`, RFC 7468 section 13).
    /// White space around it is ignored.
    ///
    /// # Errors
    /// [`KeyError`], for other PEM texts with a hint, for other algorithms and curves, for points
    /// off the curve and for weak keys.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.len() > MAX_PEM {
            return Err(KeyError::TooLong { size: text.len() });
        }
        pem::expect_label(text, pem::PUBLIC)?;
        let (_, document) = Document::from_pem(text).map_err(|error| KeyError::broken(&error))?;
        let spki: SubjectPublicKeyInfoRef<'_> = document
            .decode_msg()
            .map_err(|error| KeyError::broken(&error))?;
        match spki.algorithm.oid {
            ED25519 => ed25519_dalek::VerifyingKey::try_from(spki)
                .map_err(|error| KeyError::broken(&error))
                .and_then(Self::from_ed25519),
            EC => match spki.algorithm.parameters_oid() {
                Ok(P256) => p256::ecdsa::VerifyingKey::try_from(spki)
                    .map(Self::from_p256)
                    .map_err(|_| off_curve("P-256")),
                Ok(P384) => p384::ecdsa::VerifyingKey::try_from(spki)
                    .map(|key| Self::new(Kind::EcdsaP384(key)))
                    .map_err(|_| off_curve("P-384")),
                Ok(curve) => Err(KeyError::Unsupported {
                    oid: format!("{EC} on the curve {curve}"),
                }),
                Err(error) => Err(KeyError::broken(&error)),
            },
            oid => Err(KeyError::Unsupported {
                oid: oid.to_string(),
            }),
        }
    }

    pub(crate) fn from_p256(key: p256::ecdsa::VerifyingKey) -> Self {
        Self::new(Kind::EcdsaP256(key))
    }

    pub(crate) fn from_ed25519(key: ed25519_dalek::VerifyingKey) -> Result<Self, KeyError> {
        if key.is_weak() {
            Err(KeyError::Weak)
        } else {
            Ok(Self::new(Kind::Ed25519(key)))
        }
    }

    fn new(kind: Kind) -> Self {
        // From the canonical encoding, not from the text: the same key in compressed form must not
        // count as a second signer.
        let fingerprint = Fingerprint::of(&spki_der(&kind));
        Self { kind, fingerprint }
    }

    /// The key in canonical PEM, ending in a newline, as `openssl pkey -pubout` writes it.
    pub fn to_pem(&self) -> String {
        pem::encode(pem::PUBLIC, &spki_der(&self.kind))
            .as_str()
            .to_owned()
    }

    /// The sha256 of the key's canonical SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The kind of key.
    pub fn algorithm(&self) -> Algorithm {
        match self.kind {
            Kind::EcdsaP256(_) => Algorithm::EcdsaP256,
            Kind::EcdsaP384(_) => Algorithm::EcdsaP384,
            Kind::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// Whether `signature` is this key's over a simple signing payload.
    ///
    /// ECDSA: ASN.1 DER over SHA-256 whatever the curve, either value of `s`. Ed25519: 64 bytes, pure or prehashed
    /// with SHA-512 (Ed25519ph, what newer cosign writes); the two are domain-separated, so that
    /// one can't stand for the other. Both are verified by the strict rules.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            Kind::EcdsaP256(key) => {
                let point = key.to_sec1_point(false);
                ecdsa(
                    &ECDSA_P256_SHA256_ASN1,
                    point.as_bytes(),
                    message,
                    signature,
                )
            }
            Kind::EcdsaP384(key) => {
                let point = key.to_sec1_point(false);
                ecdsa(
                    &ECDSA_P384_SHA256_ASN1,
                    point.as_bytes(),
                    message,
                    signature,
                )
            }
            Kind::Ed25519(key) => {
                ed25519_dalek::Signature::from_slice(signature).is_ok_and(|signature| {
                    key.verify_strict(message, &signature).is_ok()
                        || key
                            .verify_prehashed_strict(
                                Sha512::new_with_prefix(message),
                                None,
                                &signature,
                            )
                            .is_ok()
                })
            }
        }
    }

    /// Whether `signature` is this key's over the message of a DSSE envelope (its pre-authentication
    /// encoding). As [`verifies`](Self::verifies), but P-384 signs SHA-384 there.
    pub fn verifies_envelope(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            Kind::EcdsaP384(key) => {
                let point = key.to_sec1_point(false);
                ecdsa(
                    &ECDSA_P384_SHA384_ASN1,
                    point.as_bytes(),
                    message,
                    signature,
                )
            }
            Kind::EcdsaP256(_) | Kind::Ed25519(_) => self.verifies(message, signature),
        }
    }
}

fn off_curve(curve: &str) -> KeyError {
    KeyError::Broken {
        reason: format!("not a point on the curve {curve}"),
    }
}

/// Verifies with ring, which takes a quarter of the time that the crates do that keys are parsed with.
fn ecdsa(
    algorithm: &'static EcdsaVerificationAlgorithm,
    point: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, point)
        .verify(message, signature)
        .is_ok()
}

fn spki_der(kind: &Kind) -> Vec<u8> {
    match kind {
        Kind::EcdsaP256(key) => [&P256_SPKI, key.to_sec1_point(false).as_bytes()].concat(),
        Kind::EcdsaP384(key) => [&P384_SPKI, key.to_sec1_point(false).as_bytes()].concat(),
        Kind::Ed25519(key) => [ED25519_SPKI.as_slice(), key.as_bytes()].concat(),
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm(), self.fingerprint)
    }
}

#[cfg(test)]
mod tests;
