//! A root filesystem in a tar file. gzip, zstd and plain files are the layer, byte for byte.

use std::io::{self, Read};
use std::path::Path;

use image_layer::{Hasher, Limits};

use super::layer_file::{LayerFile, copy_plain};
use crate::decompress::{self, Packing, Plain};
use crate::error::StoreError;
use crate::store::{Staging, Store};

/// The layer that the file is, or, where no layer is compressed that way, the plain one in it.
pub(super) fn layer(
    path: &Path,
    store: &Store,
    limits: &Limits,
) -> Result<(LayerFile, Option<Staging>), StoreError> {
    let file = decompress::open(path)?;
    let size = file
        .metadata()
        .map_err(|error| StoreError::io("cannot read", path, error))?
        .len();
    if size > limits.layer {
        return Err(limits
            .exceeded(
                image_layer::LayerLimit::CompressedSize,
                path.display().to_string(),
            )
            .into());
    }
    let again = file
        .try_clone()
        .map_err(|error| StoreError::io("cannot read", path, error))?;
    let mut plain = Plain::new(again, path, limits)?;
    let suffix = match plain.packing() {
        Packing::Plain => "",
        Packing::Gzip => "+gzip",
        Packing::Zstd => "+zstd",
        Packing::Xz => {
            let staging = store.stage()?;
            let layer = copy_plain(&mut plain, path, &staging.path().join("layer.tar"))?;
            return Ok((layer, Some(staging)));
        }
    };
    let what = path.display().to_string();
    let diff_id = hash(&mut plain, &what)?;
    let mut file = decompress::open(path)?;
    let digest = match suffix {
        "" => diff_id.clone(),
        _ => hash(&mut file, &what)?,
    };
    let layer = LayerFile {
        path: path.to_owned(),
        suffix,
        digest,
        size,
        diff_id,
    };
    Ok((layer, None))
}

fn hash(reader: &mut dyn Read, what: &str) -> Result<image_name::Digest, StoreError> {
    let mut hasher = Hasher::new();
    io::copy(reader, &mut hasher).map_err(|error| StoreError::from_source(what, error))?;
    Ok(hasher.finish())
}
