//! The filesystems of images, which a machine has as disks.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use image_name::Digest;
use pod::manifest::{App, PodManifest, Verity};
use stage1::failure::StartFailure;

/// Filesystems of images, in the directory of images and pods.
const FILESYSTEMS: &str = "images/filesystems";

/// Those of a machine.
#[derive(Debug, Default)]
pub(crate) struct Disks {
    /// The layers of each, in the order in which the machine has them.
    layers: Vec<Vec<Digest>>,
    /// Whether its kernel checks what it reads of those that have a hash tree.
    are_checked: bool,
}

impl Disks {
    /// Opens the filesystems of all apps, each once: none in a pod that is kept, whose root filesystems are shared with the
    /// machine as a whole. `data` is the directory of images and pods; the machine's kernel may be able to check what it
    /// reads.
    ///
    /// # Errors
    /// Which can't be opened.
    pub(crate) fn open(
        &mut self,
        data: &Path,
        manifest: &PodManifest,
        can_check: bool,
    ) -> Result<Vec<OwnedFd>, StartFailure> {
        let mut files = Vec::new();
        if !manifest.remove_on_exit {
            return Ok(files);
        }
        for app in manifest.apps.iter() {
            self.are_checked |= can_check && verity(app).is_some();
            if self.layers.contains(&app.image.layers) {
                continue;
            }
            let chain_id = chain_id(app)?;
            let path = data.join(FILESYSTEMS).join(chain_id.hex()).join("image");
            let file = File::open(&path);
            let file = file.map_err(StartFailure::os(format_args!("open {}", path.display())))?;
            self.layers.push(app.image.layers.clone());
            files.push(OwnedFd::from(file));
        }
        Ok(files)
    }

    /// Where the machine has the files of an app's image; `None` if it was started without them.
    pub(crate) fn device_of(&self, app: &App) -> Option<PathBuf> {
        let layers = &app.image.layers;
        self.layers
            .iter()
            .position(|disk| disk == layers)
            .map(device)
    }

    /// Whether the machine's kernel checks what it reads of any of them.
    pub(crate) fn are_checked(&self) -> bool {
        self.are_checked
    }

    /// The hash tree by which it is to check what it reads of an app's image.
    pub(crate) fn verity_of(&self, app: &App) -> Option<Verity> {
        verity(app).filter(|_| self.are_checked).cloned()
    }
}

fn verity(app: &App) -> Option<&Verity> {
    app.image.filesystem.as_ref()?.verity.as_ref()
}

/// By what the store has the filesystem of an app's image.
fn chain_id(app: &App) -> Result<&Digest, StartFailure> {
    let filesystem = app.image.filesystem.as_ref();
    let chain_id = filesystem.map(|filesystem| &filesystem.chain_id);
    chain_id.ok_or_else(|| {
        StartFailure::other(format!(
            "nobody has made a filesystem of the image of app {}",
            app.name
        ))
    })
}

/// Where a machine has its disk of this number.
fn device(number: usize) -> PathBuf {
    let letter = u8::try_from(number)
        .ok()
        .and_then(|number| b'a'.checked_add(number))
        .unwrap_or(b'a');
    PathBuf::from(format!("/dev/vd{}", char::from(letter)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_have_letters() {
        assert_eq!(device(0), Path::new("/dev/vda"));
        assert_eq!(device(19), Path::new("/dev/vdt"));
    }
}
