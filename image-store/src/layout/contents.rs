//! Which images a layout holds.

use super::files::LayoutFiles;
use super::{Entry, IMAGE_NAME, Index, MAX_DOCUMENT, REF_NAME, parse, referring_in};
use crate::contents::Contents;
use crate::error::StoreError;

/// The images of a layout: what is kept beside them is none.
pub(crate) fn contents<F: LayoutFiles>(files: &F) -> Result<Contents, StoreError> {
    let bytes =
        files
            .read("index.json", MAX_DOCUMENT)?
            .ok_or_else(|| StoreError::InvalidSource {
                origin: files.what().to_owned(),
                reason: "it is not an OCI image layout: it has no index.json".to_owned(),
            })?;
    let index: Index = parse(files.what(), "index.json", &bytes)?;
    let is_image = |entry: &&Entry| !entry.is_attachment();
    let mut images: Vec<&Entry> = index.manifests.iter().filter(is_image).collect();
    if images.len() > 1 {
        // Only their documents tell artifacts that are not marked as such.
        let referring = referring_in(files, &index.manifests);
        let is_referrer = |entry: &Entry| {
            let mut known = referring.iter();
            known.any(|(_, own)| own.digest.as_ref() == entry.digest)
        };
        images.retain(|entry| entry.tag().is_some() || !is_referrer(entry));
    }
    let mut contents = Contents::default();
    for image in images {
        match image.annotation(IMAGE_NAME).or(image.annotation(REF_NAME)) {
            Some(name) => contents.names.push(name.to_owned()),
            None => contents.unnamed += 1,
        }
    }
    Ok(contents)
}
