//! Simple signing: the payload that cosign (v1 and v2) and podman sign.
//!
//! ```json
//! {"critical":{"identity":{"docker-reference":"a.io/foo"},
//!              "image":{"docker-manifest-digest":"sha256:…"},
//!              "type":"cosign container image signature"},
//!  "optional":null}
//! ```

use std::collections::BTreeMap;

use oci_spec::image::Digest;

use crate::name::Repository;
use crate::one_line;
use crate::rule::parse_digest;
use crate::strict_json::{self, Node};

/// Largest payload that is read, in bytes. Real ones have about 300.
pub const MAX_PAYLOAD: usize = 64 * 1024;

/// The value of `critical.type`.
const TYPE: &str = "cosign container image signature";

/// Builds the payload that says: this digest belongs to this repository. Byte for byte what cosign
/// writes.
pub fn payload(repository: &Repository, digest: &Digest) -> Vec<u8> {
    // Neither a repository nor a digest has a character that JSON would escape.
    format!(
        r#"{{"critical":{{"identity":{{"docker-reference":"{repository}"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"{TYPE}"}},"optional":null}}"#
    )
    .into_bytes()
}

/// What a payload claims. A claim counts for nothing until its payload's signature is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    docker_reference: String,
    digest: Digest,
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
    #[error("it is no strict JSON: {reason}")]
    Json {
        /// What the parser says.
        reason: String,
    },
    /// A member that must be there isn't.
    #[error("{member} is missing")]
    Missing {
        /// The member, with those that it is in.
        member: &'static str,
    },
    /// A member that means something to others but not here.
    #[error("{within} has an unknown member {member}")]
    Unknown {
        /// The object that it is in.
        within: &'static str,
        /// The member, quoted.
        member: String,
    },
    /// A member is of the wrong type.
    #[error("{member} is not {wanted}")]
    Type {
        /// The member, with those that it is in.
        member: &'static str,
        /// What it should be.
        wanted: &'static str,
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
    /// `optional` may be missing, `null` or any object, and is not looked at.
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
        let mut root = Members::of(root, "the payload")?;
        let mut critical = Members::of(root.take("critical", "critical")?, "critical")?;
        root.allow_optional()?;
        root.finish()?;

        let identity = critical.take("identity", "critical.identity")?;
        let image = critical.take("image", "critical.image")?;
        let kind = critical.take("type", "critical.type")?;
        critical.finish()?;
        let kind = text(kind, "critical.type")?;
        if kind != TYPE {
            return Err(PayloadError::OtherType {
                found: one_line::quoted(&kind),
            });
        }
        const REFERENCE: &str = "critical.identity.docker-reference";
        const DIGEST: &str = "critical.image.docker-manifest-digest";
        let docker_reference =
            only_text(identity, "critical.identity", "docker-reference", REFERENCE)?;
        let digest = only_text(image, "critical.image", "docker-manifest-digest", DIGEST)?;
        let digest = parse_digest(&digest).map_err(|error| PayloadError::Digest {
            reason: error.to_string(),
        })?;
        Ok(Self {
            docker_reference,
            digest,
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

    /// Whether the claim is about this repository, with or without a tag.
    pub fn names(&self, repository: &Repository) -> bool {
        repository.is_named_by(&self.docker_reference)
    }
}

/// The members of an object, taken out one by one until none may be left.
struct Members {
    within: &'static str,
    left: BTreeMap<String, Node>,
}

impl Members {
    fn of(node: Node, within: &'static str) -> Result<Self, PayloadError> {
        match node {
            Node::Object(left) => Ok(Self { within, left }),
            _ => Err(PayloadError::Type {
                member: within,
                wanted: "an object",
            }),
        }
    }

    fn take(&mut self, name: &str, member: &'static str) -> Result<Node, PayloadError> {
        self.left
            .remove(name)
            .ok_or(PayloadError::Missing { member })
    }

    fn allow_optional(&mut self) -> Result<(), PayloadError> {
        match self.left.remove("optional") {
            None | Some(Node::Null | Node::Object(_)) => Ok(()),
            Some(_) => Err(PayloadError::Type {
                member: "optional",
                wanted: "an object or null",
            }),
        }
    }

    fn finish(self) -> Result<(), PayloadError> {
        match self.left.into_keys().next() {
            None => Ok(()),
            Some(name) => Err(PayloadError::Unknown {
                within: self.within,
                member: one_line::quoted(&name),
            }),
        }
    }
}

fn only_text(
    node: Node,
    within: &'static str,
    name: &str,
    member: &'static str,
) -> Result<String, PayloadError> {
    let mut members = Members::of(node, within)?;
    let value = text(members.take(name, member)?, member)?;
    members.finish()?;
    Ok(value)
}

fn text(node: Node, member: &'static str) -> Result<String, PayloadError> {
    match node {
        Node::Text(text) => Ok(text),
        _ => Err(PayloadError::Type {
            member,
            wanted: "a string",
        }),
    }
}

#[cfg(test)]
mod tests;
