//! The files of all directories.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::document::{ContainerEdits, Document, Form, parse};
use super::name::DeviceName;
use crate::config::root_files::RootFolder;
use crate::error::{ConfigError, DeviceError, Distrust, Error};

/// What describes devices, each with its file, in the order of the directories.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    documents: Vec<(PathBuf, usize, Result<Document, String>)>,
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
    /// Reads all files. Those that others than root could have written are refused.
    ///
    /// # Errors
    /// If one can't be read.
    pub(crate) fn read(folders: &[PathBuf]) -> Result<Self, Error> {
        let mut all = Self {
            folders: folders.to_vec(),
            ..Self::default()
        };
        for (rank, folder) in folders.iter().enumerate() {
            let Some(folder) = RootFolder::open(folder, refuse)? else {
                continue;
            };
            for name in folder.names(is_description)? {
                let path = folder.path_of(&name);
                let form = match path.extension() == Some(OsStr::new("json")) {
                    true => Form::Json,
                    false => Form::Yaml,
                };
                if let Some(text) = folder.read(&name)? {
                    all.documents.push((path, rank, parse(&text, form)));
                }
            }
        }
        Ok(all)
    }

    /// How many files there are.
    ///
    /// # Errors
    /// The first that is not understood.
    pub(crate) fn count(&self) -> Result<usize, DeviceError> {
        match self.broken() {
            Some(error) => Err(error),
            None => Ok(self.documents.len()),
        }
    }

    /// The first file that is not understood.
    fn broken(&self) -> Option<DeviceError> {
        self.documents.iter().find_map(|(path, _, document)| {
            let reason = document.as_ref().err()?.clone();
            let path = path.clone();
            Some(DeviceError::Description { path, reason })
        })
    }

    /// What an app gets for a device: what comes with each device of a file, if that is not in `seen` yet, and the device's
    /// own. A later directory counts more.
    ///
    /// # Errors
    /// If nothing describes it, or two files of one directory do.
    pub(crate) fn edits<'a>(
        &'a self,
        name: &'a DeviceName,
        seen: &mut Vec<PathBuf>,
    ) -> Result<Vec<Found<'a>>, DeviceError> {
        let documents = self.documents.iter();
        let described = documents.filter_map(|(path, rank, document)| {
            let document = document.as_ref().ok()?;
            let mut devices = document.devices.iter();
            let is_it = document.kind == name.kind();
            let device = devices.find(|device| is_it && device.name == name.device())?;
            Some((*rank, path, document, device))
        });
        let mut described: Vec<_> = described.collect();
        let highest = described.iter().map(|(rank, ..)| *rank).max();
        described.retain(|(rank, ..)| Some(*rank) == highest);
        let (path, document, device) = match described.as_slice() {
            [(_, path, document, device)] => (path, document, device),
            [] => return Err(self.unknown(name)),
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
        let documents = documents.filter_map(|(_, _, document)| document.as_ref().ok());
        let names = documents.flat_map(|document| {
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
        match self.broken() {
            Some(error) => error,
            None => {
                let folders: Vec<_> = self
                    .folders
                    .iter()
                    .map(|f| f.display().to_string())
                    .collect();
                DeviceError::NotDescribed {
                    name: name.to_string(),
                    folders: folders.join(", "),
                    described: self.described(),
                }
            }
        }
    }
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
