//! Volumes of files that are written once.

use std::collections::BTreeMap;

use engine::pods::spec::VolumeFile;

use super::about::{About, Place as Wanted};
use super::known::{Data, Known};
use crate::kubernetes::{DownwardFile, KeyedFiles, Projection};
use crate::reading::{Error, Place};

/// The files of a volume, by their paths in it.
pub(super) fn files(
    sources: &[Projection],
    default_mode: u32,
    known: &Known,
    about: &About<'_>,
) -> Result<Vec<VolumeFile>, Error> {
    let mut files = Files {
        all: BTreeMap::new(),
        default_mode,
        group: about.fs_group(),
    };
    for source in sources {
        match source {
            Projection::ConfigMap(keyed) => files.add_keyed(keyed, false, known)?,
            Projection::Secret(keyed) => files.add_keyed(keyed, true, known)?,
            Projection::Downward(items) => {
                for item in items {
                    let bytes = of_pod(item, about)?.into_bytes();
                    files.add(&item.path, bytes, item.mode, &item.place)?;
                }
            }
        }
    }
    Ok(files.all.into_values().collect())
}

fn of_pod(item: &DownwardFile, about: &About<'_>) -> Result<String, Error> {
    match (&item.field, &item.resource) {
        (Some(field), _) => about.field(field, Wanted::File),
        (None, Some(resource)) => about.resource(resource, None),
        (None, None) => Ok(String::new()),
    }
}

struct Files {
    all: BTreeMap<String, VolumeFile>,
    default_mode: u32,
    group: Option<u32>,
}

impl Files {
    fn add_keyed(
        &mut self,
        keyed: &KeyedFiles,
        is_secret: bool,
        known: &Known,
    ) -> Result<(), Error> {
        let data = known.data(&keyed.name, is_secret, keyed.optional, &keyed.place)?;
        let empty = Data::new();
        let data = data.unwrap_or(&empty);
        let Some(items) = &keyed.items else {
            for (key, bytes) in data {
                self.add(key, bytes.clone(), None, &keyed.place)?;
            }
            return Ok(());
        };
        for item in items {
            match data.get(&item.key) {
                Some(bytes) => self.add(&item.path, bytes.clone(), item.mode, &item.place)?,
                None if keyed.optional => {}
                None => {
                    let text = format!("{} has no key {}", keyed.name, item.key);
                    return Err(item.place.wrong(text));
                }
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        path: &str,
        bytes: Vec<u8>,
        mode: Option<u32>,
        place: &Place,
    ) -> Result<(), Error> {
        let above = |path: &str, other: &str| {
            let rest = other.strip_prefix(path);
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let mut others = self.all.keys();
        if others.any(|other| other == path || above(other, path) || above(path, other)) {
            return Err(place.wrong(format!("there are two files at {path}")));
        }
        let mode = mode.unwrap_or(self.default_mode);
        // A group that is given is to read them, as in Kubernetes.
        let mode = match self.group {
            Some(_) => mode | 0o440,
            None => mode,
        };
        let file = VolumeFile {
            path: path.to_owned(),
            bytes,
            mode,
            gid: self.group,
        };
        self.all.insert(path.to_owned(), file);
        Ok(())
    }
}
