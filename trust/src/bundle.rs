//! Sigstore bundles: one signed statement (a DSSE envelope) and what it is verified with, as an OCI 1.1
//! referrer carries it.
//!
//! Only the statement is signed. Everything around it is read as proto3 JSON wants: members that
//! aren't known are skipped, so that newer writers don't lock older readers out; none may appear twice.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::PublicKey;
use crate::one_line;
use crate::private_key::PrivateKey;
use crate::strict_json::{self, Members};

/// Largest bundle that is read, in bytes. A signature has about 700; a list of all parts of an image can
/// have some millions, and in base64 a third more. Who fetches may want less.
pub const MAX_BUNDLE: usize = 64 << 20;

/// The media type of bundles that are made.
pub const BUNDLE_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Media types of bundles that are read: 0.3, and how it and its elders were written before.
const MEDIA_TYPES: [&str; 4] = [
    BUNDLE_MEDIA_TYPE,
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
];

/// The one payload type that is understood.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Longest signature in bytes; P-384 needs 104.
const MAX_SIGNATURE: usize = 1024;

/// A bundle whose signature is still to be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    hint: Option<String>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Why bytes are no bundle that a key could verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Longer than is read.
    #[error("it is {size} bytes long, the limit is {MAX_BUNDLE}")]
    TooLarge {
        /// Its length in bytes.
        size: usize,
    },
    /// No JSON, or with a member that appears twice.
    #[error("it is not strict JSON: {reason}")]
    Json {
        /// What the parser says.
        reason: String,
    },
    /// A member is missing or of the wrong type.
    #[error("{reason}")]
    Shape {
        /// Which member, and what is wrong with it.
        reason: String,
    },
    /// Not a Sigstore bundle of a known version.
    #[error("its media type is {found}, not {BUNDLE_MEDIA_TYPE:?}")]
    MediaType {
        /// The media type, quoted.
        found: String,
    },
    /// Signed under a certificate, by an identity that no key stands for.
    #[error("it was made with a certificate, not with a key")]
    Certificate,
    /// The signature of a file, not of a statement.
    #[error("it holds the signature of a file, not a statement about an image")]
    MessageSignature,
    /// The envelope holds something else than a statement.
    #[error("its payload type is {found}, not {PAYLOAD_TYPE:?}")]
    PayloadType {
        /// The payload type, quoted.
        found: String,
    },
    /// None, or several of which any could be meant.
    #[error("it holds {found} signatures, not one")]
    Signatures {
        /// How many there are.
        found: usize,
    },
}

impl Bundle {
    /// Parses a bundle.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE {
            return Err(BundleError::TooLarge { size: bytes.len() });
        }
        let root = strict_json::parse(bytes).map_err(|reason| BundleError::Json { reason })?;
        let mut root = Members::root(root, "the bundle").map_err(shape)?;
        let media_type = root.text("mediaType").map_err(shape)?;
        if !MEDIA_TYPES.contains(&media_type.as_str()) {
            return Err(BundleError::MediaType {
                found: one_line::quoted(&media_type),
            });
        }
        let mut material = root.object("verificationMaterial").map_err(shape)?;
        let certificate = material
            .names()
            .any(|name| matches!(name, "certificate" | "x509CertificateChain"));
        let key = material.object_if_any("publicKey").map_err(shape)?;
        let hint = match (key, certificate) {
            (Some(mut key), false) => key.text_if_any("hint").map_err(shape)?,
            (None, true) => return Err(BundleError::Certificate),
            (None, false) => return Err(shape("verificationMaterial.publicKey is missing".into())),
            (Some(_), true) => {
                let reason = "verificationMaterial has both a key and a certificate";
                return Err(shape(reason.to_owned()));
            }
        };
        match (
            root.object_if_any("dsseEnvelope").map_err(shape)?,
            root.take_if_any("messageSignature"),
        ) {
            (Some(envelope), None) => Self::of_envelope(envelope, hint),
            (None, Some(_)) => Err(BundleError::MessageSignature),
            (None, None) => Err(shape("dsseEnvelope is missing".to_owned())),
            (Some(_), Some(_)) => Err(shape(
                "it has both a dsseEnvelope and a messageSignature".to_owned(),
            )),
        }
    }

    fn of_envelope(mut envelope: Members, hint: Option<String>) -> Result<Self, BundleError> {
        let payload_type = envelope.text("payloadType").map_err(shape)?;
        if payload_type != PAYLOAD_TYPE {
            return Err(BundleError::PayloadType {
                found: one_line::quoted(&payload_type),
            });
        }
        let payload = envelope.text("payload").map_err(shape)?;
        let payload = base64(&payload, "dsseEnvelope.payload")?;
        let signatures = envelope.list("signatures").map_err(shape)?;
        let found = signatures.len();
        let mut signatures = signatures.into_iter();
        let (Some(signature), None) = (signatures.next(), signatures.next()) else {
            return Err(BundleError::Signatures { found });
        };
        let path = "dsseEnvelope.signatures.0";
        let mut signature = Members::of(signature, path).map_err(shape)?;
        let signature = signature.text("sig").map_err(shape)?;
        let signature = base64(&signature, "dsseEnvelope.signatures.0.sig")?;
        if signature.len() > MAX_SIGNATURE {
            let reason = format!("{path}.sig is longer than {MAX_SIGNATURE} bytes");
            return Err(shape(reason));
        }
        Ok(Self {
            hint,
            payload,
            signature,
        })
    }

    /// The bytes of the statement, as they were signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Whether the bundle names this key. Nothing but a hint of which one to try first.
    pub fn hints_at(&self, key: &PublicKey) -> bool {
        self.hint.as_deref() == Some(key.bundle_hint().as_str())
    }

    /// The message that is signed: the pre-authentication encoding of the payload.
    pub(crate) fn message(&self) -> Vec<u8> {
        message(&self.payload)
    }

    /// The signature over [`Bundle::message`].
    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Whether this key signed the statement.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verifies_envelope(&self.message(), &self.signature)
    }
}

impl PrivateKey {
    /// Signs a statement and gives the bundle, in the form that cosign 3 writes.
    pub fn sign_statement(&self, statement: &[u8]) -> Vec<u8> {
        let payload = STANDARD.encode(statement);
        let signature = self.sign(&message(statement));
        let hint = self.public().bundle_hint();
        format!(
            r#"{{"mediaType":"{BUNDLE_MEDIA_TYPE}","verificationMaterial":{{"publicKey":{{"hint":"{hint}"}}}},"dsseEnvelope":{{"payload":"{payload}","payloadType":"{PAYLOAD_TYPE}","signatures":[{{"sig":"{signature}"}}]}}}}"#
        )
        .into_bytes()
    }
}

/// DSSE's pre-authentication encoding, version 1.
fn message(payload: &[u8]) -> Vec<u8> {
    let (type_length, length) = (PAYLOAD_TYPE.len(), payload.len());
    let mut message = format!("DSSEv1 {type_length} {PAYLOAD_TYPE} {length} ").into_bytes();
    message.extend_from_slice(payload);
    message
}

impl PublicKey {
    /// What bundles call the key, if they tell of theirs: the base64 of its fingerprint.
    pub fn bundle_hint(&self) -> String {
        STANDARD.encode(self.fingerprint().as_bytes())
    }
}

fn base64(text: &str, member: &str) -> Result<Vec<u8>, BundleError> {
    STANDARD
        .decode(text)
        .map_err(|_| shape(format!("{member} is not base64")))
}

fn shape(reason: String) -> BundleError {
    BundleError::Shape { reason }
}

#[cfg(test)]
mod tests;
