//! The attack list, and what an unpacked layer has to look like.
//!
//! | row of the attack list | tests |
//! |---|---|
//! | names that lead out; writing through a link | `attacks` |
//! | hard links | `links` |
//! | a directory in the place of a link | `links::a_folder_in_the_place_of_a_link_replaces_the_link` |
//! | two sizes, two names, global headers | `desync` |
//! | a directory swapped while unpacking | `swapped` |
//! | whiteouts | `whiteouts` |
//! | digests as paths; documents that are two things | `manifest::tests`, `store::tests::bad_input` |
//! | foreign layers and their `urls` | `manifest::tests`, `store::tests::bad_input` |
//! | bombs | `bombs`; end to end and with bounded memory in `tests/e2e/layer_bombs.rs` |
//! | set-user-ID programs in a store that others can enter | `store::tests`: `the_store_is_closed_to_others` |
//! | devices, fifos, smuggled attributes | `devices` |
//! | IDs, modes, NUL, duplicates, links to later entries | `attacks`, `desync`, `links` |
//! | truncation, garbage, several members, wrong digests | `streams` |
//! | other tools' additions (eStargz, zstd:chunked) | `foreign` |

mod attacks;
mod bombs;
mod desync;
mod devices;
mod fidelity;
mod foreign;
mod links;
mod properties;
mod seals;
mod streams;
mod swapped;
mod whiteouts;

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use image_name::Digest;
use tempfile::TempDir;

use super::extract::Extracted;
use super::{Intake, LayerJob, Wanted, Watch, WindowMemory};
use crate::digest::sha256;
use crate::error::ContentError;
use crate::fixture::{Tar, tree};
use crate::limits::Limits;
use crate::seal::Record;

/// A blob as a manifest names it.
struct Descriptor {
    digest: Digest,
    size: u64,
}

impl Descriptor {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            digest: &self.digest,
            size: self.size,
        }
    }
}

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor {
        digest: sha256(bytes),
        size: bytes.len() as u64,
    }
}

/// A directory with the root of a layer in it, and something beside it that must not change.
struct Ground {
    folder: TempDir,
    outside: Vec<String>,
}

/// All of a directory and below that any change would show: inodes, links, owners, modes, times of
/// change, contents.
fn canary(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut paths = vec![folder.to_owned()];
    while let Some(path) = paths.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = match meta.is_file() {
            true => fs::read(&path).unwrap(),
            false => Vec::new(),
        };
        if meta.is_dir() {
            paths.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        }
        lines.push(format!(
            "{} {} {:o} {}:{} {} {}.{} {content:?}",
            path.display(),
            meta.ino(),
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.nlink(),
            meta.ctime(),
            meta.ctime_nsec(),
        ));
    }
    lines.sort();
    lines
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/file"), "untouched").unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::create_dir(folder.path().join("outside/folder")).unwrap();
        std::os::unix::fs::symlink("file", folder.path().join("outside/link")).unwrap();
        let outside = canary(&folder.path().join("outside"));
        Self { folder, outside }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn outside(&self) -> String {
        self.folder.path().join("outside").display().to_string()
    }

    fn unpack(&self, tar: &[u8]) -> Result<Extracted, ContentError> {
        self.unpack_blob(tar, &sha256(tar), &Limits::default())
    }

    /// Unpacks a blob and checks that nothing outside has changed, whatever comes of it.
    fn unpack_blob(
        &self,
        blob: &[u8],
        diff_id: &Digest,
        limits: &Limits,
    ) -> Result<Extracted, ContentError> {
        self.unpack_from(Box::new(blob), &descriptor(blob), diff_id, limits)
    }

    fn unpack_from<'a>(
        &self,
        source: Box<dyn Read + Send + 'a>,
        descriptor: &'a Descriptor,
        diff_id: &Digest,
        limits: &Limits,
    ) -> Result<Extracted, ContentError> {
        let cancelled = AtomicBool::new(false);
        let watch = Watch {
            received: &|_| {},
            cancelled: &cancelled,
        };
        let intake = Intake::new(source, "layer", descriptor.wanted(), None, watch).unwrap();
        let root = self.root();
        let job = LayerJob {
            what: "layer",
            size: descriptor.size,
            diff_id,
            root: &root,
            limits,
            memory: &WindowMemory::default(),
        };
        let result = job.run(intake, &mut Record::default());
        self.expect_untouched();
        result
    }

    #[track_caller]
    fn expect_untouched(&self) {
        assert_eq!(canary(&self.folder.path().join("outside")), self.outside);
        let names: Vec<_> = fs::read_dir(self.folder.path()).unwrap().collect();
        assert_eq!(names.len(), 2, "something new beside the root");
    }

    fn tree(&self) -> Vec<String> {
        tree(&self.root())
    }
}

/// The message by which a layer is refused; it names the layer and the entry.
#[track_caller]
fn refused(tar: Tar) -> String {
    let error = Ground::new().unpack(&tar.end()).unwrap_err();
    let ContentError::UnsafeEntry { what, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(what, "layer");
    error.to_string()
}
