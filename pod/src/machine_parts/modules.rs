//! The files of a kernel's modules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Files of a kernel's modules, at most.
const FILES_MAX: usize = 100_000;

/// What there is of modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFiles {
    /// The directory of them.
    pub folder: PathBuf,
    /// The files, by the names of their modules, which have underscores.
    pub files: BTreeMap<String, PathBuf>,
    /// What the kernel has without a module.
    pub built_in: BTreeSet<String>,
}

impl ModuleFiles {
    /// Those in the directory of a kernel's version.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let mut open = vec![folder.to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(&directory)? {
                let entry = entry?;
                // A link may lead to the sources.
                if entry.file_type()?.is_dir() {
                    open.push(entry.path());
                } else if let Some(name) = module_name(&entry.path()) {
                    files.insert(name, entry.path());
                }
                if files.len() + open.len() > FILES_MAX {
                    return Err(io::Error::other("there are too many files"));
                }
            }
        }
        let built_in = fs::read_to_string(folder.join("modules.builtin")).unwrap_or_default();
        Ok(Self {
            folder: folder.to_owned(),
            files,
            built_in: built_in
                .lines()
                .filter_map(|line| module_name(Path::new(line)))
                .collect(),
        })
    }

    /// Whether the kernel has that one, in a file or built in.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name) || self.built_in.contains(name)
    }
}

/// The name of the module in a file, if it is one.
fn module_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let packed = [".xz", ".zst", ".gz"];
    let name = packed
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    Some(name.strip_suffix(".ko")?.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_by_their_files_or_are_built_in() {
        let folder = tempfile::tempdir().unwrap();
        let drivers = folder.path().join("kernel/drivers");
        fs::create_dir_all(&drivers).unwrap();
        for name in ["dm-verity.ko.xz", "virtio.ko", "README"] {
            fs::write(drivers.join(name), "").unwrap();
        }
        let built_in = "kernel/fs/erofs/erofs.ko\n";
        fs::write(folder.path().join("modules.builtin"), built_in).unwrap();
        let modules = ModuleFiles::read(folder.path()).unwrap();
        assert!(
            ["dm_verity", "virtio", "erofs"]
                .iter()
                .all(|name| modules.has(name))
        );
        assert!(!modules.has("README") && !modules.has("overlay"));
        assert!(ModuleFiles::read(&folder.path().join("absent")).is_err());
    }
}
