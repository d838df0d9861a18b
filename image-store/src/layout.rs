//! OCI image layouts (image-spec: image-layout.md), in a directory or in a tar file.

pub(crate) mod contents;
pub(crate) mod files;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use image_document::referrer::{self, MAX_LISTED};
use image_document::{
    Descriptor, Document, DocumentError, RawManifest, cosign, go_json, media_type,
};
use image_layer::{ContentError, sha256};
use image_name::{Digest, Reference};
use serde::Deserialize;

use crate::error::StoreError;
use crate::origin::Origin;
use files::{FolderFiles, LayoutFiles};

/// Bytes of `index.json` and of a manifest.
const MAX_DOCUMENT: u64 = 4 << 20;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The whole name, as containerd and `docker save` write it beside the tag in `ref.name`.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// Beside `index.json` in an archive: what belongs to its image. Other tools take an archive for one of
/// several images if more than one is in its index.
pub(crate) const ATTACHMENTS: &str = "fairing-attachments.json";

/// Before the kinds of entries that `cosign save` writes, which have no names.
const SAVED: &str = "dev.cosignproject.cosign/";

/// An OCI layout in a directory.
pub(crate) type LayoutOrigin = Layout<FolderFiles>;

/// One image of an OCI layout.
pub(crate) struct Layout<F> {
    files: F,
    index: Vec<Entry>,
    top: Digest,
    top_media_type: String,
    name: Option<Reference>,
    /// What documents without a name refer to; read when first asked for.
    referring: OnceCell<Vec<(Digest, Descriptor)>>,
}

#[derive(Deserialize)]
struct Marker {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

#[derive(Deserialize)]
struct Index {
    #[serde(rename = "schemaVersion")]
    schema_version: u32,
    #[serde(default)]
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    size: u64,
    #[serde(rename = "artifactType", default)]
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Entry {
    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// The tag part of its name, whether the name is a tag only or a whole reference.
    fn tag(&self) -> Option<&str> {
        let name = self.annotation(REF_NAME)?;
        Some(name.rsplit_once(':').map_or(name, |(_, tag)| tag))
    }

    /// Whether it is what is kept beside an image: what cosign has at a tag of its own
    /// (`sha256-HEX.sig`), a list of referrers, or an artifact without a name.
    fn is_attachment(&self) -> bool {
        if self
            .saved_kind()
            .is_some_and(|kind| !kind.starts_with("image"))
        {
            return true;
        }
        match self.tag() {
            Some(tag) => cosign::is_tag(tag) || referrer::is_tag(tag),
            None => self.artifact_type.is_some(),
        }
    }

    /// What `cosign save` says that it is: `image`, `imageIndex`, `sigs`, `atts` and the like.
    fn saved_kind(&self) -> Option<&str> {
        self.annotation("kind")?.strip_prefix(SAVED)
    }

    /// The whole reference that it is named by.
    fn reference(&self) -> Option<Reference> {
        let name = self
            .annotation(IMAGE_NAME)
            .or_else(|| self.annotation(REF_NAME).filter(|name| name.contains('/')))?;
        Reference::parse(name).ok()
    }

    fn is_named(&self, wanted: &str) -> bool {
        self.annotation(REF_NAME) == Some(wanted)
            || self.annotation(IMAGE_NAME) == Some(wanted)
            || self
                .reference()
                .is_some_and(|own| Reference::parse(wanted).ok() == Some(own))
    }
}

impl LayoutOrigin {
    /// Opens a layout directory; `tag` chooses among several images.
    pub(crate) fn open(folder: &Path, tag: Option<&str>) -> Result<Self, StoreError> {
        if let Err(error) = folder.metadata() {
            return Err(StoreError::io("cannot open", folder, error));
        }
        Self::with_files(FolderFiles::new(folder), tag)
    }
}

impl<F: LayoutFiles> Layout<F> {
    /// Reads the index of a layout and chooses the image.
    pub(crate) fn with_files(files: F, tag: Option<&str>) -> Result<Self, StoreError> {
        let refused = |reason: String| StoreError::InvalidSource {
            origin: files.what().to_owned(),
            reason,
        };
        let document = |name: &str| -> Result<Vec<u8>, StoreError> {
            files
                .read(name, MAX_DOCUMENT)?
                .ok_or_else(|| refused(format!("it is not an OCI image layout: it has no {name}")))
        };
        let marker: Marker = parse(files.what(), "oci-layout", &document("oci-layout")?)?;
        let bad = |name: &str, reason: &str| {
            StoreError::Document(DocumentError::BadManifest {
                what: format!("{}: {name}", files.what()),
                reason: reason.to_owned(),
            })
        };
        if !marker.version.starts_with("1.") {
            return Err(bad("oci-layout", "the version of the layout is not 1"));
        }
        let mut index: Index = parse(files.what(), "index.json", &document("index.json")?)?;
        if index.schema_version != 2 {
            return Err(bad("index.json", "its schemaVersion is not 2"));
        }
        let referring = OnceCell::new();
        let is_referrer = |entry: &Entry| {
            let known = referring.get_or_init(|| referring_in(&files, &index.manifests));
            known
                .iter()
                .any(|(_, own)| own.digest.as_ref() == entry.digest)
        };
        let entry = choose(files.what(), &index.manifests, tag, &is_referrer)?;
        let top =
            Digest::parse(&entry.digest).map_err(|error| bad("index.json", &error.to_string()))?;
        let (top_media_type, name) = (entry.media_type.clone(), entry.reference());
        let mut referring = referring;
        if let Some(bytes) = files.read(ATTACHMENTS, MAX_DOCUMENT)? {
            let attached: Index = parse(files.what(), ATTACHMENTS, &bytes)?;
            index.manifests.extend(attached.manifests);
            referring = OnceCell::new();
        }
        Ok(Self {
            files,
            index: index.manifests,
            top,
            top_media_type,
            name,
            referring,
        })
    }

    fn document(&self, digest: &Digest, media_type: &str) -> Result<RawManifest, StoreError> {
        let bytes = self
            .files
            .read(&blob_path(digest), MAX_DOCUMENT)?
            .ok_or_else(|| self.no_blob(digest))?;
        let found = sha256(&bytes);
        if found != *digest {
            return Err(StoreError::Content(ContentError::DigestMismatch {
                what: format!("{}: manifest", self.files.what()),
                expected: digest.to_string(),
                found: found.to_string(),
            }));
        }
        let media_type = media_type::of_manifest(&bytes, media_type);
        Ok(RawManifest {
            media_type,
            bytes,
            digest: found,
        })
    }

    fn no_blob(&self, digest: &Digest) -> StoreError {
        StoreError::BrokenSource {
            origin: self.files.what().to_owned(),
            reason: format!("blob {digest} is missing"),
        }
    }
}

impl<F: LayoutFiles> Origin for Layout<F> {
    fn top(&mut self) -> Result<RawManifest, StoreError> {
        self.document(&self.top, &self.top_media_type)
    }

    fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, StoreError> {
        self.document(digest, "")
    }

    fn has_manifest(&mut self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.files.open(&blob_path(digest))?.is_some())
    }

    fn blob(
        &mut self,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send + '_>, StoreError> {
        let file = self
            .files
            .open(&blob_path(digest))?
            .ok_or_else(|| self.no_blob(digest))?;
        if file.size != size {
            return Err(StoreError::Content(ContentError::SizeMismatch {
                what: format!("{}: blob {digest}", self.files.what()),
                expected: size,
                found: file.size,
            }));
        }
        Ok(file.reader)
    }

    fn tagged(&mut self, tag: &str) -> Result<Option<RawManifest>, StoreError> {
        let named = self.index.iter().find(|entry| entry.tag() == Some(tag));
        // `cosign save` writes one image, and what is about it.
        let saved = cosign::KINDS.into_iter().find_map(|kind| {
            let plural = format!("{kind}s");
            let is_own = |entry: &&Entry| entry.saved_kind() == Some(&plural);
            (tag == cosign::tag(&self.top, kind)).then(|| self.index.iter().find(is_own))?
        });
        match named.or(saved) {
            Some(entry) => {
                let digest = Digest::parse(&entry.digest).map_err(DocumentError::Name)?;
                self.document(&digest, &entry.media_type).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Those that `index.json` names, and those of a list at the tag of the subject.
    fn referrers(
        &mut self,
        subject: &Digest,
        _kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, StoreError> {
        let mut found = Vec::new();
        let tag = referrer::tag(subject);
        if let Some(list) = self.tagged(&tag)? {
            let what = format!("{}: referrers of {subject}", self.files.what());
            found = referrer::parse_list(&what, &list.bytes)?;
        }
        let referring = self
            .referring
            .get_or_init(|| referring_in(&self.files, &self.index));
        let own = referring.iter().filter(|(own, _)| own == subject);
        found.extend(own.map(|(_, descriptor)| descriptor.clone()));
        Ok(found)
    }

    fn blob_file(&self, digest: &Digest) -> Option<PathBuf> {
        self.files.path(&blob_path(digest))
    }

    fn name(&self) -> Option<Reference> {
        self.name.clone()
    }
}

fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// The documents without a name that refer to something, with their subjects. Each is read once,
/// and a bounded number of bytes in all.
fn referring_in(files: &dyn LayoutFiles, entries: &[Entry]) -> Vec<(Digest, Descriptor)> {
    const MAX_BYTES: u64 = 64 << 20;
    let mut seen = BTreeSet::new();
    let mut bytes = 0_u64;
    let unnamed = entries.iter().filter(|entry| entry.tag().is_none());
    let fresh = unnamed.filter(|entry| seen.insert(&entry.digest));
    fresh
        .take(MAX_LISTED)
        .take_while(|entry| {
            bytes = bytes.saturating_add(entry.size);
            bytes <= MAX_BYTES
        })
        .filter_map(|entry| referrer_of(files, entry))
        .collect()
}

/// What a document of the index refers to, if to anything, with its descriptor. What can't be read
/// refers to nothing.
fn referrer_of(files: &dyn LayoutFiles, entry: &Entry) -> Option<(Digest, Descriptor)> {
    let digest = Digest::parse(&entry.digest).ok()?;
    let bytes = files
        .read(&blob_path(&digest), entry.size.min(MAX_DOCUMENT))
        .ok()??;
    let (subject, artifact_type) = match Document::parse("referrer", &bytes, "").ok()? {
        Document::Manifest(manifest) => {
            let kind = manifest.artifact_type;
            (
                manifest.subject.map(|own| *own),
                kind.or(Some(manifest.config.media_type)),
            )
        }
        Document::Index(index) => (index.subject, entry.artifact_type.clone()),
    };
    let descriptor = Descriptor {
        media_type: entry.media_type.clone(),
        digest,
        size: entry.size,
        platform: None,
        annotations: BTreeMap::new(),
        artifact_type,
    };
    Some((subject?, descriptor))
}

fn parse<T: for<'de> Deserialize<'de>>(
    place: &str,
    name: &str,
    bytes: &[u8],
) -> Result<T, StoreError> {
    go_json::from_slice(bytes).map_err(|error| {
        StoreError::Document(DocumentError::NotJson {
            what: format!("{place}: {name}"),
            reason: error.to_string(),
        })
    })
}

/// The entry that `tag` names, or the only image there is.
fn choose<'a>(
    place: &str,
    entries: &'a [Entry],
    tag: Option<&str>,
    is_referrer: &dyn Fn(&Entry) -> bool,
) -> Result<&'a Entry, StoreError> {
    let mut candidates: Vec<&Entry> = match tag {
        Some(tag) => {
            let is_image = |entry: &&Entry| {
                entry.is_named(tag) && (entry.saved_kind().is_none() || !entry.is_attachment())
            };
            entries.iter().filter(is_image).collect()
        }
        None => entries
            .iter()
            .filter(|entry| !entry.is_attachment())
            .take(MAX_LISTED)
            .collect(),
    };
    // Only their documents tell artifacts that are not marked as such.
    if tag.is_none() && candidates.len() > 1 {
        candidates.retain(|entry| entry.tag().is_some() || !is_referrer(entry));
    }
    let Some((first, others)) = candidates.split_first() else {
        return Err(match tag {
            Some(tag) => StoreError::UnknownImage {
                reference: tag.to_owned(),
                place: format!("in {place}"),
            },
            None => StoreError::InvalidSource {
                origin: place.to_owned(),
                reason: "it holds no image".to_owned(),
            },
        });
    };
    if others.iter().all(|other| other.digest == first.digest) {
        return Ok(first);
    }
    const SHOWN: usize = 8;
    let names = candidates.iter().filter_map(|entry| {
        let name = entry.annotation(REF_NAME);
        name.or_else(|| entry.annotation(IMAGE_NAME))
    });
    Err(StoreError::SeveralImages {
        origin: place.to_owned(),
        names: names.take(SHOWN).map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests;
