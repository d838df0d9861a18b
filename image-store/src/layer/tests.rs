//! The attack list, and what an unpacked layer has to look like.

mod attacks;
mod fidelity;
mod streams;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use oci_spec::image::Digest;
use tempfile::TempDir;

use super::extract::Extracted;
use super::{Intake, LayerJob, Watch};
use crate::digest::sha256;
use crate::error::StoreError;
use crate::fixture::{descriptor, tree};
use crate::origin::Limits;

/// A folder with the root of a layer in it, and something beside it that must not change.
struct Ground {
    folder: TempDir,
    outside: Vec<String>,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/file"), "untouched").unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        let outside = tree(&folder.path().join("outside"));
        Self { folder, outside }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn outside(&self) -> String {
        self.folder.path().join("outside").display().to_string()
    }

    fn unpack(&self, tar: &[u8]) -> Result<Extracted, StoreError> {
        self.unpack_blob(tar, &sha256(tar), &Limits::default())
    }

    /// Unpacks a blob and checks that nothing outside has changed, whatever comes of it.
    fn unpack_blob(
        &self,
        blob: &[u8],
        diff_id: &Digest,
        limits: &Limits,
    ) -> Result<Extracted, StoreError> {
        let cancelled = AtomicBool::new(false);
        let watch = Watch {
            received: &|_| {},
            cancelled: &cancelled,
        };
        let descriptor = descriptor(blob);
        let intake = Intake::new(Box::new(blob), "layer", &descriptor, None, watch).unwrap();
        let root = self.root();
        let job = LayerJob {
            what: "layer",
            size: descriptor.size,
            diff_id,
            root: &root,
            limits,
        };
        let result = job.run(intake);
        assert_eq!(tree(&self.folder.path().join("outside")), self.outside);
        let text = fs::read_to_string(self.folder.path().join("outside/file")).unwrap();
        assert_eq!(text, "untouched");
        let names: Vec<_> = fs::read_dir(self.folder.path()).unwrap().collect();
        assert_eq!(names.len(), 2, "something new beside the root");
        result
    }

    fn tree(&self) -> Vec<String> {
        tree(&self.root())
    }
}
