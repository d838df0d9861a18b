//! OCI image layouts (image-spec: image-layout.md), in a folder or in a tar file.

pub(crate) mod files;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use oci_spec::image::Digest;
use serde::Deserialize;

use crate::digest::{hex, parse_digest, sha256};
use crate::error::StoreError;
use crate::media_type;
use crate::origin::{Origin, RawManifest};
use crate::reference::Reference;
use files::{FolderFiles, LayoutFiles};

/// Bytes of `index.json` and of a manifest.
const MAX_DOCUMENT: u64 = 4 << 20;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The whole name, as containerd and `docker save` write it beside the tag in `ref.name`.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// An OCI layout in a folder.
pub(crate) type LayoutOrigin = Layout<FolderFiles>;

/// One image of an OCI layout.
pub(crate) struct Layout<F> {
    files: F,
    index: Vec<Entry>,
    top: Digest,
    top_media_type: String,
    name: Option<Reference>,
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
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    digest: String,
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

    /// Whether it is what cosign keeps beside an image (`sha256-HEX.sig`, `.att`, `.sbom`).
    fn is_attachment(&self) -> bool {
        self.tag().is_some_and(|tag| {
            tag.strip_prefix("sha256-")
                .and_then(|rest| rest.split_once('.'))
                .is_some_and(|(hex, kind)| {
                    hex.len() == 64 && matches!(kind, "sig" | "att" | "sbom")
                })
        })
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
    /// Opens a layout folder; `tag` chooses among several images.
    pub(crate) fn open(folder: &Path, tag: Option<&str>) -> Result<Self, StoreError> {
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
                .ok_or_else(|| refused(format!("it is no OCI image layout: it has no {name}")))
        };
        let marker: Marker = parse(files.what(), "oci-layout", &document("oci-layout")?)?;
        if !marker.version.starts_with("1.") {
            return Err(refused("its layout version is not 1".to_owned()));
        }
        let index: Index = parse(files.what(), "index.json", &document("index.json")?)?;
        if index.schema_version != 2 {
            return Err(refused(
                "the schemaVersion of its index.json is not 2".to_owned(),
            ));
        }
        let entry = choose(files.what(), &index.manifests, tag)?;
        let top = parse_digest(&entry.digest)?;
        let (top_media_type, name) = (entry.media_type.clone(), entry.reference());
        Ok(Self {
            files,
            index: index.manifests,
            top,
            top_media_type,
            name,
        })
    }

    fn document(&self, digest: &Digest, media_type: &str) -> Result<RawManifest, StoreError> {
        let bytes = self
            .files
            .read(&blob_path(digest)?, MAX_DOCUMENT)?
            .ok_or_else(|| self.no_blob(digest))?;
        let found = sha256(&bytes);
        if found != *digest {
            return Err(StoreError::DigestMismatch {
                what: format!("{}: manifest", self.files.what()),
                expected: digest.to_string(),
                found: found.to_string(),
            });
        }
        let media_type = media_type::of_manifest(&bytes, media_type);
        Ok(RawManifest {
            media_type,
            bytes,
            digest: found,
        })
    }

    fn no_blob(&self, digest: &Digest) -> StoreError {
        StoreError::InvalidSource {
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

    fn blob(
        &mut self,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send + '_>, StoreError> {
        let file = self
            .files
            .open(&blob_path(digest)?)?
            .ok_or_else(|| self.no_blob(digest))?;
        if file.size != size {
            return Err(StoreError::SizeMismatch {
                what: format!("{}: blob {digest}", self.files.what()),
                expected: size,
                found: file.size,
            });
        }
        Ok(file.reader)
    }

    fn signature_manifest(&mut self, subject: &Digest) -> Result<Option<RawManifest>, StoreError> {
        let tag = format!("sha256-{}.sig", hex(subject)?);
        match self.index.iter().find(|entry| entry.tag() == Some(&tag)) {
            Some(entry) => self
                .document(&parse_digest(&entry.digest)?, &entry.media_type)
                .map(Some),
            None => Ok(None),
        }
    }

    fn name(&self) -> Option<Reference> {
        self.name.clone()
    }
}

fn blob_path(digest: &Digest) -> Result<String, StoreError> {
    Ok(format!("blobs/sha256/{}", hex(digest)?))
}

fn parse<T: for<'de> Deserialize<'de>>(
    place: &str,
    name: &str,
    bytes: &[u8],
) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::NotJson {
        what: format!("{place}: {name}"),
        reason: error.to_string(),
    })
}

/// The entry that `tag` names, or the only image there is.
fn choose<'a>(
    place: &str,
    entries: &'a [Entry],
    tag: Option<&str>,
) -> Result<&'a Entry, StoreError> {
    let candidates: Vec<&Entry> = match tag {
        Some(tag) => entries.iter().filter(|entry| entry.is_named(tag)).collect(),
        None => entries
            .iter()
            .filter(|entry| !entry.is_attachment())
            .collect(),
    };
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
    let names = candidates.iter().take(SHOWN);
    let names = names.map(|entry| {
        entry
            .annotation(REF_NAME)
            .unwrap_or(&entry.digest)
            .to_owned()
    });
    Err(StoreError::Ambiguous {
        name: place.to_owned(),
        matches: names.collect(),
    })
}

#[cfg(test)]
mod tests;
