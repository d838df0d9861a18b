//! Config maps and secrets: bytes by keys.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::metadata::Metadata;
use crate::reading::{At, Error};
use crate::schema::{CONFIG_MAP, SECRET};

/// A config map.
#[derive(Debug, Clone)]
pub(crate) struct ConfigMap {
    pub(crate) metadata: Metadata,
    pub(crate) data: BTreeMap<String, Vec<u8>>,
}

/// A secret.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) metadata: Metadata,
    pub(crate) kind: String,
    pub(crate) data: BTreeMap<String, Vec<u8>>,
}

impl ConfigMap {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&CONFIG_MAP)?;
        object.flag("immutable")?;
        let mut data = BTreeMap::new();
        if let Some(texts) = object.get("data") {
            for (key, text) in texts.members()? {
                insert(&mut data, key, &text, |at| at.text())?;
            }
        }
        if let Some(binary) = object.get("binaryData") {
            for (key, text) in binary.members()? {
                if data.contains_key(key) {
                    return Err(text.wrong("the key is in data, too"));
                }
                insert(&mut data, key, &text, decoded)?;
            }
        }
        Ok(Self {
            metadata: object.need("metadata", Metadata::named)?,
            data,
        })
    }
}

impl Secret {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&SECRET)?;
        object.flag("immutable")?;
        let mut data = BTreeMap::new();
        if let Some(binary) = object.get("data") {
            for (key, text) in binary.members()? {
                insert(&mut data, key, &text, decoded)?;
            }
        }
        if let Some(texts) = object.get("stringData") {
            for (key, text) in texts.members()? {
                insert(&mut data, key, &text, |at| at.text())?;
            }
        }
        Ok(Self {
            metadata: object.need("metadata", Metadata::named)?,
            kind: object.text("type")?.unwrap_or_default(),
            data,
        })
    }
}

/// A key is the name of a file.
fn insert<T: Into<Vec<u8>>>(
    data: &mut BTreeMap<String, Vec<u8>>,
    key: &str,
    at: &At<'_>,
    value: impl FnOnce(&At<'_>) -> Result<T, Error>,
) -> Result<(), Error> {
    let is_good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    if key.is_empty()
        || key.len() > 253
        || !key.bytes().all(is_good)
        || key.starts_with("..")
        || key == "."
    {
        return Err(at.wrong("a key is of letters, digits, hyphens, underscores and dots"));
    }
    data.insert(key.to_owned(), value(at)?.into());
    Ok(())
}

fn decoded(at: &At<'_>) -> Result<Vec<u8>, Error> {
    let text: String = at.raw()?.split_whitespace().collect();
    let bytes = STANDARD.decode(text);
    bytes.map_err(|_| at.wrong("it is not base64; stringData of a Secret takes plain text"))
}
