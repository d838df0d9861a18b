//! Which signed names count for an image.

use crate::name::{ImageName, Repository};

/// Which names a signature may carry to count for an image.
///
/// Fairing's own rules bind keys to prefixes and want [`Repository`](Self::Repository). The others are
/// `signedIdentity` of a containers policy.json; a signature that carries no name meets none of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Identity {
    /// The image's repository, with any tag or none. A bundle needs no name: cosign gives it none.
    #[default]
    Repository,
    /// `matchExact`: the image as it was asked for, with its tag or digest.
    MatchExact,
    /// `matchRepoDigestOrExact`: as `matchExact`, but the repository is enough if a digest was asked for.
    MatchRepoDigestOrExact,
    /// `matchRepository`: the image's repository.
    MatchRepository,
    /// `exactReference`: this reference, with its tag or digest.
    ExactReference(String),
    /// `exactRepository`: this repository.
    ExactRepository(String),
    /// `remapIdentity`: as `matchRepoDigestOrExact`, once the beginning of the image's name is replaced.
    RemapIdentity {
        /// What the image's name begins with, in whole path components.
        prefix: String,
        /// What the signed name begins with instead.
        signed_prefix: String,
    },
}

/// A reference taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference<'a> {
    repository: String,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Reference<'a> {
    fn of(text: &'a str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let (front, last) = rest.split_at(rest.rfind('/').unwrap_or(0));
        let (name, tag) = match last.split_once(':') {
            Some((name, tag)) => (format!("{front}{name}"), Some(tag)),
            None => (rest.to_owned(), None),
        };
        Self {
            repository: canonical(&name),
            tag,
            digest,
        }
    }

    fn asked(image: &ImageName<'a>) -> Self {
        Self {
            repository: image.repository.as_str().to_owned(),
            tag: image.tag,
            digest: image.digest.map(AsRef::as_ref),
        }
    }

    /// Whether both stand for the same image, by digest if the wanted one has any, else by tag.
    fn is_exactly(&self, signed: &Self) -> bool {
        self.repository == signed.repository
            && match self.digest {
                Some(digest) => signed.digest == Some(digest),
                None => self.tag.is_some() && self.tag == signed.tag && signed.digest.is_none(),
            }
    }
}

/// Docker Hub by the one name that rules use.
fn canonical(name: &str) -> String {
    match name.strip_prefix("index.docker.io/") {
        Some(path) => format!("docker.io/{path}"),
        None => name.to_owned(),
    }
}

impl Identity {
    /// Whether a signature with this name counts for the image.
    pub(crate) fn accepts(&self, signed: Option<&str>, image: &ImageName<'_>) -> bool {
        let own = image.repository;
        let Some(signed) = signed else {
            return *self == Self::Repository;
        };
        let asked = Reference::asked(image);
        match self {
            Self::Repository => own.is_named_by(signed),
            Self::MatchExact => asked.is_exactly(&Reference::of(signed)),
            Self::MatchRepoDigestOrExact => digest_or_exact(&asked, signed),
            Self::MatchRepository => Reference::of(signed).repository == own.as_str(),
            Self::ExactReference(wanted) => {
                Reference::of(wanted).is_exactly(&Reference::of(signed))
            }
            Self::ExactRepository(wanted) => Reference::of(signed).repository == canonical(wanted),
            Self::RemapIdentity {
                prefix,
                signed_prefix,
            } => {
                let repository = remapped(own, prefix, signed_prefix);
                digest_or_exact(
                    &Reference {
                        repository,
                        ..asked
                    },
                    signed,
                )
            }
        }
    }

    /// What it wants, for messages.
    pub(crate) fn wants(&self, image: &ImageName<'_>) -> String {
        match self {
            Self::Repository | Self::MatchRepository => image.repository.to_string(),
            Self::MatchExact | Self::MatchRepoDigestOrExact => {
                image.reference(image.repository.as_str())
            }
            Self::ExactReference(wanted) | Self::ExactRepository(wanted) => wanted.clone(),
            Self::RemapIdentity {
                prefix,
                signed_prefix,
            } => image.reference(&remapped(image.repository, prefix, signed_prefix)),
        }
    }
}

fn digest_or_exact(asked: &Reference<'_>, signed: &str) -> bool {
    let signed = Reference::of(signed);
    match asked.digest {
        Some(_) => asked.repository == signed.repository,
        None => asked.is_exactly(&signed),
    }
}

fn remapped(own: &Repository, prefix: &str, signed_prefix: &str) -> String {
    match own.as_str().strip_prefix(prefix) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{signed_prefix}{rest}"),
        _ => own.to_string(),
    }
}

#[cfg(test)]
mod tests;
