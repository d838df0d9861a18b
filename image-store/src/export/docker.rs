//! The docker archive of an image: its configuration, and its layers as plain tar files that are
//! named by their diff IDs.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;

use oci_spec::image::Digest;
use serde::Deserialize;
use serde_json::json;

use super::outgoing::{Blob, Content, Outgoing, copy_verified, mismatch};
use super::tar_file::TarFile;
use crate::digest::{Hasher, hex, parse_digest};
use crate::error::StoreError;
use crate::manifest::Document;

/// Bytes of a configuration.
const MAX_CONFIG: u64 = 4 << 20;

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

pub(super) fn write(
    image: &Outgoing<'_>,
    content: &Content,
    tar: &mut TarFile,
) -> Result<(), StoreError> {
    let (config, layers) = image_manifest(content)?;
    let diff_ids = diff_ids(image, &config)?;
    if diff_ids.len() != layers.len() {
        return Err(StoreError::BadManifest {
            what: format!("configuration {}", config.digest),
            reason: format!("{} diff IDs for {} layers", diff_ids.len(), layers.len()),
        });
    }
    let config_name = format!("{}.json", hex(&config.digest)?);
    tar.stream(&config_name, |path, writer| {
        copy_verified(image, &config, path, writer)
    })?;
    let mut names = Vec::new();
    let mut written = BTreeSet::new();
    for (layer, diff_id) in layers.iter().zip(&diff_ids) {
        let name = format!("{}.tar", hex(diff_id)?);
        if written.insert(name.clone()) {
            tar.stream(&name, |path, writer| {
                inflate(image, layer, diff_id, path, writer)
            })?;
        }
        names.push(name);
    }
    // A name with a digest only has no place among the tags.
    let tags: Vec<String> = image
        .reference
        .iter()
        .filter_map(|name| Some(format!("{}:{}", name.repository(), name.tag()?)))
        .collect();
    let manifest = json!([{ "Config": config_name, "RepoTags": tags, "Layers": names }]);
    let manifest = serde_json::to_vec(&manifest).map_err(|error| StoreError::NotJson {
        what: "manifest.json".to_owned(),
        reason: error.to_string(),
    })?;
    tar.file("manifest.json", &manifest)
}

/// The one image manifest that belongs to the name, with its configuration and layers.
fn image_manifest(content: &Content) -> Result<(Blob, Vec<Blob>), StoreError> {
    let is_signature = |digest: &Digest| {
        content
            .signatures
            .iter()
            .any(|(_, manifest)| manifest.digest == *digest)
    };
    let mut found = None;
    for document in content
        .documents
        .iter()
        .filter(|document| !is_signature(&document.digest))
    {
        let what = format!("manifest {}", document.digest);
        let Document::Manifest(manifest) = Document::parse(&what, &document.bytes, "")? else {
            continue;
        };
        if found.is_some() {
            return Err(StoreError::BadManifest {
                what: format!("index {}", content.top.digest),
                reason: "a docker archive holds one platform, and the store has several of it"
                    .to_owned(),
            });
        }
        found = Some((
            Blob::from(&manifest.config),
            manifest.layers.iter().map(Blob::from).collect(),
        ));
    }
    found.ok_or_else(|| StoreError::Missing {
        what: "image manifest of".to_owned(),
        digest: content.top.digest.clone(),
    })
}

fn diff_ids(image: &Outgoing<'_>, config: &Blob) -> Result<Vec<Digest>, StoreError> {
    let what = format!("configuration {}", config.digest);
    if config.size > MAX_CONFIG {
        return Err(StoreError::LimitExceeded {
            what,
            limit: format!("{MAX_CONFIG} bytes"),
        });
    }
    let mut bytes = Vec::new();
    copy_verified(image, config, Path::new(&what), &mut bytes)?;
    let parsed: Config = serde_json::from_slice(&bytes).map_err(|error| StoreError::NotJson {
        what,
        reason: error.to_string(),
    })?;
    parsed
        .rootfs
        .diff_ids
        .iter()
        .map(|digest| parse_digest(digest))
        .collect()
}

/// Writes a layer uncompressed and checks its diff ID on the way.
fn inflate(
    image: &Outgoing<'_>,
    layer: &Blob,
    diff_id: &Digest,
    dest: &Path,
    writer: &mut dyn Write,
) -> Result<(), StoreError> {
    let what = format!("layer {}", layer.digest);
    let corrupt = |error: std::io::Error| StoreError::CorruptCompression {
        what: what.clone(),
        reason: error.to_string(),
    };
    let mut file = image
        .open(&layer.digest)?
        .ok_or_else(|| image.missing("layer blob", &layer.digest))?;
    let mut magic = [0; 4];
    let count = read_magic(&mut file, &mut magic).map_err(corrupt)?;
    let start = magic.get(..count).unwrap_or_default();
    let whole = start.chain(file);
    let mut reader: Box<dyn Read> = match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::new(whole).map_err(corrupt)?),
        _ => Box::new(whole),
    };
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = reader.read(&mut buffer).map_err(corrupt)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        writer
            .write_all(bytes)
            .map_err(|error| StoreError::io("cannot write", dest, error))?;
    }
    let found = hasher.finish();
    if found == *diff_id {
        Ok(())
    } else {
        Err(mismatch(what, diff_id, &found))
    }
}

fn read_magic(file: &mut std::fs::File, magic: &mut [u8; 4]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = magic.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
