//! The configuration of an image (image-spec: config.md).

use image_name::Digest;
use oci_spec::image::ImageConfiguration;

use super::document::parse_json;
use super::{Manifest, Platform};
use crate::error::StoreError;

/// Parses a configuration and gives the diff IDs of the layers of `manifest`, base first.
///
/// # Errors
/// [`StoreError::NotJson`], [`StoreError::BadManifest`] where it does not fit the manifest,
/// [`StoreError::NoPlatform`] where the image is for another platform.
pub(crate) fn parse_config(
    what: &str,
    bytes: &[u8],
    manifest: &Manifest,
    platform: &Platform,
) -> Result<(ImageConfiguration, Vec<Digest>), StoreError> {
    let config: ImageConfiguration = parse_json(what, bytes)?;
    let bad = |reason: String| StoreError::BadManifest {
        what: what.to_owned(),
        reason,
    };
    let rootfs = config.rootfs();
    if rootfs.typ() != "layers" {
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
    if !os.is_empty() && !architecture.is_empty() {
        let offered = Platform::new(&os, &architecture, None);
        let wanted = platform.to_string();
        let same =
            wanted == offered.to_string() || wanted.starts_with(&format!("{os}/{architecture}/"));
        if !same {
            return Err(StoreError::NoPlatform {
                what: what.to_owned(),
                platform: wanted,
                available: vec![offered.to_string()],
            });
        }
    }
    Ok((config, diff_ids))
}
