//! Images of the trees of images as read-only filesystems, for pods that have a kernel of their own.
//!
//! They are made of layers at first use, and follow from them: one that is not as it was made is made again.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use atomic_file::Durability;
use image_layer::seal::Depth;
use image_layer::{Hasher, Layer, open_regular};
use image_name::Digest;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::store::{Store, chain_id, make_folder, publish, sync_folder};
use crate::tree::write_erofs;
use crate::verity::{Verity, add_tree};

/// The filesystem, in its directory.
const IMAGE: &str = "image";
/// What is known of it.
const RECORD: &str = "filesystem.json";
/// The longest that is read, in bytes.
const RECORD_MAX: u64 = 64 << 10;

/// The tree of an image as an EROFS filesystem in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// The chain ID of the layers.
    pub chain_id: Digest,
    /// The file.
    pub path: PathBuf,
    /// The digest of the file.
    pub digest: Digest,
    /// What its hash tree, which lies behind it, is told to a kernel by.
    pub verity: Verity,
}

impl Filesystem {
    fn new(chain_id: Digest, path: PathBuf, record: Record) -> Self {
        Self {
            chain_id,
            path,
            digest: record.digest,
            verity: record.verity,
        }
    }
}

/// What is known of a filesystem.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Record {
    digest: Digest,
    verity: Verity,
    facts: Facts,
}

/// What the file shows to stat(2): changing it gives it a new change time, which no system call can set.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Facts {
    inode: u64,
    size: u64,
    mode: u32,
    owner: (u32, u32),
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Facts {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            inode: metadata.ino(),
            size: metadata.size(),
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Store {
    /// The filesystem of these layers, base first, which is made if it is not there. To be called by one who holds a pin;
    /// the layers were checked. How deeply the file is compared with what was made: its inode, or every byte.
    ///
    /// # Errors
    /// If something can't be read or written, or has no place in a filesystem.
    pub fn filesystem(&self, layers: &[Layer], depth: Depth) -> Result<Filesystem, StoreError> {
        let chain_id = chain_id(layers).ok_or_else(|| StoreError::InvalidSource {
            origin: "an image".to_owned(),
            reason: "it has no layers".to_owned(),
        })?;
        let folder = self.filesystems_folder().join(chain_id.hex());
        let path = folder.join(IMAGE);
        if let Some(record) = known(&folder, depth)? {
            return Ok(Filesystem::new(chain_id, path, record));
        }
        let staging = self.stage()?;
        let staged = staging.path().join("filesystem");
        DirBuilder::new()
            .mode(0o700)
            .create(&staged)
            .map_err(|error| StoreError::io("cannot create", &staged, error))?;
        let record = make(layers, &chain_id, &staged)?;
        make_folder(&self.filesystems_folder())?;
        loop {
            match fs::rename(&staged, &folder) {
                Ok(()) => break,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
                    ) =>
                {
                    // Another process was faster, or what is there is not what it was.
                    if let Some(record) = known(&folder, depth)? {
                        return Ok(Filesystem::new(chain_id, path, record));
                    }
                    match fs::remove_dir_all(&folder) {
                        Err(error) if error.kind() != ErrorKind::NotFound => {
                            return Err(StoreError::io("cannot remove", &folder, error));
                        }
                        _ => {}
                    }
                }
                Err(error) => return Err(StoreError::io("cannot write", &folder, error)),
            }
        }
        sync_folder(&self.filesystems_folder())?;
        Ok(Filesystem::new(chain_id, path, record))
    }
}

/// What is known of the filesystem in that directory, if it is what was made.
fn known(folder: &Path, depth: Depth) -> Result<Option<Record>, StoreError> {
    let path = folder.join(IMAGE);
    let record = open_regular(&folder.join(RECORD)).ok().flatten();
    let Some(record) = record
        .and_then(|(file, _)| serde_json::from_reader::<_, Record>(file.take(RECORD_MAX)).ok())
    else {
        return Ok(None);
    };
    let Some((file, _)) = open_regular(&path)? else {
        return Ok(None);
    };
    let unread = |error| StoreError::io("cannot read", &path, error);
    if Facts::of(&file).map_err(unread)? != record.facts {
        return Ok(None);
    }
    let is_same = match depth {
        Depth::Inodes => true,
        Depth::Contents => digest(&file).map_err(unread)? == record.digest,
    };
    Ok(is_same.then_some(record))
}

/// Writes the filesystem of these layers into an empty directory, and what is known of it.
fn make(layers: &[Layer], chain_id: &Digest, folder: &Path) -> Result<Record, StoreError> {
    let path = folder.join(IMAGE);
    let failed = |error| StoreError::io("cannot write", &path, error);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let trees: Vec<PathBuf> = layers.iter().rev().map(|l| l.path.clone()).collect();
    let file = write_erofs(&trees, file, &path)?;
    // The same layers give the same file.
    let (verity, digest) = add_tree(&file, chain_id.clone()).map_err(failed)?;
    file.set_permissions(Permissions::from_mode(0o400))
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    let record = Record {
        digest,
        verity,
        facts: Facts::of(&file).map_err(failed)?,
    };
    let bytes = serde_json::to_vec(&record).map_err(|error| failed(error.into()))?;
    let staged = folder.join("new");
    fs::write(&staged, bytes).map_err(|error| StoreError::io("cannot write", &staged, error))?;
    publish(&staged, &folder.join(RECORD), Durability::Full)?;
    Ok(record)
}

fn digest(mut file: &File) -> io::Result<Digest> {
    use std::io::Seek;
    file.rewind()?;
    let mut hasher = Hasher::new();
    io::copy(
        &mut io::BufReader::with_capacity(256 << 10, file),
        &mut hasher,
    )?;
    Ok(hasher.finish())
}
