//! Simple signing: the payload that cosign (v1 and v2) and podman sign.
//!
//! ```json
//! {"critical":{"identity":{"docker-reference":"a.io/foo"},
//!              "image":{"docker-manifest-digest":"sha256:…"},
//!              "type":"cosign container image signature"},
//!  "optional":null}
//! ```

use image_name::{Digest, Repository};

use crate::digest::parse_digest;
use crate::one_line;
use crate::strict_json::{self, Members, Node};
use crate::timestamp::{SignedTime, Timestamp};

/// Largest payload that is read, in bytes. Real ones have about 300.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// The value of `critical.type`.
const TYPE: &str = "cosign container image signature";

/// Builds the payload that says: this digest belongs to this repository. Without a time it is byte for
/// byte what cosign writes.
///
/// The time goes where podman puts it, `optional.timestamp`, as seconds since 1970.
pub fn payload(repository: &Repository, digest: &Digest, time: Option<Timestamp>) -> Vec<u8> {
    payload_for(repository.as_str(), digest, time)
}

/// Builds the payload for a name that may have a tag.
pub(crate) fn payload_for(name: &str, digest: &Digest, time: Option<Timestamp>) -> Vec<u8> {
    let name = serde_json::Value::from(name);
    let optional = match time {
        Some(time) => format!(r#"{{"timestamp":{}}}"#, time.seconds()),
        None => "null".to_owned(),
    };
    // A digest has no character that JSON would escape.
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":{name}}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{TYPE}"}},"optional":{optional}}}"#
    )
    .into_bytes()
}

/// What a payload claims. A claim counts for nothing until its payload's signature is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    docker_reference: String,
    digest: Digest,
    time: Option<SignedTime>,
}

/// Why bytes are no payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Longer than any real payload.
    #[error("it is {size} bytes long, the limit is {MAX_PAYLOAD}")]
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
    /// A member is missing, of the wrong type, or means something to others but not here.
    #[error("{reason}")]
    Shape {
        /// Which member, and what is wrong with it.
        reason: String,
    },
    /// Made for something other than images.
    #[error("critical.type is {found}, not {TYPE:?}")]
    OtherType {
        /// The type, quoted.
        found: String,
    },
    /// The digest isn't one.
    #[error("critical.image.docker-manifest-digest: {reason}")]
    Digest {
        /// Why not.
        reason: String,
    },
}

impl Claim {
    /// Parses a payload strictly: exactly the members above, none twice, nothing after them.
    /// `optional` may be missing, `null` or any object; only its `timestamp` is looked at.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(PayloadError::TooLarge {
                size: payload.len(),
            });
        }
        let root = strict_json::parse(payload).map_err(|reason| PayloadError::Json { reason })?;
        let parts = Parts::of(root).map_err(|reason| PayloadError::Shape { reason })?;
        if parts.kind != TYPE {
            return Err(PayloadError::OtherType {
                found: one_line::quoted(&parts.kind),
            });
        }
        let digest = parse_digest(&parts.digest).map_err(|error| PayloadError::Digest {
            reason: error.to_string(),
        })?;
        Ok(Self {
            docker_reference: parts.docker_reference,
            digest,
            time: parts.time,
        })
    }

    /// The name that was signed, as the signer wrote it.
    pub fn docker_reference(&self) -> &str {
        &self.docker_reference
    }

    /// The digest that was signed: of an index or of a manifest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// When the signer says that it signed, if it says so: whole seconds (podman), or a text of
    /// digits or of RFC 3339 (`cosign sign -a timestamp=…`).
    pub fn time(&self) -> Option<&SignedTime> {
        self.time.as_ref()
    }

    /// Whether the claim is about this repository, with or without a tag.
    pub fn names(&self, repository: &Repository) -> bool {
        repository.is_named_by(&self.docker_reference)
    }
}

/// The members of a payload, none of them understood yet.
struct Parts {
    docker_reference: String,
    digest: String,
    kind: String,
    time: Option<SignedTime>,
}

impl Parts {
    fn of(root: Node) -> Result<Self, String> {
        let mut root = Members::root(root, "the payload")?;
        let mut critical = root.object("critical")?;
        let time = match root.take_if_any("optional") {
            None | Some(Node::Null) => None,
            Some(Node::Object(mut members)) => members.remove("timestamp").map(SignedTime::of),
            Some(_) => return Err("optional is not an object or null".to_owned()),
        };
        root.finish()?;
        let mut identity = critical.object("identity")?;
        let mut image = critical.object("image")?;
        let kind = critical.text("type")?;
        critical.finish()?;
        let docker_reference = identity.text("docker-reference")?;
        identity.finish()?;
        let digest = image.text("docker-manifest-digest")?;
        image.finish()?;
        Ok(Self {
            docker_reference,
            digest,
            kind,
            time,
        })
    }
}

#[cfg(test)]
mod tests;
