//! Images on their way out of the store: as OCI layout, OCI archive or docker archive, such that
//! other tools read them back with equal digests.

mod docker;
mod outgoing;
mod tar_file;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::digest::hex;
use crate::error::StoreError;
pub use outgoing::Outgoing;
use outgoing::{Content, copy_verified};
use tar_file::TarFile;

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A folder in the OCI image layout.
    OciLayout,
    /// The same as a tar file.
    OciArchive,
    /// What `docker load` reads: plain layers, one image of one platform.
    DockerArchive,
}

/// Writes `image` to `dest`, which must not exist; it appears by one rename when it is complete.
///
/// # Errors
/// [`StoreError::Missing`] if the store hasn't all blobs, [`StoreError::DigestMismatch`] if one is
/// not what its digest says, and what the file system reports. Nothing is left at `dest` then.
pub fn export(image: &Outgoing<'_>, format: ExportFormat, dest: &Path) -> Result<(), StoreError> {
    if dest.symlink_metadata().is_ok() {
        return Err(StoreError::InvalidSource {
            origin: dest.display().to_string(),
            reason: "it exists already".to_owned(),
        });
    }
    let content = image.content()?;
    let partial = Partial::beside(dest)?;
    match format {
        ExportFormat::OciLayout => write_layout(image, &content, &partial.path)?,
        ExportFormat::OciArchive => {
            let mut tar = TarFile::create(&partial.path)?;
            write_archive(image, &content, &mut tar)?;
            tar.finish()?;
        }
        ExportFormat::DockerArchive => {
            let mut tar = TarFile::create(&partial.path)?;
            docker::write(image, &content, &mut tar)?;
            tar.finish()?;
        }
    }
    partial.rename_to(dest)
}

const MARKER: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

fn write_layout(image: &Outgoing<'_>, content: &Content, root: &Path) -> Result<(), StoreError> {
    let blobs = root.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(|error| StoreError::io("cannot create", &blobs, error))?;
    let write = |path: &Path, bytes: &[u8]| {
        fs::write(path, bytes).map_err(|error| StoreError::io("cannot write", path, error))
    };
    for blob in &content.blobs {
        let path = blobs.join(hex(&blob.digest)?);
        let file =
            File::create(&path).map_err(|error| StoreError::io("cannot create", &path, error))?;
        let mut writer = BufWriter::new(file);
        copy_verified(image, blob, &path, &mut writer)?;
        writer
            .flush()
            .map_err(|error| StoreError::io("cannot write", &path, error))?;
    }
    for document in &content.documents {
        write(&blobs.join(hex(&document.digest)?), &document.bytes)?;
    }
    write(&root.join("oci-layout"), MARKER)?;
    write(&root.join("index.json"), &index(image, content)?)
}

fn write_archive(
    image: &Outgoing<'_>,
    content: &Content,
    tar: &mut TarFile,
) -> Result<(), StoreError> {
    tar.file("oci-layout", MARKER)?;
    tar.file("index.json", &index(image, content)?)?;
    for document in &content.documents {
        tar.file(
            &format!("blobs/sha256/{}", hex(&document.digest)?),
            &document.bytes,
        )?;
    }
    for blob in &content.blobs {
        let name = format!("blobs/sha256/{}", hex(&blob.digest)?);
        tar.stream(&name, |path, writer| {
            copy_verified(image, blob, path, writer)
        })?;
    }
    Ok(())
}

/// `index.json`: the image, and its signatures under the names that cosign's tags have.
fn index(image: &Outgoing<'_>, content: &Content) -> Result<Vec<u8>, StoreError> {
    let top = &content.top;
    let mut annotations = serde_json::Map::new();
    if let Some(reference) = &image.reference {
        annotations.insert(
            "org.opencontainers.image.ref.name".to_owned(),
            json!(reference.to_string()),
        );
        annotations.insert(
            "io.containerd.image.name".to_owned(),
            json!(reference.to_string()),
        );
    }
    let mut manifests = vec![json!({
        "mediaType": top.media_type,
        "digest": top.digest,
        "size": top.bytes.len(),
        "annotations": annotations,
    })];
    for (subject, manifest) in &content.signatures {
        let name = format!("sha256-{}.sig", hex(subject)?);
        manifests.push(json!({
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": manifest.bytes.len(),
            "annotations": { "org.opencontainers.image.ref.name": name },
        }));
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": crate::media_type::OCI_INDEX,
        "manifests": manifests,
    });
    serde_json::to_vec(&index).map_err(|error| StoreError::NotJson {
        what: "index.json".to_owned(),
        reason: error.to_string(),
    })
}

/// An export that is not complete; what is there of it goes away with it.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn beside(dest: &Path) -> Result<Self, StoreError> {
        let Some(name) = dest.file_name() else {
            return Err(StoreError::InvalidSource {
                origin: dest.display().to_string(),
                reason: "it is no path of a file to be written".to_owned(),
            });
        };
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        partial.push(format!(".{}.partial", std::process::id()));
        Ok(Self {
            path: dest.with_file_name(partial),
        })
    }

    fn rename_to(self, dest: &Path) -> Result<(), StoreError> {
        fs::rename(&self.path, dest).map_err(|error| StoreError::io("cannot create", dest, error))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the rename there is nothing; before it this is all that can still be done.
        let _ = match self.path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&self.path),
            Ok(_) => fs::remove_file(&self.path),
            Err(_) => Ok(()),
        };
    }
}

#[cfg(test)]
mod tests;
