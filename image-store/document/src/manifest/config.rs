//! The configuration of an image (image-spec: config.md).

use image_name::Digest;
use oci_spec::image::ImageConfiguration;

use super::document::parse_json;
use super::{Manifest, Platform};
use crate::error::DocumentError;

/// Whether a configuration leaves open what it is for.
pub fn is_of_doubtful_platform(config: &ImageConfiguration) -> bool {
    config.os().to_string().is_empty() || config.architecture().to_string().is_empty()
}

/// Parses a configuration and gives the diff IDs of the layers of `manifest`, base first.
///
/// # Errors
/// [`DocumentError::NotJson`], [`DocumentError::BadManifest`] where it does not fit the manifest,
/// [`DocumentError::NoPlatform`] where the image is for another platform.
pub fn parse_config(
    what: &str,
    bytes: &[u8],
    manifest: &Manifest,
    platform: &Platform,
) -> Result<(ImageConfiguration, Vec<Digest>), DocumentError> {
    let config: ImageConfiguration = parse_json(what, bytes)?;
    let bad = |reason: String| DocumentError::BadManifest {
        what: what.to_owned(),
        reason,
    };
    let rootfs = config.rootfs();
    // Old tools left it out.
    if !matches!(rootfs.typ().as_str(), "layers" | "") {
        return Err(bad(format!("rootfs type {:?} is unknown", rootfs.typ())));
    }
    let (ids, layers) = (rootfs.diff_ids().len(), manifest.layers.len());
    if ids != layers {
        return Err(bad(format!(
            "it has {ids} diff IDs, but the manifest has {layers} layers"
        )));
    }
    let diff_ids = rootfs
        .diff_ids()
        .iter()
        .map(|id| Digest::parse(id))
        .collect::<Result<Vec<_>, _>>()?;
    let os = config.os().to_string();
    let architecture = config.architecture().to_string();
    // Images made by hand leave these empty; a wrong guess shows at exec.
    let fits = |own: &str, wanted: &str| own.is_empty() || own == wanted;
    let offered = Platform::new(&os, &architecture, None);
    if !fits(offered.os(), platform.os()) || !fits(offered.architecture(), platform.architecture())
    {
        return Err(DocumentError::NoPlatform {
            what: what.to_owned(),
            platform: platform.to_string(),
            available: vec![offered.to_string()],
        });
    }
    Ok((config, diff_ids))
}
