//! Where a user says an image shall come from.
//!
//! The scheme words are those of skopeo and podman: `docker://`, `oci:`, `oci-archive:` and
//! `docker-archive:`. Without a scheme, a path that begins with `/`, `./` or `../` is looked at,
//! and everything else is a reference.

use std::fmt;
use std::path::{Path, PathBuf};

use image_name::Reference;

use crate::archive;
use crate::error::StoreError;
use crate::root_names;

/// A parsed image source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// An image of a registry: `docker://REF` or a plain reference.
    Registry(Reference),
    /// A directory in the OCI image layout: `oci:DIR[:TAG]`.
    Layout {
        /// The directory.
        path: PathBuf,
        /// The wanted `org.opencontainers.image.ref.name`, needed where there are several.
        tag: Option<String>,
    },
    /// The same as a tar file: `oci-archive:FILE[:TAG]`.
    OciArchive {
        /// The tar file.
        path: PathBuf,
        /// As for a layout.
        tag: Option<String>,
    },
    /// What `docker save` writes: `docker-archive:FILE[:REF]`.
    DockerArchive {
        /// The tar file.
        path: PathBuf,
        /// The wanted repository tag, needed where there are several images.
        reference: Option<String>,
    },
    /// An appc image: `aci:FILE`.
    Aci {
        /// The file, compressed or not.
        path: PathBuf,
    },
    /// A root filesystem: `rootfs:PATH`. It has no name of its own.
    Root {
        /// A directory, or a tar file, compressed or not.
        path: PathBuf,
    },
    /// What an app has changed of its image. Nobody types it: [`Store::stage_commit`](crate::Store::stage_commit) makes it.
    Commit {
        /// Which app of which pod.
        of: String,
        /// A layout with what is new in it.
        path: PathBuf,
    },
}

impl ImageSource {
    /// Parses what a user typed; looks at the file system only for paths.
    ///
    /// # Errors
    /// [`StoreError::Name`] or [`StoreError::InvalidSource`] with the reason;
    /// [`ContentError::Io`](image_layer::ContentError::Io) where a path can't be read.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        if let Some(word) = foreign_word(text) {
            let reason = format!("places of the kind \"{word}\" are neither read nor written");
            return Err(invalid(text, reason));
        }
        let Some((scheme, rest)) = Scheme::of(text) else {
            if is_path(text) {
                return Self::detect(text);
            }
            if let Some((scheme, _)) = text.split_once("://") {
                return Err(invalid(
                    text,
                    format!(
                        "unknown scheme \"{scheme}\"; use docker://REF, oci:DIR, oci-archive:FILE, docker-archive:FILE, aci:FILE or rootfs:PATH"
                    ),
                ));
            }
            return Ok(Self::Registry(Reference::parse(text)?));
        };
        Ok(match scheme {
            Scheme::Registry => Self::Registry(Reference::parse(rest)?),
            Scheme::Layout => {
                let (path, tag) = split_path(text, rest)?;
                Self::Layout { path, tag }
            }
            Scheme::OciArchive => {
                let (path, tag) = split_path(text, rest)?;
                Self::OciArchive { path, tag }
            }
            Scheme::DockerArchive => {
                let (path, reference) = split_path(text, rest)?;
                Self::DockerArchive { path, reference }
            }
            Scheme::Aci => Self::Aci {
                path: plain_path(text, rest)?,
            },
            Scheme::Root => Self::Root {
                path: plain_path(text, rest)?,
            },
        })
    }

    /// Whether a text is a source by the way it begins, and no name: a scheme or a path.
    pub(crate) fn is_marked(text: &str) -> bool {
        Self::has_scheme(text)
            || foreign_word(text).is_some()
            || is_path(text)
            || text.contains("://")
    }

    /// Whether a text begins with a word that says what kind of place it is.
    #[must_use]
    pub fn has_scheme(text: &str) -> bool {
        Scheme::of(text).is_some()
    }

    /// As [`ImageSource::parse`], but a bare name is a path: that of a file or directory, whether it is there or
    /// not. Only one that begins with a registry is a reference.
    ///
    /// # Errors
    /// As [`ImageSource::parse`].
    pub fn parse_path(text: &str) -> Result<Self, StoreError> {
        if text.is_empty() || (Self::is_marked(text) && !Path::new(text).exists()) {
            return Self::parse(text);
        }
        let is_name = !Reference::is_short(text) && !Self::is_file_name(text);
        match is_path(text) || (is_name && !Path::new(text).exists()) {
            true => Self::parse(text),
            false => Self::detect(text),
        }
    }

    /// Whether a text ends as names of archives do, and hardly as one of an image does.
    #[must_use]
    pub fn is_file_name(text: &str) -> bool {
        /// What such names end with.
        const ENDS: [&str; 9] = [
            ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".aci",
        ];
        ENDS.iter().any(|end| text.ends_with(end))
    }

    /// As [`ImageSource::parse_path`], but a root filesystem is taken as one, if it is told by what is
    /// at its top. What is neither that nor an image is refused.
    ///
    /// # Errors
    /// As [`ImageSource::parse`].
    pub fn parse_root(text: &str) -> Result<Self, StoreError> {
        match Self::parse_path(text) {
            Err(StoreError::NoImage {
                path,
                is_root: true,
            }) => Ok(Self::Root { path }),
            other => other,
        }
    }

    /// The image of this name, where the source is an archive or a layout.
    #[must_use]
    pub fn named(&self, name: String) -> Self {
        let mut named = self.clone();
        match &mut named {
            Self::Layout { tag, .. } | Self::OciArchive { tag, .. } => *tag = Some(name),
            Self::DockerArchive { reference, .. } => *reference = Some(name),
            Self::Registry(_) | Self::Aci { .. } | Self::Root { .. } | Self::Commit { .. } => {}
        }
        named
    }

    /// The registry that gives the bytes; empty for what is on this machine.
    pub(crate) fn place(&self) -> &str {
        self.reference().map_or("", Reference::registry)
    }

    /// The reference, where the source is a registry.
    pub fn reference(&self) -> Option<&Reference> {
        match self {
            Self::Registry(reference) => Some(reference),
            _ => None,
        }
    }

    /// The reference of a source as [`fmt::Display`] writes it, where that is a registry.
    #[must_use]
    pub fn of_registry(shown: &str) -> Option<Reference> {
        match Scheme::of(shown)? {
            (Scheme::Registry, reference) => Reference::parse(reference).ok(),
            _ => None,
        }
    }

    /// Parses where a user wants an image to be written to: as [`ImageSource::parse`], but a path
    /// without a scheme is an OCI archive if it ends in `.tar`, else a layout.
    ///
    /// # Errors
    /// As [`ImageSource::parse`].
    pub fn parse_destination(text: &str) -> Result<Self, StoreError> {
        if !is_path(text) {
            return Self::parse(text);
        }
        let path = PathBuf::from(text);
        let tag = None;
        Ok(match path.extension().is_some_and(|end| end == "tar") {
            true => Self::OciArchive { path, tag },
            false => Self::Layout { path, tag },
        })
    }

    fn detect(text: &str) -> Result<Self, StoreError> {
        let (path, tag) = split_path(text, text)?;
        let metadata = path
            .metadata()
            .map_err(|error| StoreError::io("cannot open", &path, error))?;
        if metadata.is_dir() {
            let has = |name: &str| path.join(name).exists();
            if tag.is_some() || has("oci-layout") || has("index.json") {
                return Ok(Self::Layout { path, tag });
            }
            let is_root = root_names::NAMES.into_iter().any(has);
            return Err(StoreError::NoImage { path, is_root });
        }
        if !metadata.is_file() {
            return Err(invalid(text, "it is neither a directory nor a file"));
        }
        if path.extension().is_some_and(|end| end == "aci") {
            return Ok(Self::Aci { path });
        }
        Ok(match archive::detect(&path)? {
            archive::Kind::Aci => Self::Aci { path },
            archive::Kind::Oci => Self::OciArchive { path, tag },
            archive::Kind::Docker => Self::DockerArchive {
                path,
                reference: tag,
            },
            kind @ (archive::Kind::Root | archive::Kind::Other) => {
                let is_root = kind == archive::Kind::Root;
                return Err(StoreError::NoImage { path, is_root });
            }
        })
    }
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path, tag) = match self {
            Self::Registry(reference) => {
                return write!(f, "{}{reference}", Scheme::Registry.word());
            }
            Self::Layout { path, tag } => (Scheme::Layout, path, tag),
            Self::OciArchive { path, tag } => (Scheme::OciArchive, path, tag),
            Self::DockerArchive { path, reference } => (Scheme::DockerArchive, path, reference),
            Self::Aci { path } => (Scheme::Aci, path, &None),
            Self::Root { path } => (Scheme::Root, path, &None),
            Self::Commit { of, .. } => return write!(f, "commit:{of}"),
        };
        write!(f, "{}{}", scheme.word(), path.display())?;
        match tag {
            Some(tag) => write!(f, ":{tag}"),
            None => Ok(()),
        }
    }
}

/// The words that a source begins with: all there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Registry,
    Layout,
    OciArchive,
    DockerArchive,
    Aci,
    Root,
}

impl Scheme {
    const ALL: [Self; 6] = [
        Self::Registry,
        Self::Layout,
        Self::OciArchive,
        Self::DockerArchive,
        Self::Aci,
        Self::Root,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Registry => "docker://",
            Self::Layout => "oci:",
            Self::OciArchive => "oci-archive:",
            Self::DockerArchive => "docker-archive:",
            Self::Aci => "aci:",
            Self::Root => "rootfs:",
        }
    }

    /// The scheme that a text begins with, and what is behind it.
    fn of(text: &str) -> Option<(Self, &str)> {
        Self::ALL
            .into_iter()
            .find_map(|scheme| Some((scheme, text.strip_prefix(scheme.word())?)))
    }
}

/// Words of skopeo and podman for places that are not known here: no names of images, wherever they are
/// typed.
const FOREIGN: [&str; 6] = [
    "containers-storage:",
    "dir:",
    "docker-daemon:",
    "ostree:",
    "sif:",
    "tarball:",
];

fn foreign_word(text: &str) -> Option<&'static str> {
    FOREIGN.into_iter().find(|word| text.starts_with(word))
}

/// A path that nothing follows.
fn plain_path(text: &str, rest: &str) -> Result<PathBuf, StoreError> {
    if rest.is_empty() {
        return Err(invalid(text, "the path is missing"));
    }
    if rest.contains('\0') {
        return Err(invalid(text, "the path holds a NUL character"));
    }
    Ok(PathBuf::from(rest))
}

fn is_path(text: &str) -> bool {
    ["/", "./", "../"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// Splits `PATH[:TAG]`. Both may hold colons, so the longest existing path decides; where none
/// exists the first colon does, as for skopeo.
fn split_path(text: &str, rest: &str) -> Result<(PathBuf, Option<String>), StoreError> {
    if rest.is_empty() || rest.starts_with(':') {
        return Err(invalid(text, "the path is missing"));
    }
    if rest.contains('\0') {
        return Err(invalid(text, "the path holds a NUL character"));
    }
    if Path::new(rest).exists() {
        return Ok((PathBuf::from(rest), None));
    }
    let split = rest
        .rmatch_indices(':')
        .map(|(at, _)| rest.split_at(at))
        .find(|(path, _)| !path.is_empty() && Path::new(path).exists())
        .or_else(|| rest.find(':').map(|at| rest.split_at(at)));
    let Some((path, tag)) = split else {
        return Ok((PathBuf::from(rest), None));
    };
    match tag.strip_prefix(':') {
        Some("") | None => Err(invalid(text, "the tag after \":\" is empty")),
        Some(tag) => Ok((PathBuf::from(path), Some(tag.to_owned()))),
    }
}

fn invalid(text: &str, reason: impl Into<String>) -> StoreError {
    let origin = text.chars().take(200).collect();
    StoreError::InvalidSource {
        origin,
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        ImageSource::parse(text).unwrap().to_string()
    }

    #[test]
    fn schemes_and_plain_references() {
        assert_eq!(
            shown("busybox"),
            "docker://docker.io/library/busybox:latest"
        );
        assert_eq!(shown("docker://q.io/a:1"), "docker://q.io/a:1");
        assert_eq!(shown("oci:/nonexistent/x"), "oci:/nonexistent/x");
        let ImageSource::Layout { path, tag } =
            ImageSource::parse("oci:/nonexistent/x:q.io/a:1").unwrap()
        else {
            panic!("not a layout");
        };
        assert_eq!(
            (path, tag.as_deref()),
            (PathBuf::from("/nonexistent/x"), Some("q.io/a:1"))
        );
        assert!(matches!(
            ImageSource::parse("docker-archive:x.tar:a:1").unwrap(),
            ImageSource::DockerArchive { reference: Some(reference), .. } if reference == "a:1"
        ));
        assert!(matches!(
            ImageSource::parse("oci-archive:x.tar").unwrap(),
            ImageSource::OciArchive { tag: None, .. }
        ));
    }

    #[test]
    fn each_scheme_is_read_as_it_is_written() {
        for text in [
            "docker://q.io/a:1",
            "oci:/nonexistent/x:1",
            "oci-archive:x.tar:1",
            "docker-archive:x.tar:a:1",
            "aci:x.aci",
            "rootfs:root:1",
        ] {
            assert_eq!(shown(text), text);
            assert!(ImageSource::is_marked(text), "{text}");
            let is_registry = ImageSource::of_registry(text).is_some();
            assert_eq!(is_registry, text.starts_with("docker://"), "{text}");
        }
    }

    #[test]
    fn paths_are_detected_by_what_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("a:b");
        std::fs::create_dir(&odd).unwrap();
        let text = format!("{}:v1", odd.display());
        assert_eq!(
            ImageSource::parse(&text).unwrap(),
            ImageSource::Layout {
                path: odd.clone(),
                tag: Some("v1".into())
            }
        );
        let file = dir.path().join("x.tar");
        std::fs::write(&file, b"no tar at all").unwrap();
        let error = ImageSource::parse(file.to_str().unwrap()).unwrap_err();
        let is_told = matches!(error, StoreError::BrokenSource { .. });
        assert!(is_told, "{error}");
        let missing = format!("{}/missing", dir.path().display());
        let message = ImageSource::parse(&missing).unwrap_err().to_string();
        assert!(message.contains("missing"), "{message}");
    }

    #[test]
    fn what_is_no_image_is_a_root_filesystem_only_if_it_looks_like_one() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |name: &str, inner: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.join(inner)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (root, other) = (folder("root", "etc"), folder("other", "photos"));
        // What skopeo writes as dir:PATH.
        let copied = folder("copied", "");
        std::fs::write(dir.path().join("copied/manifest.json"), "{}").unwrap();
        for (text, is_root) in [(&root, true), (&other, false), (&copied, false)] {
            let error = ImageSource::parse(text).unwrap_err();
            let StoreError::NoImage { is_root: found, .. } = &error else {
                panic!("{text}: {error}");
            };
            assert_eq!(*found, is_root, "{text}");
            let path = PathBuf::from(text);
            match ImageSource::parse_root(text) {
                Ok(source) => assert_eq!((source, is_root), (ImageSource::Root { path }, true)),
                Err(_) => assert!(!is_root, "{text}"),
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "oci:",
            "oci::tag",
            "oci:/nonexistent:",
            "http://q.io/a",
            "docker://",
            "aci:",
            "rootfs:",
            "aci:a\0",
            "dir:x",
            "docker-daemon:nginx:latest",
            "containers-storage:nginx",
        ] {
            let error = ImageSource::parse(text).unwrap_err();
            let is_refusal = matches!(
                error,
                StoreError::InvalidSource { .. } | StoreError::Name(_)
            );
            assert!(is_refusal, "{text:?}: {error:?}");
        }
    }
}
