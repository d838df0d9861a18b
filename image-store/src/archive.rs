//! Images in a tar file: OCI archives, and what `docker save` writes.

mod docker;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod kind;
mod tar_index;
mod unpacked;

use std::io::Read;
use std::path::Path;

use crate::contents::Contents;
use crate::error::StoreError;
use crate::layout::Layout;
use crate::layout::contents::contents as layout_contents;
use crate::origin::Origin;
use docker::DockerArchive;
use image_document::{Descriptor, RawManifest};
use image_name::{Digest, Reference};
use tar_index::TarIndex;

pub(crate) use kind::{Kind, detect};
pub(crate) use unpacked::Unpacking;

/// One image of a tar file, read in place.
pub(crate) enum ArchiveOrigin {
    /// Of an OCI archive.
    Oci(Layout<TarIndex>),
    /// Of a docker archive.
    Docker(DockerArchive),
}

/// The images of a docker archive.
pub(crate) fn docker_contents(
    path: &Path,
    unpacking: &Unpacking<'_>,
) -> Result<Contents, StoreError> {
    docker::contents(&TarIndex::open(path, unpacking)?)
}

/// The images of an OCI archive.
pub(crate) fn oci_contents(path: &Path, unpacking: &Unpacking<'_>) -> Result<Contents, StoreError> {
    layout_contents(&TarIndex::open(path, unpacking)?)
}

impl ArchiveOrigin {
    /// Opens an OCI archive; `tag` chooses among several images.
    pub(crate) fn open_oci(
        path: &Path,
        tag: Option<&str>,
        unpacking: &Unpacking<'_>,
    ) -> Result<Self, StoreError> {
        let index = TarIndex::open(path, unpacking)?;
        Ok(Self::Oci(Layout::with_files(index, tag)?))
    }

    /// Opens a docker archive; `tag` (a repository tag) chooses among several images.
    pub(crate) fn open_docker(
        path: &Path,
        tag: Option<&str>,
        unpacking: &Unpacking<'_>,
    ) -> Result<Self, StoreError> {
        let index = TarIndex::open(path, unpacking)?;
        Ok(Self::Docker(DockerArchive::new(index, tag)?))
    }

    fn origin(&mut self) -> &mut dyn Origin {
        match self {
            Self::Oci(layout) => layout,
            Self::Docker(archive) => archive,
        }
    }
}

impl Origin for ArchiveOrigin {
    fn top(&mut self) -> Result<RawManifest, StoreError> {
        self.origin().top()
    }

    fn manifest(&mut self, digest: &Digest) -> Result<RawManifest, StoreError> {
        self.origin().manifest(digest)
    }

    fn has_manifest(&mut self, digest: &Digest) -> Result<bool, StoreError> {
        self.origin().has_manifest(digest)
    }

    fn blob(
        &mut self,
        digest: &Digest,
        size: u64,
    ) -> Result<Box<dyn Read + Send + '_>, StoreError> {
        self.origin().blob(digest, size)
    }

    fn tagged(&mut self, tag: &str) -> Result<Option<RawManifest>, StoreError> {
        self.origin().tagged(tag)
    }

    fn referrers(
        &mut self,
        subject: &Digest,
        kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, StoreError> {
        self.origin().referrers(subject, kind)
    }

    fn name(&self) -> Option<Reference> {
        match self {
            Self::Oci(layout) => layout.name(),
            Self::Docker(archive) => archive.name(),
        }
    }
}

#[cfg(test)]
mod tests;
