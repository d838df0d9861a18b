//! What a file is: an image in one of the forms of archives, a root filesystem, or neither. Told from
//! what stands at its top, compressed or not.

use std::io::{BufReader, Seek, SeekFrom};
use std::path::Path;

use image_layer::{ContentError, Limits, Member, Walk};

use super::tar_index::of_archive;
use crate::decompress::{self, Packing, Plain};
use crate::error::StoreError;
use crate::root_names;

/// Bytes that are read at once: of a plain file some headers, whose data is passed over.
const READ_AHEAD: usize = 4096;
const BUFFER: usize = 256 << 10;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An OCI image layout.
    Oci,
    /// `manifest.json` with the layers as tar files.
    Docker,
    /// An appc image.
    Aci,
    /// No image, but directories that root filesystems have.
    Root,
    /// A tar file of something else.
    Other,
}

/// What stands at the top of an archive.
#[derive(Default)]
struct Top {
    layout: bool,
    index: bool,
    docker: bool,
    manifest: bool,
    rootfs: bool,
    root: bool,
}

/// Looks what a file is.
///
/// # Errors
/// [`StoreError::InvalidSource`] for what is no tar file, or one that is refused; [`ContentError::Truncated`] for one that
/// ends before it tells.
pub(crate) fn detect(path: &Path) -> Result<Kind, StoreError> {
    let what = path.display().to_string();
    let limits = Limits::default();
    let file = decompress::open(path)?;
    let again = file
        .try_clone()
        .map_err(|error| StoreError::io("cannot read", path, error))?;
    let plain = Plain::new(again, path, &limits)?;
    let mut is_cut = false;
    let top = if plain.packing() == Packing::Plain {
        let mut file = file;
        let length = file
            .metadata()
            .map_err(|error| StoreError::io("cannot read", path, error))?
            .len();
        file.seek(SeekFrom::Start(0))
            .map_err(|error| StoreError::io("cannot read", path, error))?;
        let mut walk = Walk::new(BufReader::with_capacity(READ_AHEAD, file), &what, &limits);
        Top::of(&mut || {
            let member = walk.next_member()?;
            if member.is_some() {
                is_cut |= walk.pass_data()?.end > length;
            }
            Ok(member)
        })
    } else {
        let mut walk = Walk::new(BufReader::with_capacity(BUFFER, plain), &what, &limits);
        Top::of(&mut || walk.next_member())
    };
    match top.map_err(|error| of_archive(error, &what))?.kind() {
        // What would tell what it is may have been in the rest.
        Kind::Root | Kind::Other if is_cut => Err(ContentError::Truncated { what }.into()),
        kind => Ok(kind),
    }
}

impl Top {
    fn of(
        next: &mut dyn FnMut() -> Result<Option<Member>, ContentError>,
    ) -> Result<Self, ContentError> {
        let mut top = Self::default();
        while let Some(member) = next()? {
            let mut components = member.path.components();
            let Some(first) = components.next() else {
                continue;
            };
            match (first, components.next().is_some()) {
                (b"oci-layout", false) => top.layout = true,
                (b"index.json", false) => top.index = true,
                (b"manifest.json", false) => top.docker = true,
                (b"manifest", false) => top.manifest = true,
                (b"rootfs", _) => top.rootfs = true,
                (name, _) => top.root |= root_names::is_one(name),
            }
            if top.layout && top.index {
                break;
            }
        }
        Ok(top)
    }

    /// Docker writes both forms into one file since 25; then the layout is taken, because it has the
    /// digests that the image was signed by.
    fn kind(&self) -> Kind {
        if self.layout && self.index {
            Kind::Oci
        } else {
            match (self.docker, self.manifest && self.rootfs, self.root) {
                (true, false, false) => Kind::Docker,
                (false, true, false) => Kind::Aci,
                (false, false, true) => Kind::Root,
                // Nothing, or two things at once: whoever has it must say what is meant.
                _ => Kind::Other,
            }
        }
    }
}
