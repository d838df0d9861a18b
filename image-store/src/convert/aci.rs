//! appc images (appc spec 0.8.11, `aci.md`): a tar file of `manifest` and `rootfs/`, which becomes
//! a layer with what is below `rootfs/`.

use std::io::{BufReader, Read};
use std::path::Path;

use image_layer::{ContentError, Kind, Limits, Member, Walk};

use super::layer_file::{LayerFile, LayerWriter};
use crate::decompress::{self, Plain};
use crate::error::StoreError;
use crate::tar_writer::{Entry, TarWriter, What};

/// Bytes of the manifest.
const MAX_MANIFEST: u64 = 1 << 20;

const BUFFER: usize = 256 << 10;

/// Writes the layer of the image at `path` to `file`, and gives the image's manifest.
pub(super) fn convert(
    path: &Path,
    file: &Path,
    limits: &Limits,
) -> Result<(Vec<u8>, LayerFile), StoreError> {
    let what = path.display().to_string();
    let plain = Plain::new(decompress::open(path)?, path, limits)?;
    let mut walk = Walk::new(BufReader::with_capacity(BUFFER, plain), &what, limits);
    let mut layer = LayerWriter::tar(file)?;
    let mut manifest = None;
    let mut has_root = false;
    while let Some(member) = walk.next_member()? {
        let refused = |reason: &str| {
            StoreError::Content(ContentError::UnsafeEntry {
                what: what.clone(),
                entry: String::from_utf8_lossy(member.path.as_bytes()).into_owned(),
                reason: reason.to_owned(),
            })
        };
        let mut components = member.path.components();
        match (components.next(), components.next().is_some()) {
            // Some tools write an entry for the directory of it all.
            (None, _) if member.kind == Kind::Folder => {}
            (Some(b"manifest"), false) if member.kind == Kind::File => {
                if manifest.is_some() {
                    return Err(refused("it appears twice"));
                }
                if member.size > MAX_MANIFEST || member.segments.is_some() {
                    return Err(StoreError::Content(ContentError::LimitExceeded {
                        what: format!("{what}: manifest"),
                        limit: format!("{MAX_MANIFEST} bytes"),
                    }));
                }
                let bytes = manifest.insert(Vec::new());
                walk.read_data(member.size, &mut |chunk| {
                    bytes.extend_from_slice(chunk);
                    Ok(())
                })?;
            }
            (Some(b"rootfs"), below) => {
                if !below && member.kind != Kind::Folder {
                    return Err(refused(
                        "the root filesystem of an image must be a directory",
                    ));
                }
                has_root = true;
                pass(&mut walk, &member, &mut layer).map_err(|error| match error {
                    Refused::Here(reason) => refused(reason),
                    Refused::Other(error) => error,
                })?;
            }
            _ => {
                return Err(refused(
                    "an appc image has nothing but manifest and rootfs at its top",
                ));
            }
        }
    }
    walk.finish()?;
    let bad = |reason: &str| StoreError::BrokenSource {
        origin: what.clone(),
        reason: format!("it is not an appc image: {reason}"),
    };
    let manifest = manifest.ok_or_else(|| bad("it has no manifest"))?;
    if !has_root {
        return Err(bad("it has no rootfs"));
    }
    Ok((manifest, layer.finish()?.finish()?))
}

enum Refused {
    Here(&'static str),
    Other(StoreError),
}

impl From<ContentError> for Refused {
    fn from(error: ContentError) -> Self {
        Self::Other(error.into())
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Other(error)
    }
}

/// The part of a path below `rootfs`.
fn below(path: &[u8]) -> Option<&[u8]> {
    match path.strip_prefix(b"rootfs")? {
        b"" => Some(b""),
        rest => rest.strip_prefix(b"/"),
    }
}

/// Writes a member into the layer, without `rootfs/`.
fn pass<R: std::io::BufRead>(
    walk: &mut Walk<'_, R>,
    member: &Member,
    layer: &mut TarWriter<LayerWriter>,
) -> Result<(), Refused> {
    let path = below(member.path.as_bytes()).ok_or(Refused::Here("it is not below rootfs"))?;
    let removes = member
        .path
        .components()
        .any(|part| part.starts_with(b".wh."))
        || matches!(member.kind, Kind::Device(device) if device.is_whiteout());
    if removes {
        return Err(Refused::Here(
            "a layer would take it for the removal of a file",
        ));
    }
    let what = match member.kind {
        Kind::File => What::File { size: member.size },
        Kind::Folder => What::Folder,
        Kind::Symlink => What::Symlink(&member.target),
        Kind::HardLink => {
            let target = member
                .linked
                .as_ref()
                .and_then(|path| below(path.as_bytes()));
            What::HardLink(target.filter(|path| !path.is_empty()).ok_or(Refused::Here(
                "the target of the hard link is not below rootfs",
            ))?)
        }
        Kind::Fifo => What::Fifo,
        Kind::Device(device) => What::Device(device),
    };
    layer.begin(&Entry {
        path,
        what,
        mode: member.mode,
        uid: member.uid,
        gid: member.gid,
        mtime: member.mtime,
        xattrs: &member.xattrs,
    })?;
    if member.kind != Kind::File {
        return Ok(());
    }
    match &member.segments {
        None => walk.read_data(member.size, &mut |chunk| Ok(layer.data(chunk)?))?,
        Some(segments) => {
            let mut at = 0;
            for segment in segments {
                layer.zeros(segment.offset.saturating_sub(at))?;
                walk.read_data(segment.length, &mut |chunk| Ok(layer.data(chunk)?))?;
                at = segment.offset.saturating_add(segment.length);
            }
            layer.zeros(member.size.saturating_sub(at))?;
        }
    }
    layer.pad(member.size)?;
    Ok(())
}

/// User and group of a file of the layer: appc lets an app run as the owner of one.
pub(super) fn owner_of(
    layer: &Path,
    path: &str,
    limits: &Limits,
) -> Result<Option<(u32, u32)>, StoreError> {
    let file = decompress::open(layer)?;
    let input: Box<dyn Read> = Box::new(file);
    let what = layer.display().to_string();
    let mut walk = Walk::new(BufReader::with_capacity(BUFFER, input), &what, limits);
    let wanted = path.trim_matches('/').as_bytes();
    let mut found = None;
    while let Some(member) = walk.next_member()? {
        if member.path.as_bytes() == wanted {
            found = Some((member.uid, member.gid));
        }
    }
    Ok(found)
}
