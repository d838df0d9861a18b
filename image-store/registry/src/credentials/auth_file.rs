//! `auth.json` of podman and skopeo (containers-auth.json(5)) and docker's `config.json`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image_document::go_json;
use image_name::{Location, Specificity};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::docker_credential::Helper;
use super::key::{canonical_key, prefix_of_key};
use super::known::Credentials;
use super::replace::Folder;
use crate::error::RegistryError;
use image_layer::open_regular;

/// Bytes of a credential file.
const MAX_FILE: u64 = 1 << 20;

/// A file as it was read.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct AuthFile {
    auths: BTreeMap<String, Auth>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    store: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    #[serde(rename = "identitytoken")]
    identity_token: String,
    #[serde(rename = "registrytoken")]
    registry_token: String,
}

impl AuthFile {
    /// Reads a file; `None` if there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, RegistryError> {
        match read(path)? {
            Some(bytes) => parse(path, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// One that no file has; `path` is for messages.
    pub(super) fn parse(path: &Path, text: &[u8]) -> Result<Self, RegistryError> {
        parse(path, text)
    }

    /// The entry with the longest path that covers `place`.
    pub(super) fn best(&self, place: &Location) -> Option<Credentials> {
        self.auths
            .iter()
            .filter_map(|(key, auth)| Some((covering(key, place)?, credentials(auth)?)))
            .max_by_key(|(specificity, _)| *specificity)
            .map(|(_, credentials)| credentials)
    }

    /// The helper that is named for `place`, and the name by which it knows it.
    pub(crate) fn named_helper(&self, place: &Location) -> Option<(Helper, &str)> {
        self.helpers
            .iter()
            .filter_map(|(key, name)| Some((covering(key, place)?, key, name)))
            .max_by_key(|(specificity, _, _)| *specificity)
            .map(|(_, key, name)| (Helper::named(name), key.as_str()))
    }

    /// The helper for everything.
    pub(crate) fn store_helper(&self) -> Option<Helper> {
        (!self.store.is_empty()).then(|| Helper::named(&self.store))
    }

    /// Writes user and password for `key` into the file; everything else in it stays.
    pub(crate) fn store(
        path: &Path,
        key: &str,
        user: &str,
        password: &str,
    ) -> Result<(), RegistryError> {
        edit(path, |auths| {
            auths.retain(|own, _| canonical_key(own) != key);
            let auth = STANDARD.encode(format!("{user}:{password}"));
            auths.insert(key.to_owned(), json!({ "auth": auth }));
            true
        })
        .map(drop)
    }

    /// Takes the entry of `key`, or all, out of the file; whether there was one.
    pub(crate) fn erase(path: &Path, key: Option<&str>) -> Result<bool, RegistryError> {
        if read(path)?.is_none() {
            return Ok(false);
        }
        edit(path, |auths| {
            let before = auths.len();
            auths.retain(|own, _| key.is_some_and(|key| canonical_key(own) != key));
            auths.len() != before
        })
    }
}

/// Changes the entries of a file under a lock on its directory, if `change` says that there is a
/// change to keep.
fn edit(
    path: &Path,
    change: impl FnOnce(&mut Map<String, Value>) -> bool,
) -> Result<bool, RegistryError> {
    let folder = Folder::lock(path)?;
    let mut file = match read(folder.file())? {
        Some(bytes) => {
            parse(path, &bytes)?;
            serde_json::from_slice(&bytes).unwrap_or_default()
        }
        None => Map::new(),
    };
    let is_own = |name: &&String| name.eq_ignore_ascii_case("auths");
    let name = file.keys().find(is_own).cloned();
    let auths = file.entry(name.unwrap_or_else(|| "auths".to_owned()));
    let auths = auths.or_insert_with(|| json!({}));
    if auths.is_null() {
        *auths = json!({});
    }
    let Value::Object(auths) = auths else {
        return Err(RegistryError::Configuration {
            path: path.to_owned(),
            reason: "`auths` is not an object".to_owned(),
        });
    };
    let changed = change(auths);
    if changed {
        let mut text = format!("{:#}", Value::Object(file));
        text.push('\n');
        folder.replace(text.as_bytes())?;
    }
    Ok(changed)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, RegistryError> {
    let Some((file, _)) = open_regular(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| RegistryError::io("cannot read", path, error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(RegistryError::Configuration {
            path: path.to_owned(),
            reason: format!("it is larger than {MAX_FILE} bytes"),
        });
    }
    Ok(Some(bytes))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<AuthFile, RegistryError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        // As others take a file that was made and never filled.
        return Ok(AuthFile::default());
    }
    // The text of the parser may quote the file, and with it a secret: only the place is told.
    go_json::from_slice(bytes).map_err(|error| RegistryError::Configuration {
        path: path.to_owned(),
        reason: format!(
            "it is not valid JSON: line {}, column {}",
            error.line(),
            error.column()
        ),
    })
}

/// How specific a key is for `place`, if it covers it.
fn covering(key: &str, place: &Location) -> Option<Specificity> {
    let prefix = prefix_of_key(key)?;
    prefix.covers(place).then(|| prefix.specificity())
}

fn credentials(auth: &Auth) -> Option<Credentials> {
    if !auth.registry_token.is_empty() {
        return Some(Credentials::Bearer(auth.registry_token.clone()));
    }
    if !auth.identity_token.is_empty() {
        return Some(Credentials::Refresh(auth.identity_token.clone()));
    }
    if !auth.auth.is_empty() {
        let decoded = STANDARD.decode(auth.auth.trim()).ok()?;
        return decoded
            .contains(&b':')
            .then(|| Credentials::Basic(STANDARD.encode(decoded)));
    }
    if auth.username.is_empty() {
        return None;
    }
    Some(Credentials::basic(&auth.username, &auth.password))
}
