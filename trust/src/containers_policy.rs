//! Containers' `policy.json` (containers-policy.json(5)), read in place of fairing's own rules, so that a
//! machine with podman keeps one file.
//!
//! The file is read as strictly as podman reads it: an unknown or repeated member or an unknown type refuses
//! the whole file. What podman knows and this crate can't verify (GPG's `signedBy`, `signedBaseLayer`,
//! certificates, the transparency log) refuses the images of its scope, and no others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image_name::{Named, Prefix};

use crate::identity::Identity;
use crate::key_text::KeyText;
use crate::one_line;
use crate::policy::{Policy, PolicyError};
use crate::rule::{Requirement, Rule};
use crate::strict_json::{self, Members, Node};

/// What `keyType` of `signedBy` may be. podman, too, verifies with the first alone.
const KEY_TYPES: [&str; 4] = [
    "GPGKeys",
    "signedByGPGKeys",
    "X509Certificates",
    "signedByX509CAs",
];

/// A policy.json, its key files still to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainersPolicy {
    scopes: Vec<(Prefix, Vec<Draft>)>,
}

/// A text that is no policy.json. The caller knows which file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ContainersPolicyError {
    reason: String,
}

/// A requirement whose keys may be in files.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Draft {
    Ready(Requirement),
    Signed {
        keys: Vec<KeySource>,
        identity: Identity,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum KeySource {
    File(PathBuf),
    Pem(String),
}

impl ContainersPolicy {
    /// Parses the text of a policy.json.
    ///
    /// # Errors
    /// [`ContainersPolicyError`] says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, ContainersPolicyError> {
        strict_json::parse(text.as_bytes())
            .and_then(scopes)
            .map(|scopes| Self { scopes })
            .map_err(|reason| ContainersPolicyError { reason })
    }

    /// The key files that all requirements name.
    pub fn key_files(&self) -> Vec<&Path> {
        files(self.scopes.iter())
    }

    /// The key files that the verdict about one image needs.
    pub fn key_files_for<'n>(&self, image: impl Into<Named<'n>>) -> Vec<&Path> {
        let image = image.into();
        let covering = self.scopes.iter().filter(|(scope, _)| scope.covers(image));
        files(
            covering
                .max_by_key(|(scope, _)| scope.specificity())
                .into_iter(),
        )
    }

    /// Makes rules of it. `file` is where it was read from; `keys` has the texts of key files. A requirement
    /// whose file isn't among them refuses every image, as one whose key can't be read.
    ///
    /// # Errors
    /// [`PolicyError`] for two scopes that are one.
    pub fn into_policy(
        self,
        file: &Path,
        keys: &BTreeMap<PathBuf, String>,
    ) -> Result<Policy, PolicyError> {
        let rules = self.scopes.into_iter().map(|(scope, drafts)| {
            let mut drafts: Vec<_> = drafts.into_iter().map(|draft| draft.finish(keys)).collect();
            let requirement = match drafts.len() {
                1 => drafts.pop().unwrap_or(Requirement::Reject),
                _ => Requirement::All(drafts),
            };
            Rule::new(scope.clone(), requirement).map_err(|source| PolicyError::Rule {
                file: file.to_owned(),
                prefix: scope.to_string(),
                source,
            })
        });
        Policy::of_rules(rules.collect::<Result<_, _>>()?, file)
    }
}

fn files<'a>(scopes: impl Iterator<Item = &'a (Prefix, Vec<Draft>)>) -> Vec<&'a Path> {
    let sources = scopes.flat_map(|(_, drafts)| drafts).flat_map(|draft| {
        let keys: &[KeySource] = match draft {
            Draft::Signed { keys, .. } => keys,
            Draft::Ready(_) => &[],
        };
        keys
    });
    let mut files: Vec<_> = sources
        .filter_map(|source| match source {
            KeySource::File(path) => Some(path.as_path()),
            KeySource::Pem(_) => None,
        })
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}

impl Draft {
    fn finish(self, files: &BTreeMap<PathBuf, String>) -> Requirement {
        match self {
            Self::Ready(requirement) => requirement,
            Self::Signed { keys, identity } => {
                let text = |source: &KeySource| match source {
                    KeySource::Pem(text) => KeyText::new(text),
                    KeySource::File(path) => {
                        KeyText::new(files.get(path).map_or("", String::as_str))
                    }
                };
                Requirement::SignedBy {
                    keys: keys.iter().map(text).collect(),
                    threshold: 1,
                    identity,
                }
            }
        }
    }
}

/// Reads the whole file, and keeps what is for images of registries.
fn scopes(root: Node) -> Result<Vec<(Prefix, Vec<Draft>)>, String> {
    let mut root = Members::root(root, "the policy")?;
    let mut default = Some(drafts(root.list("default")?, "default")?);
    let mut scopes = Vec::new();
    if let Some(transports) = root.object_if_any("transports")? {
        for (transport, node) in transports.into_rest() {
            let path = format!("transports.{}", one_line::plain(&transport));
            for (scope, node) in Members::of(node, &path)?.into_rest() {
                let path = format!("{path}[{}]", one_line::quoted(&scope));
                let Node::List(list) = node else {
                    return Err(format!("{path} is not a list"));
                };
                let drafts = drafts(list, &path)?;
                if transport == "docker" {
                    if scope.is_empty() {
                        default = None;
                    }
                    scopes.push((Prefix::scope(&scope), drafts));
                }
            }
        }
    }
    root.finish()?;
    scopes.extend(default.map(|drafts| (Prefix::scope(""), drafts)));
    Ok(scopes)
}

fn drafts(list: Vec<Node>, path: &str) -> Result<Vec<Draft>, String> {
    if list.is_empty() {
        return Err(format!("{path} lists no requirement"));
    }
    let each = list.into_iter().enumerate();
    each.map(|(at, node)| draft(node, &format!("{path}[{at}]")))
        .collect()
}

fn draft(node: Node, path: &str) -> Result<Draft, String> {
    let mut members = Members::of(node, path)?;
    let kind = members.text("type")?;
    let draft = match kind.as_str() {
        "insecureAcceptAnything" => Draft::Ready(Requirement::AcceptUnsigned),
        "reject" => Draft::Ready(Requirement::Reject),
        "sigstoreSigned" => sigstore_signed(&mut members, path)?,
        "signedBy" => {
            gpg_signed(&mut members, path)?;
            unsupported("GPG signatures (signedBy)")
        }
        "signedBaseLayer" => {
            let base = members.object("baseLayerIdentity")?;
            read_identity(base, &members.path_of("baseLayerIdentity"))?;
            unsupported("signatures of base layers (signedBaseLayer)")
        }
        _ => {
            let kind = one_line::quoted(&kind);
            return Err(format!("{path}.type is {kind}, which is not known"));
        }
    };
    members.finish()?;
    Ok(draft)
}

fn unsupported(what: &str) -> Draft {
    Draft::Ready(Requirement::Unsupported(what.to_owned()))
}

/// Takes the one of these members that is there; there must be exactly one.
fn one_of(members: &mut Members, path: &str, names: &[&str]) -> Result<(String, Node), String> {
    let mut found = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), members.take_if_any(name)?)));
    let first = found.next();
    match (first, found.next()) {
        (Some(found), None) => Ok(found),
        _ => Err(format!("{path} needs exactly one of {}", names.join(", "))),
    }
}

fn sigstore_signed(members: &mut Members, path: &str) -> Result<Draft, String> {
    let kinds = [
        "keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki",
    ];
    let (kind, node) = one_of(members, path, &kinds)?;
    let at = format!("{path}.{kind}");
    let texts = match kind.as_str() {
        "keyPath" | "keyData" => vec![strict_json::text(node, &at)?],
        "keyPaths" | "keyDatas" => texts(node, &at)?,
        _ => {
            Members::of(node, &at)?;
            Vec::new()
        }
    };
    let mut log = false;
    for name in ["rekorPublicKeyPath", "rekorPublicKeyData"] {
        log |= members.text_if_any(name)?.is_some();
    }
    for name in ["rekorPublicKeyPaths", "rekorPublicKeyDatas"] {
        if let Some(node) = members.take_if_any(name) {
            texts_of(node, &format!("{path}.{name}"))?;
            log = true;
        }
    }
    let identity = signed_identity(members)?;
    let source = |text: String| match kind.as_str() {
        "keyPath" | "keyPaths" => {
            let file = PathBuf::from(text);
            if file.is_absolute() {
                return Ok(KeySource::File(file));
            }
            Err(format!("{at} is not an absolute path"))
        }
        _ => {
            let pem = STANDARD.decode(text).ok();
            let pem = pem.and_then(|bytes| String::from_utf8(bytes).ok());
            let pem = pem.ok_or_else(|| format!("{at} is not base64 of PEM text"))?;
            Ok(KeySource::Pem(pem))
        }
    };
    let keys = texts.into_iter().map(source).collect::<Result<_, _>>()?;
    Ok(match kind.as_str() {
        "fulcio" | "pki" => unsupported("signatures made with certificates"),
        _ if log => unsupported("entries in the transparency log (rekorPublicKey)"),
        _ => Draft::Signed { keys, identity },
    })
}

/// Checks a requirement for GPG signatures; nothing of it is kept.
fn gpg_signed(members: &mut Members, path: &str) -> Result<(), String> {
    let kind = members.text("keyType")?;
    if !KEY_TYPES.contains(&kind.as_str()) {
        let kind = one_line::quoted(&kind);
        return Err(format!("{path}.keyType is {kind}, which is not known"));
    }
    let (kind, node) = one_of(members, path, &["keyPath", "keyPaths", "keyData"])?;
    let at = format!("{path}.{kind}");
    if kind == "keyPaths" {
        texts(node, &at)?;
    } else {
        strict_json::text(node, &at)?;
    }
    signed_identity(members).map(|_| ())
}

/// The texts of a list that isn't empty.
fn texts(node: Node, path: &str) -> Result<Vec<String>, String> {
    let texts = texts_of(node, path)?;
    if texts.is_empty() {
        return Err(format!("{path} lists nothing"));
    }
    Ok(texts)
}

fn texts_of(node: Node, path: &str) -> Result<Vec<String>, String> {
    let Node::List(list) = node else {
        return Err(format!("{path} is not a list"));
    };
    let each = list.into_iter().enumerate();
    each.map(|(at, node)| strict_json::text(node, &format!("{path}[{at}]")))
        .collect()
}

fn signed_identity(members: &mut Members) -> Result<Identity, String> {
    let Some(identity) = members.object_if_any("signedIdentity")? else {
        return Ok(Identity::MatchRepoDigestOrExact);
    };
    read_identity(identity, &members.path_of("signedIdentity"))
}

fn read_identity(mut members: Members, path: &str) -> Result<Identity, String> {
    let kind = members.text("type")?;
    let identity = match kind.as_str() {
        "matchExact" => Identity::MatchExact,
        "matchRepoDigestOrExact" => Identity::MatchRepoDigestOrExact,
        "matchRepository" => Identity::MatchRepository,
        "exactReference" => Identity::ExactReference(members.text("dockerReference")?),
        "exactRepository" => Identity::ExactRepository(members.text("dockerRepository")?),
        "remapIdentity" => Identity::RemapIdentity {
            prefix: members.text("prefix")?,
            signed_prefix: members.text("signedPrefix")?,
        },
        _ => {
            let kind = one_line::quoted(&kind);
            return Err(format!("{path}.type is {kind}, which is not known"));
        }
    };
    members.finish()?;
    match identity.mistake() {
        Some(mistake) => Err(format!("{path}: {mistake}")),
        None => Ok(identity),
    }
}

#[cfg(test)]
mod tests;
