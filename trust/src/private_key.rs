//! Private keys: made, read, written and used to sign. Used by `fairing image sign` alone.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use p256::elliptic_curve::zeroize::Zeroizing;
use p256::pkcs8::{PrivateKeyInfoRef, SecretDocument};

use crate::algorithm::Algorithm;
use crate::key::{EC, ED25519, P384, PublicKey};
use crate::key_error::{KeyError, MAX_PEM};
use crate::pem;

/// Everything of a PKCS#8 Ed25519 key before the seed (RFC 8410, section 7), version 1.
const ED25519_PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// Everything of a PKCS#8 P-256 key before the scalar (RFC 5915 within RFC 5208).
const P256_PKCS8: [u8; 36] = [
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02,
    0x01, 0x01, 0x04, 0x20,
];
/// What stands between the scalar and the uncompressed point.
const P256_PKCS8_POINT: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];

/// How often random bytes are drawn until they make a P-256 scalar. One draw fails with a chance
/// of 2^-32.
const DRAWS: usize = 8;

enum Kind {
    EcdsaP256(p256::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

/// A key that signs images. Wiped from memory when dropped; its `Debug` form shows the public half.
pub struct PrivateKey {
    kind: Kind,
    public: PublicKey,
}

impl PrivateKey {
    /// Makes a new key from the kernel's random bytes.
    ///
    /// # Errors
    /// [`KeyError::Random`] where the kernel gives none.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        for _ in 0..DRAWS {
            getrandom::fill(seed.as_mut_slice()).map_err(|error| KeyError::Random {
                reason: error.to_string(),
            })?;
            match algorithm {
                Algorithm::Ed25519 => {
                    return Self::from_ed25519(ed25519_dalek::SigningKey::from_bytes(&seed));
                }
                Algorithm::EcdsaP384 => return Err(KeyError::VerifyOnly { algorithm }),
                Algorithm::EcdsaP256 => {
                    if let Ok(key) = p256::ecdsa::SigningKey::from_slice(seed.as_slice()) {
                        return Ok(Self::from_p256(key));
                    }
                }
            }
        }
        Err(KeyError::Random {
            reason: "the bytes drawn were not random".to_owned(),
        })
    }

    /// Parses an unencrypted PKCS#8 key in PEM (`-----BEGIN PRIVATE KEY-----`, RFC 7468
    /// section 10). White space around it is ignored.
    ///
    /// # Errors
    /// [`KeyError`], for other PEM texts with a hint.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.len() > MAX_PEM {
            return Err(KeyError::TooLong { size: text.len() });
        }
        pem::expect_label(text, pem::PRIVATE)?;
        let (_, document) =
            SecretDocument::from_pem(text).map_err(|error| KeyError::broken(&error))?;
        let info: PrivateKeyInfoRef<'_> = document
            .decode_msg()
            .map_err(|error| KeyError::broken(&error))?;
        Self::from_pkcs8(info)
    }

    /// The key of a decoded PKCS#8 document.
    pub(crate) fn from_pkcs8(info: PrivateKeyInfoRef<'_>) -> Result<Self, KeyError> {
        match info.algorithm.oid {
            ED25519 => ed25519_dalek::SigningKey::try_from(info)
                .map_err(|error| KeyError::broken(&error))
                .and_then(Self::from_ed25519),
            EC if info.algorithm.parameters_oid() == Ok(P384) => Err(KeyError::VerifyOnly {
                algorithm: Algorithm::EcdsaP384,
            }),
            EC => p256::ecdsa::SigningKey::try_from(info)
                .map(Self::from_p256)
                .map_err(|_| KeyError::Broken {
                    reason: "not a key of the curve P-256".to_owned(),
                }),
            oid => Err(KeyError::Unsupported {
                oid: oid.to_string(),
            }),
        }
    }

    fn from_p256(key: p256::ecdsa::SigningKey) -> Self {
        let public = PublicKey::from_p256(*key.verifying_key());
        Self {
            kind: Kind::EcdsaP256(key),
            public,
        }
    }

    fn from_ed25519(key: ed25519_dalek::SigningKey) -> Result<Self, KeyError> {
        let public = PublicKey::from_ed25519(key.verifying_key())?;
        Ok(Self {
            kind: Kind::Ed25519(key),
            public,
        })
    }

    /// The key as unencrypted PKCS#8 in PEM, ending in a newline, in the form that OpenSSL writes.
    /// The text is wiped from memory when dropped; write it to a file of mode 0600.
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::encode(pem::PRIVATE, &self.to_pkcs8())
    }

    /// The key as unencrypted PKCS#8 in DER.
    pub(crate) fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match &self.kind {
            Kind::EcdsaP256(key) => {
                let scalar = Zeroizing::new(<[u8; 32]>::from(key.to_bytes()));
                let point = key.verifying_key().to_sec1_point(false);
                [
                    &P256_PKCS8,
                    scalar.as_slice(),
                    &P256_PKCS8_POINT,
                    point.as_bytes(),
                ]
                .concat()
            }
            Kind::Ed25519(key) => [ED25519_PKCS8.as_slice(), key.as_bytes()].concat(),
        })
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The kind of key.
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// Signs a payload (see [`payload`](crate::payload)) and gives the signature in standard
    /// base64, as the annotation `dev.cosignproject.cosign/signature` wants it. The same signature
    /// serves as that of a DSSE envelope over its message.
    ///
    /// ECDSA is ASN.1 DER over SHA-256 with the nonce of RFC 6979; Ed25519 is pure.
    pub fn sign(&self, payload: &[u8]) -> String {
        match &self.kind {
            Kind::EcdsaP256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(payload);
                STANDARD.encode(signature.to_der())
            }
            Kind::Ed25519(key) => STANDARD.encode(key.sign(payload).to_bytes()),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {:?})", self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256: &str = include_str!("../tests/data/p256.key");
    const ED25519_TEXT: &str = include_str!("../tests/data/ed25519.key");

    fn signature(key: &PrivateKey, message: &[u8]) -> Vec<u8> {
        STANDARD.decode(key.sign(message)).unwrap()
    }

    #[test]
    fn keys_of_openssl_are_read_and_written_byte_for_byte() {
        for text in [P256, ED25519_TEXT] {
            let key = PrivateKey::from_pem(text).unwrap();
            assert_eq!(key.to_pem().as_str(), text);
        }
        let public = PrivateKey::from_pem(P256).unwrap().public().to_pem();
        assert_eq!(public, include_str!("../tests/data/p256.pub"));
        let public = PrivateKey::from_pem(ED25519_TEXT)
            .unwrap()
            .public()
            .to_pem();
        assert_eq!(public, include_str!("../tests/data/ed25519.pub"));
    }

    #[test]
    fn new_keys_sign_and_survive_writing() {
        for algorithm in [Algorithm::EcdsaP256, Algorithm::Ed25519] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let other = PrivateKey::generate(algorithm).unwrap();
            assert_ne!(key.public(), other.public());
            assert_eq!(key.algorithm(), algorithm);
            let again = PrivateKey::from_pem(&key.to_pem()).unwrap();
            assert_eq!(again.public(), key.public());
            let signature = signature(&again, b"message");
            assert!(key.public().verifies(b"message", &signature));
            assert!(!key.public().verifies(b"massage", &signature));
            assert!(!other.public().verifies(b"message", &signature));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = PrivateKey::from_pem(ED25519_TEXT).unwrap();
        assert_eq!(
            format!("{key:?}"),
            format!("PrivateKey(of {:?})", key.public())
        );
    }

    #[test]
    fn other_texts_are_refused_with_a_hint() {
        let public = PrivateKey::from_pem(include_str!("../tests/data/p256.pub")).unwrap_err();
        assert!(
            public.to_string().contains("the private key is needed"),
            "{public}"
        );
        let sealed = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n";
        let sealed = PrivateKey::from_pem(sealed).unwrap_err();
        assert!(
            sealed.to_string().contains("give its passphrase"),
            "{sealed}"
        );
        let p384 = PrivateKey::from_pem(include_str!("../tests/data/p384.key")).unwrap_err();
        let algorithm = Algorithm::EcdsaP384;
        assert_eq!(p384, KeyError::VerifyOnly { algorithm });
        let torn: String = P256.chars().take(100).collect();
        assert!(matches!(
            PrivateKey::from_pem(&torn),
            Err(KeyError::Broken { .. })
        ));
        let rest = P256.replace("MIGH", "MIGI");
        assert!(matches!(
            PrivateKey::from_pem(&rest),
            Err(KeyError::Broken { .. })
        ));
        let longest = format!("{P256}{}", "x".repeat(16_384 - P256.len()));
        for (text, is_too_long) in [(longest.clone(), false), (longest + "x", true)] {
            let error = PrivateKey::from_pem(&text).unwrap_err();
            let found = matches!(error, KeyError::TooLong { .. });
            assert_eq!(found, is_too_long, "{error}");
        }
    }
}
