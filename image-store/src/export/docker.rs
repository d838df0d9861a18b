//! The docker archive of an image: its configuration, and its layers as plain tar files that are
//! named by their diff IDs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use image_document::{Blob, Document, DocumentError, Plan, go_json};
use image_layer::{ContentError, Hasher};
use image_name::{Digest, Reference};
use serde::{Deserialize, Serialize};

use super::names::new;
use crate::error::StoreError;
use crate::partial::Partial;
use crate::plan::Source;
use crate::tar_writer::TarWriter;

/// Writes what `docker load` reads to `dest`, which must not exist. It appears by one rename.
pub(crate) fn docker(
    plan: &Plan,
    source: &mut Source<'_>,
    dest: &Path,
    name: Option<&str>,
) -> Result<(), StoreError> {
    let mut archive = DockerWriter::begin(dest)?;
    archive.add(plan, source, name)?;
    archive.finish()
}

/// The archive on its way. It appears at its destination when it is finished.
pub(crate) struct DockerWriter {
    partial: Partial,
    tar: TarWriter<BufWriter<File>>,
    /// The files that are there: images may share layers.
    written: BTreeSet<String>,
    items: Vec<Item>,
}

/// An image of the archive, as `manifest.json` has it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

impl DockerWriter {
    /// Begins an archive; `dest` must not exist.
    pub(crate) fn begin(dest: &Path) -> Result<Self, StoreError> {
        new(dest)?;
        let mut partial = Partial::beside(dest)?;
        let tar = partial.tar()?;
        Ok(Self {
            partial,
            tar,
            written: BTreeSet::new(),
            items: Vec::new(),
        })
    }

    /// Adds an image, or a name to one that is there.
    pub(crate) fn add(
        &mut self,
        plan: &Plan,
        source: &mut Source<'_>,
        name: Option<&str>,
    ) -> Result<(), StoreError> {
        let item = write(plan, source, &mut self.tar, &mut self.written, name)?;
        let known = self
            .items
            .iter_mut()
            .find(|known| known.config == item.config);
        match known {
            None => self.items.push(item),
            Some(known) => {
                for tag in item.repo_tags {
                    if !known.repo_tags.contains(&tag) {
                        known.repo_tags.push(tag);
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes what is in it, and takes it to its destination.
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        let manifest = serde_json::to_vec(&self.items).map_err(|error| {
            StoreError::Document(DocumentError::NotJson {
                what: "manifest.json".to_owned(),
                reason: error.to_string(),
            })
        })?;
        self.tar.file("manifest.json", &manifest)?;
        self.tar.finish()?;
        self.partial.finish()
    }
}

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

fn write(
    plan: &Plan,
    source: &mut Source<'_>,
    tar: &mut TarWriter<BufWriter<File>>,
    written: &mut BTreeSet<String>,
    name: Option<&str>,
) -> Result<Item, StoreError> {
    let (config, layers) = image_manifest(plan)?;
    let config_bytes = source.read(&config, MAX_CONFIG)?;
    let diff_ids = diff_ids(&config, &config_bytes)?;
    if diff_ids.len() != layers.len() {
        return Err(StoreError::Document(DocumentError::BadManifest {
            what: format!("configuration {}", config.digest),
            reason: format!("{} diff IDs for {} layers", diff_ids.len(), layers.len()),
        }));
    }
    let config_name = format!("{}.json", config.digest.hex());
    if written.insert(config_name.clone()) {
        tar.file(&config_name, &config_bytes)?;
    }
    let mut names = Vec::new();
    for (layer, diff_id) in layers.iter().zip(&diff_ids) {
        let name = format!("{}.tar", diff_id.hex());
        if written.insert(name.clone()) {
            source.announce(layer, false);
            tar.stream(&name, |path, writer| {
                inflate(source, layer, diff_id, path, writer)
            })?;
            source.arrived(layer);
        }
        names.push(name);
    }
    let own = name.map(Reference::parse).transpose()?;
    // A name with a digest only has no place among the tags.
    let tags: Vec<String> = own
        .as_ref()
        .or(plan.name.as_ref())
        .iter()
        .filter_map(|name| Some(format!("{}:{}", name.repository(), name.tag()?)))
        .collect();
    Ok(Item {
        config: config_name,
        repo_tags: tags,
        layers: names,
    })
}

/// The one image manifest of the plan, with its configuration and layers.
fn image_manifest(plan: &Plan) -> Result<(Blob, Vec<Blob>), StoreError> {
    let mut found = None;
    for document in &plan.documents {
        let what = format!("manifest {}", document.digest);
        let Document::Manifest(manifest) = Document::parse(&what, &document.bytes, "")? else {
            continue;
        };
        // Build attestations are members of an index too.
        if manifest.check_image(&what).is_err() && document.digest != plan.top.digest {
            continue;
        }
        if found.is_some() {
            return Err(StoreError::Document(DocumentError::BadManifest {
                what: format!("index {}", plan.top.digest),
                reason: "a docker archive holds one platform".to_owned(),
            }));
        }
        manifest.check_image(&what)?;
        let layers = manifest.layers.iter().map(|one| Blob::new(one, true));
        found = Some((Blob::new(&manifest.config, false), layers.collect()));
    }
    found.ok_or_else(|| {
        StoreError::Document(DocumentError::BadManifest {
            what: format!("index {}", plan.top.digest),
            reason: "it has no image".to_owned(),
        })
    })
}

fn diff_ids(config: &Blob, bytes: &[u8]) -> Result<Vec<Digest>, StoreError> {
    let parsed: Config = go_json::from_slice(bytes).map_err(|error| {
        StoreError::Document(DocumentError::NotJson {
            what: format!("configuration {}", config.digest),
            reason: error.to_string(),
        })
    })?;
    parsed
        .rootfs
        .diff_ids
        .iter()
        .map(|digest| Digest::parse(digest).map_err(|error| DocumentError::Name(error).into()))
        .collect()
}

/// Writes a layer uncompressed and checks its diff ID on the way.
fn inflate(
    source: &mut Source<'_>,
    layer: &Blob,
    diff_id: &Digest,
    dest: &Path,
    writer: &mut dyn Write,
) -> Result<(), StoreError> {
    let what = format!("layer {}", layer.digest);
    let corrupt = |error: std::io::Error| match ContentError::is_in(&error) {
        true => StoreError::from_source(&what, error),
        false => StoreError::Content(ContentError::CorruptCompression {
            what: what.clone(),
            reason: error.to_string(),
        }),
    };
    let mut file = source.open(layer)?;
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
        Err(StoreError::Content(ContentError::DigestMismatch {
            what,
            expected: diff_id.to_string(),
            found: found.to_string(),
        }))
    }
}

fn read_magic(file: &mut dyn Read, magic: &mut [u8; 4]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = magic.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
