//! Which signed names count for an image.

use image_name::{Reference, Repository};

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

/// What a signature names, or should, taken apart. Signers write what they like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SignedName<'a> {
    repository: String,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> SignedName<'a> {
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

    fn asked(image: &'a Reference) -> Self {
        Self {
            repository: image.repository().to_string(),
            tag: image.tag(),
            digest: image.digest().map(AsRef::as_ref),
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
    pub(crate) fn accepts(&self, signed: Option<&str>, image: &Reference) -> bool {
        let own = image.repository();
        let Some(signed) = signed else {
            return *self == Self::Repository;
        };
        let asked = SignedName::asked(image);
        match self {
            Self::Repository => own.is_named_by(signed),
            Self::MatchExact => asked.is_exactly(&SignedName::of(signed)),
            Self::MatchRepoDigestOrExact => digest_or_exact(&asked, signed),
            Self::MatchRepository => SignedName::of(signed).repository == own.as_str(),
            Self::ExactReference(wanted) => {
                SignedName::of(wanted).is_exactly(&SignedName::of(signed))
            }
            Self::ExactRepository(wanted) => SignedName::of(signed).repository == canonical(wanted),
            Self::RemapIdentity {
                prefix,
                signed_prefix,
            } => {
                let repository = remapped(own, prefix, signed_prefix);
                digest_or_exact(
                    &SignedName {
                        repository,
                        ..asked
                    },
                    signed,
                )
            }
        }
    }

    /// What it wants, for messages.
    pub(crate) fn wants(&self, image: &Reference) -> String {
        match self {
            Self::Repository | Self::MatchRepository => image.repository().to_string(),
            Self::MatchExact | Self::MatchRepoDigestOrExact => {
                asked(image, image.repository().as_str())
            }
            Self::ExactReference(wanted) | Self::ExactRepository(wanted) => wanted.clone(),
            Self::RemapIdentity {
                prefix,
                signed_prefix,
            } => asked(image, &remapped(image.repository(), prefix, signed_prefix)),
        }
    }
}

fn digest_or_exact(asked: &SignedName<'_>, signed: &str) -> bool {
    let signed = SignedName::of(signed);
    match asked.digest {
        Some(_) => asked.repository == signed.repository,
        None => asked.is_exactly(&signed),
    }
}

/// The image's reference with another repository; with the digest, if there is one, and else the tag.
fn asked(image: &Reference, repository: &str) -> String {
    match (image.digest(), image.tag()) {
        (Some(digest), _) => format!("{repository}@{digest}"),
        (None, Some(tag)) => format!("{repository}:{tag}"),
        (None, None) => repository.to_owned(),
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
