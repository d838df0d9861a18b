//! in-toto statements: what is signed within a bundle, whether it says "this image is mine" or tells
//! something about it (an attestation: provenance, a scan result, a bill of materials).

use image_name::{Digest, Repository};

use crate::digest::parse_digest;
use crate::one_line;
use crate::strict_json::{self, Members, Node};
use crate::timestamp::{SignedTime, Timestamp};

/// The predicate type of a statement that is a signature: cosign's.
pub const SIGNATURE_TYPE: &str = "https://sigstore.dev/cosign/sign/v1";

/// The type of statements that are made.
const V1: &str = "https://in-toto.io/Statement/v1";
/// The older type, which cosign still makes attestations of. It means the same.
const V0_1: &str = "https://in-toto.io/Statement/v0.1";

/// Longest predicate type that is taken, in bytes.
const MAX_TYPE: usize = 512;

/// What a statement says. It counts for nothing until its signature is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    subjects: Vec<Subject>,
    predicate_type: String,
    predicate: Node,
}

/// One thing that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subject {
    name: Option<String>,
    digest: Option<Digest>,
    time: Option<SignedTime>,
}

/// What a statement says of one digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About<'a> {
    /// The name that the signer gives it, if any.
    pub(crate) name: Option<&'a str>,
    /// The digest.
    pub(crate) digest: &'a Digest,
    /// When the signer says that it signed.
    pub(crate) time: Option<&'a SignedTime>,
}

/// Why bytes are no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// No JSON, or with a member that appears twice.
    #[error("its statement is not strict JSON: {reason}")]
    Json {
        /// What the parser says.
        reason: String,
    },
    /// A member is missing, of the wrong type, or unknown.
    #[error("its statement is not understood: {reason}")]
    Shape {
        /// Which member, and what is wrong with it.
        reason: String,
    },
    /// Not an in-toto statement of a known version.
    #[error("its statement is of type {found}, not {V1:?}")]
    OtherType {
        /// The type, quoted.
        found: String,
    },
    /// A predicate type that can't be written.
    #[error("{text} is not a predicate type: it must be a URI of at most {MAX_TYPE} bytes")]
    PredicateType {
        /// The text, quoted.
        text: String,
    },
}

impl Statement {
    /// Parses a statement strictly: exactly the members of in-toto's Statement and
    /// ResourceDescriptor, none twice. The predicate is free.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        let root =
            strict_json::parse_signed(payload).map_err(|reason| StatementError::Json { reason })?;
        let shape = |reason| StatementError::Shape { reason };
        let mut root = Members::root(root, "the statement").map_err(shape)?;
        let kind = root.text("_type").map_err(shape)?;
        if kind != V1 && kind != V0_1 {
            return Err(StatementError::OtherType {
                found: one_line::quoted(&kind),
            });
        }
        let read = || {
            let predicate_type = root.text("predicateType")?;
            let predicate = match root.take_if_any("predicate") {
                None => Node::Null,
                Some(node @ (Node::Object(_) | Node::Null)) => node,
                Some(_) => return Err("predicate is not an object".to_owned()),
            };
            let subjects = root
                .list("subject")?
                .into_iter()
                .enumerate()
                .map(|(at, node)| Subject::of(node, &format!("subject.{at}")))
                .collect::<Result<_, _>>()?;
            root.finish()?;
            Ok(Self {
                subjects,
                predicate_type,
                predicate,
            })
        };
        read().map_err(shape)
    }

    /// What kind of statement it is.
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// The digests that it is about.
    pub fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.subjects
            .iter()
            .filter_map(|subject| subject.digest.as_ref())
    }

    /// What it says of the first of these digests that it is about.
    pub(crate) fn about(&self, digests: &[Digest]) -> Option<About<'_>> {
        self.subjects.iter().find_map(|subject| {
            let digest = subject.digest.as_ref()?;
            digests.contains(digest).then_some(About {
                name: subject.name.as_deref(),
                digest,
                time: subject.time.as_ref(),
            })
        })
    }

    /// The value at a path of member names and list positions within the predicate.
    pub(crate) fn field<'a>(&self, path: impl Iterator<Item = &'a str>) -> Option<&Node> {
        path.into_iter()
            .try_fold(&self.predicate, |node, name| match node {
                Node::Object(members) => members.get(name),
                Node::List(list) => list.get(name.parse::<usize>().ok()?),
                _ => None,
            })
    }
}

impl Subject {
    /// Reads an in-toto ResourceDescriptor.
    fn of(node: Node, path: &str) -> Result<Self, String> {
        let mut members = Members::of(node, path)?;
        let name = members.text_if_any("name")?.filter(|name| !name.is_empty());
        let digest = members.object_if_any("digest")?;
        let digest = digest.map(|mut digests| digests.text_if_any("sha256"));
        let digest = digest
            .transpose()?
            .flatten()
            .map(|hex| parse_digest(&format!("sha256:{hex}")))
            .transpose()
            .map_err(|error| error.to_string())?;
        let time = members
            .object_if_any("annotations")?
            .and_then(|mut annotations| annotations.take_if_any("timestamp"))
            .map(SignedTime::of);
        for other in ["uri", "content", "downloadLocation", "mediaType"] {
            members.text_if_any(other)?;
        }
        members.finish()?;
        Ok(Self { name, digest, time })
    }
}

/// Builds the statement that is a signature: this digest belongs to this repository. cosign's own names no
/// repository; a name that is there is checked.
///
/// The time goes where `cosign sign -a timestamp=…` puts it: the subject's annotation `timestamp`.
pub fn signature_statement(
    repository: &Repository,
    digest: &Digest,
    time: Option<Timestamp>,
) -> Vec<u8> {
    render(repository, digest, time, SIGNATURE_TYPE, "{}")
}

/// Builds a statement that tells something about a digest of this repository. `predicate` is a JSON
/// object and is signed as it stands.
///
/// # Errors
/// [`StatementError`] for a predicate that is no strict JSON object, and for no predicate type.
pub fn attestation_statement(
    repository: &Repository,
    digest: &Digest,
    time: Option<Timestamp>,
    predicate_type: &str,
    predicate: &[u8],
) -> Result<Vec<u8>, StatementError> {
    let json = |reason| StatementError::Json { reason };
    let node = strict_json::parse_signed(predicate).map_err(json)?;
    Members::root(node, "the predicate").map_err(|reason| StatementError::Shape { reason })?;
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    let usable = predicate_type.contains(':')
        && predicate_type.len() <= MAX_TYPE
        && predicate_type.bytes().all(plain);
    if !usable {
        return Err(StatementError::PredicateType {
            text: one_line::quoted(predicate_type),
        });
    }
    let predicate = std::str::from_utf8(predicate).map_err(|error| json(error.to_string()))?;
    Ok(render(
        repository,
        digest,
        time,
        predicate_type,
        predicate.trim(),
    ))
}

fn render(
    repository: &Repository,
    digest: &Digest,
    time: Option<Timestamp>,
    predicate_type: &str,
    predicate: &str,
) -> Vec<u8> {
    let annotations = match time {
        Some(time) => format!(r#"{{"timestamp":"{time}"}}"#),
        None => "{}".to_owned(),
    };
    let hex = digest.hex();
    // Nothing of these has a character that JSON would escape.
    format!(
        r#"{{"_type":"{V1}","subject":[{{"name":"{repository}","digest":{{"sha256":"{hex}"}},"annotations":{annotations}}}],"predicateType":"{predicate_type}","predicate":{predicate}}}"#
    )
    .into_bytes()
}

/// The predicate type that goes by a short name, as `cosign attest --type` takes it.
pub fn predicate_type(name: &str) -> Option<&'static str> {
    Some(match name {
        "custom" => "https://cosign.sigstore.dev/attestation/v1",
        "vuln" => "https://cosign.sigstore.dev/attestation/vuln/v1",
        "slsaprovenance" | "slsaprovenance02" => "https://slsa.dev/provenance/v0.2",
        "slsaprovenance1" => "https://slsa.dev/provenance/v1",
        "link" => "https://in-toto.io/Link/v1",
        "spdx" | "spdxjson" => "https://spdx.dev/Document",
        "cyclonedx" => "https://cyclonedx.org/bom",
        "openvex" => "https://openvex.dev/ns",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
