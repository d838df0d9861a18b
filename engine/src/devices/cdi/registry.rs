//! The files of all directories.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::document::{ContainerEdits, Document, Form, parse};
use super::name::DeviceName;
use crate::config::root_files::RootFolder;
use crate::error::{ConfigError, DeviceError, Distrust, Error};

/// Of how many broken files a refusal tells.
const TOLD_MAX: usize = 3;

/// What describes devices, each with its file, in the order of the directories.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    documents: Vec<(PathBuf, usize, Document)>,
    /// What could not be read or understood, and why: it describes nothing, and stands in nobody's way.
    broken: Vec<Error>,
    folders: Vec<PathBuf>,
}

/// What an app gets for a device, and who says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(super) name: &'a DeviceName,
    pub(super) path: &'a Path,
    pub(super) edits: &'a ContainerEdits,
}

impl Registry {
    /// Reads all files. What can't be read or understood is noted, and what others than root could have written is not read.
    pub(crate) fn read(folders: &[PathBuf]) -> Self {
        let mut all = Self {
            folders: folders.to_vec(),
            ..Self::default()
        };
        for (rank, folder) in folders.iter().enumerate() {
            if let Err(error) = all.read_folder(rank, folder) {
                all.broken.push(error);
            }
        }
        all
    }

    fn read_folder(&mut self, rank: usize, folder: &Path) -> Result<(), Error> {
        let Some(folder) = RootFolder::open(folder, refuse)? else {
            return Ok(());
        };
        for name in folder.names(is_description)? {
            let path = folder.path_of(&name);
            match read_file(&folder, &name, &path) {
                Ok(Some(document)) => self.documents.push((path, rank, document)),
                Ok(None) => {}
                Err(error) => self.broken.push(error),
            }
        }
        Ok(())
    }

    /// How many files there are.
    ///
    /// # Errors
    /// The first that can't be read or is not understood.
    pub(crate) fn count(self) -> Result<usize, Error> {
        match self.broken.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(self.documents.len()),
        }
    }

    /// What an app gets for a device: what comes with each device of a file, if that is not in `seen` yet, and the device's
    /// own. A later directory counts more.
    ///
    /// # Errors
    /// If nothing describes it, or two files of one directory do, or one does twice.
    pub(crate) fn edits<'a>(
        &'a self,
        name: &'a DeviceName,
        seen: &mut Vec<PathBuf>,
    ) -> Result<Vec<Found<'a>>, DeviceError> {
        let documents = self.documents.iter();
        let described = documents.flat_map(|(path, rank, document)| {
            let devices = document.devices.iter();
            let is_it = document.kind == name.kind();
            devices
                .filter(move |device| is_it && device.name == name.device())
                .map(move |device| (*rank, path, document, device))
        });
        let mut described: Vec<_> = described.collect();
        let highest = described.iter().map(|(rank, ..)| *rank).max();
        described.retain(|(rank, ..)| Some(*rank) == highest);
        let (path, document, device) = match described.as_slice() {
            [(_, path, document, device)] => (path, document, device),
            [] => return Err(self.unknown(name)),
            [(_, first, ..), (_, second, ..), ..] if first == second => {
                return Err(DeviceError::Twice {
                    name: name.to_string(),
                    path: (*first).clone(),
                });
            }
            [(_, first, ..), (_, second, ..), ..] => {
                return Err(DeviceError::Ambiguous {
                    name: name.to_string(),
                    first: (*first).clone(),
                    second: (*second).clone(),
                });
            }
        };
        let found = |edits| Found { name, path, edits };
        let mut all = Vec::new();
        if !seen.contains(path) {
            seen.push((*path).clone());
            all.push(found(&document.container_edits));
        }
        all.push(found(&device.container_edits));
        Ok(all)
    }

    /// Names of devices, as many as a line has room for.
    fn described(&self) -> Vec<String> {
        const SHOWN: usize = 8;
        let documents = self.documents.iter();
        let names = documents.flat_map(|(_, _, document)| {
            let devices = document.devices.iter();
            devices.map(|device| format!("{}={}", document.kind, device.name))
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        names.dedup();
        if names.len() > SHOWN {
            names.truncate(SHOWN);
            names.push("others".to_owned());
        }
        names
    }

    fn unknown(&self, name: &DeviceName) -> DeviceError {
        let folders = self.folders.iter().map(|f| f.display().to_string());
        let told = self.broken.iter().take(TOLD_MAX).map(ToString::to_string);
        let told: Vec<_> = told.collect();
        match told.is_empty() {
            false => DeviceError::Unread {
                name: name.to_string(),
                reasons: told.join("; "),
            },
            true => DeviceError::NotDescribed {
                name: name.to_string(),
                folders: folders.collect::<Vec<_>>().join(", "),
                described: self.described(),
            },
        }
    }
}

/// Reads one file; `None` if it is not there.
fn read_file(folder: &RootFolder, name: &OsStr, path: &Path) -> Result<Option<Document>, Error> {
    let form = match path.extension() == Some(OsStr::new("json")) {
        true => Form::Json,
        false => Form::Yaml,
    };
    let Some(text) = folder.read(name)? else {
        return Ok(None);
    };
    let described = |reason| DeviceError::Description {
        path: path.to_path_buf(),
        reason,
    };
    Ok(Some(parse(&text, form).map_err(described)?))
}

fn is_description(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    // Others the specification doesn't know.
    let endings: [&[u8]; 2] = [b".json", b".yaml"];
    !name.starts_with(b".") && endings.iter().any(|ending| name.ends_with(ending))
}

/// Whoever writes such a file decides what apps get of the host.
fn refuse(path: &Path, reason: Distrust) -> Error {
    Error::Config(ConfigError::Untrusted {
        path: path.to_path_buf(),
        reason,
    })
}
