//! What a person types for an image, classified: this is the one place that tells names, digests and
//! sources from each other.

use image_name::Reference;

use crate::error::StoreError;
use crate::source::ImageSource;

/// What a person types for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageArgument {
    /// A digest or its beginning, with `sha256:` in front: an image of the store. It tells no registry.
    Digest(String),
    /// A name without a registry, a proper one: which image it means is for the configuration to say.
    /// It may be the beginning of a digest as well.
    ShortName(String),
    /// A name in full, or where an image is to be taken from.
    Source(ImageSource),
}

impl ImageArgument {
    /// Classifies a text by the way it begins. The file system is looked at only for paths.
    ///
    /// # Errors
    /// As [`ImageSource::parse`].
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        if text.starts_with("sha256:") {
            return Ok(Self::Digest(text.to_owned()));
        }
        if is_digits(text, 64..=64) {
            return Ok(Self::Digest(format!("sha256:{text}")));
        }
        if ImageSource::is_marked(text) || !Reference::is_short(text) {
            return Ok(Self::Source(ImageSource::parse(text)?));
        }
        // Says what is wrong with it.
        Reference::parse(text)?;
        Ok(Self::ShortName(text.to_owned()))
    }

    /// The beginning of a digest that a short name may be, with `sha256:` in front.
    #[must_use]
    pub fn as_digest(&self) -> Option<String> {
        match self {
            Self::Digest(text) => Some(text.clone()),
            Self::ShortName(text) => {
                is_digits(text, MIN_DIGITS..=64).then(|| format!("sha256:{text}"))
            }
            Self::Source(_) => None,
        }
    }
}

/// Fewest digits that are taken for the beginning of a digest.
const MIN_DIGITS: usize = 6;

fn is_digits(text: &str, count: std::ops::RangeInclusive<usize>) -> bool {
    count.contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn short_names_are_told_from_everything_else() {
        for text in [
            "nginx",
            "team/app:1",
            "nginx:oci",
            "abcdef",
            "aci",
            "rootfs",
        ] {
            let argument = ImageArgument::parse(text).unwrap();
            assert_eq!(argument, ImageArgument::ShortName(text.to_owned()));
        }
        for text in [
            "",
            "A",
            "team/App",
            "nginx:",
            "http://q.io/a",
            "oci:",
            "dir:x",
        ] {
            assert!(ImageArgument::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_word_of_a_source_is_never_a_name_of_docker_hub() {
        let path = |name: &str| PathBuf::from(name);
        let layout = ImageSource::Layout {
            path: path("dir"),
            tag: None,
        };
        for (text, source) in [
            ("oci:dir", layout),
            (
                "docker-archive:f.tar",
                ImageSource::DockerArchive {
                    path: path("f.tar"),
                    reference: None,
                },
            ),
            (
                "aci:x.aci",
                ImageSource::Aci {
                    path: path("x.aci"),
                },
            ),
            ("rootfs:root", ImageSource::Root { path: path("root") }),
        ] {
            let argument = ImageArgument::parse(text).unwrap();
            assert_eq!(argument, ImageArgument::Source(source), "{text}");
        }
        for text in ["q.io/a", "docker://nginx"] {
            let argument = ImageArgument::parse(text).unwrap();
            assert!(
                matches!(argument, ImageArgument::Source(ImageSource::Registry(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn digests_are_whole_or_begin_with_their_algorithm() {
        let digest = |text: &str| ImageArgument::parse(text).unwrap();
        let hex = "0123456789abcdef".repeat(4);
        let whole = ImageArgument::Digest(format!("sha256:{hex}"));
        assert_eq!(digest(&hex), whole);
        assert_eq!(
            digest("sha256:abcdef").as_digest().unwrap(),
            "sha256:abcdef"
        );
        assert_eq!(digest("abcdef").as_digest().unwrap(), "sha256:abcdef");
        for text in ["abcde", "abcdeg", "abcdef:1", "q.io/abcdef"] {
            assert_eq!(digest(text).as_digest(), None, "{text}");
        }
    }
}
