//! Which signed names count for an image.

use image_name::{Reference, Repository};

use crate::one_line;

use self::docker_name::DockerName;

mod docker_name;

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
    /// `matchRepoDigestOrExact`: as `matchExact`, but if a digest was asked for, any tag or digest of
    /// the repository will do.
    MatchRepoDigestOrExact,
    /// `matchRepository`: the image's repository.
    MatchRepository,
    /// `exactReference`: this reference, with its tag or digest.
    ExactReference(String),
    /// `exactRepository`: the repository of this name, which may have a tag.
    ExactRepository(String),
    /// `remapIdentity`: as `matchRepoDigestOrExact`, once the beginning of the image's name is replaced.
    RemapIdentity {
        /// What the image's name begins with, in whole path components.
        prefix: String,
        /// What the signed name begins with instead.
        signed_prefix: String,
    },
}

impl Identity {
    /// Whether a signature with this name counts for the image.
    pub(crate) fn accepts(&self, signed: Option<&str>, image: &Reference) -> bool {
        let Some(signed) = signed else {
            return *self == Self::Repository;
        };
        if *self == Self::Repository {
            return image.repository().is_named_by(signed);
        }
        let Some(signed) = DockerName::parse(signed) else {
            return false;
        };
        let asked = DockerName::asked(image);
        match self {
            Self::Repository => false,
            Self::MatchExact => asked.is_exactly(&signed),
            Self::MatchRepoDigestOrExact => digest_or_exact(&asked, &signed),
            Self::MatchRepository => asked.repository == signed.repository,
            Self::ExactReference(wanted) => {
                DockerName::parse(wanted).is_some_and(|wanted| wanted.is_exactly(&signed))
            }
            Self::ExactRepository(wanted) => DockerName::parse(wanted)
                .is_some_and(|wanted| wanted.repository == signed.repository),
            Self::RemapIdentity {
                prefix,
                signed_prefix,
            } => asked
                .remapped(prefix, signed_prefix)
                .is_some_and(|asked| digest_or_exact(&asked, &signed)),
        }
    }

    /// What makes no sense in it, in words; a containers policy.json with it is refused.
    pub(crate) fn mistake(&self) -> Option<String> {
        let no_name = |text: &str| format!("{} is no name of an image", one_line::quoted(text));
        match self {
            Self::Repository
            | Self::MatchExact
            | Self::MatchRepoDigestOrExact
            | Self::MatchRepository => None,
            Self::ExactReference(text) => match DockerName::parse(text) {
                None => Some(no_name(text)),
                Some(name) if name.is_name_only() => Some(format!(
                    "{} has neither tag nor digest",
                    one_line::quoted(text)
                )),
                Some(_) => None,
            },
            Self::ExactRepository(text) => match DockerName::parse(text) {
                None => Some(no_name(text)),
                Some(_) => None,
            },
            Self::RemapIdentity {
                prefix,
                signed_prefix,
            } => [prefix, signed_prefix]
                .into_iter()
                .find(|text| !docker_name::is_prefix(text))
                .map(|text| format!("{} is no prefix of a name", one_line::quoted(text))),
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

/// A signed name without tag and digest counts for no image, by whatever the image was asked for.
fn digest_or_exact(asked: &DockerName, signed: &DockerName) -> bool {
    match asked.digest {
        Some(_) => !signed.is_name_only() && asked.repository == signed.repository,
        None => asked.is_exactly(signed),
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
    docker_name::replaced(own.as_str(), prefix, signed_prefix).unwrap_or_else(|| own.to_string())
}

#[cfg(test)]
mod tests;
