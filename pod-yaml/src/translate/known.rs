//! Config maps and secrets of the files, by their names.

use std::collections::BTreeMap;

use crate::kubernetes::{ConfigMap, Document, Secret};
use crate::reading::{Error, Place};

/// Bytes by keys.
pub(super) type Data = BTreeMap<String, Vec<u8>>;

/// Config maps and secrets.
#[derive(Default)]
pub(super) struct Known {
    config_maps: BTreeMap<String, ConfigMap>,
    secrets: BTreeMap<String, Secret>,
}

impl Known {
    /// Takes one in. What is no config map and no secret is left out.
    pub(super) fn add(&mut self, document: Document) -> Result<(), Error> {
        let twice = |place: &Place, what: &str, name: &str| {
            Err(place.wrong(format!("there is another {what} called {name}")))
        };
        match document {
            Document::ConfigMap(map) => {
                let name = map.metadata.name.clone();
                if self.config_maps.contains_key(&name) {
                    return twice(&map.metadata.place, "ConfigMap", &name);
                }
                self.config_maps.insert(name, map);
            }
            Document::Secret(secret) => {
                let name = secret.metadata.name.clone();
                if self.secrets.contains_key(&name) {
                    return twice(&secret.metadata.place, "Secret", &name);
                }
                self.secrets.insert(name, secret);
            }
            Document::Pod(_) | Document::Claim(_) => {}
        }
        Ok(())
    }

    /// What a config map or a secret holds; `None` if it is not there and need not be.
    pub(super) fn data(
        &self,
        name: &str,
        is_secret: bool,
        optional: bool,
        place: &Place,
    ) -> Result<Option<&Data>, Error> {
        let (what, found) = match is_secret {
            false => {
                let found = self.config_maps.get(name).map(|map| &map.data);
                ("ConfigMap", found)
            }
            true => ("Secret", self.secrets.get(name).map(|secret| &secret.data)),
        };
        match found {
            None if !optional => Err(place.wrong(format!(
                "no {what} is called {name}: it has to be in the same files, or in one of --configmap"
            ))),
            found => Ok(found),
        }
    }

    pub(super) fn secret(&self, name: &str) -> Option<&Secret> {
        self.secrets.get(name)
    }
}
