//! The name under which an image goes into the store.

use image_name::Reference;

use crate::error::StoreError;
use crate::options::FetchOptions;
use crate::origin::Origin;
use crate::source::ImageSource;

/// The name for the store: as asked for, else as the source has it, else one made of its path.
pub(super) fn name(
    source: &ImageSource,
    options: &FetchOptions,
    origin: &dyn Origin,
) -> Result<Reference, StoreError> {
    if let Some(name) = &options.name {
        return Ok(name.clone());
    }
    if let ImageSource::Registry(reference) = source {
        return Ok(reference.clone());
    }
    if let Some(name) = origin.name() {
        return Ok(name);
    }
    let (path, tag) = match source {
        ImageSource::Registry(reference) => return Ok(reference.clone()),
        ImageSource::Layout { path, tag } | ImageSource::OciArchive { path, tag } => (path, tag),
        ImageSource::DockerArchive { path, .. }
        | ImageSource::Aci { path }
        | ImageSource::Root { path }
        | ImageSource::Commit { path, .. } => (path, &None),
    };
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let mut stem: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    stem.truncate(100);
    let stem = match stem.trim_matches('-') {
        "" => "image",
        stem => stem,
    };
    let tagged = tag.as_deref().unwrap_or("latest");
    let name = Reference::parse(&format!("localhost/{stem}"))?;
    Ok(name.at_tag(tagged).unwrap_or(name))
}
