//! What everything has.

use std::collections::BTreeMap;

use crate::reading::{At, Error, Place};
use crate::schema::METADATA;

/// `metadata`.
#[derive(Debug, Clone)]
pub(crate) struct Metadata {
    /// Where its name stands, or itself.
    pub(crate) place: Place,
    /// Empty in templates.
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// That of something with a name.
    pub(crate) fn named(at: &At<'_>) -> Result<Self, Error> {
        let read = Self::read(at)?;
        match read.name.is_empty() {
            true => Err(at.wrong("name is missing")),
            false => Ok(read),
        }
    }

    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&METADATA)?;
        let name = object.get("name");
        Ok(Self {
            place: name.as_ref().unwrap_or(at).place(),
            name: object.text("name")?.unwrap_or_default(),
            namespace: object
                .text("namespace")?
                .unwrap_or_else(|| "default".to_owned()),
            labels: object.read("labels", At::texts)?.unwrap_or_default(),
            annotations: object.read("annotations", At::texts)?.unwrap_or_default(),
        })
    }
}
