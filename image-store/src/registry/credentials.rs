//! Credentials that other tools left: the `auths` of `auth.json` and of docker's `config.json`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::error::StoreError;
use crate::layout::files::open_regular;
use crate::reference::DEFAULT_REGISTRY;

/// Bytes of a credential file.
const MAX_FILE: u64 = 1 << 20;

/// What is known for a registry. No `Debug`, so that it gets into no message.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// User and password, joined by a colon and encoded as the header wants it.
    Basic(String),
    /// A refresh token that the token server changes for an access token.
    Refresh(String),
    /// An access token.
    Bearer(String),
}

#[derive(Deserialize)]
struct AuthFile {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default, rename = "identitytoken")]
    identity_token: String,
    #[serde(default, rename = "registrytoken")]
    registry_token: String,
}

/// The files that are looked at, best first.
pub(super) fn default_files() -> Vec<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let mut files = Vec::new();
    if let Some(file) = var("REGISTRY_AUTH_FILE") {
        files.push(PathBuf::from(file));
    }
    let below = |folder: &OsStr, rest: &str| Path::new(folder).join(rest);
    match var("XDG_RUNTIME_DIR") {
        Some(runtime) => files.push(below(&runtime, "containers/auth.json")),
        None => {
            let uid = rustix::process::geteuid().as_raw();
            files.push(PathBuf::from(format!("/run/containers/{uid}/auth.json")));
        }
    }
    let home = var("HOME");
    if let Some(config) = var("XDG_CONFIG_HOME") {
        files.push(below(&config, "containers/auth.json"));
    } else if let Some(home) = &home {
        files.push(below(home, ".config/containers/auth.json"));
    }
    if let Some(config) = var("DOCKER_CONFIG") {
        files.push(below(&config, "config.json"));
    } else if let Some(home) = &home {
        files.push(below(home, ".docker/config.json"));
    }
    files
}

/// Looks for what fits `repository` (`host[:port]/path`) best: in the first file that has
/// anything, the entry with the longest path.
///
/// # Errors
/// A file that is there but can't be read or understood.
pub(super) fn find(files: &[PathBuf], repository: &str) -> Result<Option<Credentials>, StoreError> {
    for path in files {
        let Some((file, length)) = open_regular(path)? else {
            continue;
        };
        let what = path.display().to_string();
        if length > MAX_FILE {
            return Err(StoreError::LimitExceeded {
                what,
                limit: format!("{MAX_FILE} bytes"),
            });
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE)
            .read_to_end(&mut bytes)
            .map_err(|error| StoreError::io("cannot read", path, error))?;
        // The text of the parser may quote the file, and with it a secret: only the place is told.
        let parsed: AuthFile = serde_json::from_slice(&bytes).map_err(|error| {
            let reason = format!("line {}, column {}", error.line(), error.column());
            StoreError::NotJson { what, reason }
        })?;
        if let Some(found) = best(&parsed, repository) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn best(file: &AuthFile, repository: &str) -> Option<Credentials> {
    file.auths
        .iter()
        .map(|(key, auth)| (canonical_key(key), auth))
        .filter(|(key, _)| covers(key, repository))
        .filter_map(|(key, auth)| Some((key.len(), credentials(auth)?)))
        .max_by_key(|(length, _)| *length)
        .map(|(_, credentials)| credentials)
}

/// `https://index.docker.io/v1/` as `docker.io`, and the like.
fn canonical_key(key: &str) -> String {
    let key = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let key = key.trim_end_matches('/');
    let key = key
        .strip_suffix("/v1")
        .or_else(|| key.strip_suffix("/v2"))
        .unwrap_or(key);
    let (host, path) = match key.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (key, None),
    };
    let mut host = host.to_ascii_lowercase();
    if matches!(host.as_str(), "index.docker.io" | "registry-1.docker.io") {
        host = DEFAULT_REGISTRY.to_owned();
    }
    path.map_or_else(|| host.clone(), |path| format!("{host}/{path}"))
}

fn covers(key: &str, repository: &str) -> bool {
    !key.is_empty()
        && repository
            .strip_prefix(key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
    Some(Credentials::Basic(
        STANDARD.encode(format!("{}:{}", auth.username, auth.password)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(json: &str, repository: &str) -> Result<Option<Credentials>, StoreError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.json");
        std::fs::write(&path, json).unwrap();
        find(&[dir.path().join("missing"), path], repository)
    }

    fn basic(text: &str) -> Option<Credentials> {
        Some(Credentials::Basic(STANDARD.encode(text)))
    }

    #[test]
    fn the_longest_path_wins_on_whole_components() {
        let json = r#"{"auths":{
            "q.io":{"auth":"YTpi"}, "q.io/team":{"auth":"YzpkOmU="},
            "https://index.docker.io/v1/":{"username":"u","password":"p"},
            "idt.io":{"auth":"YTpi","identitytoken":"r"}, "empty.io":{}}, "credsStore":"x"}"#;
        assert!(lookup(json, "q.io/a").unwrap() == basic("a:b"));
        assert!(lookup(json, "q.io/team/x").unwrap() == basic("c:d:e"));
        assert!(lookup(json, "q.io/teamx").unwrap() == basic("a:b"));
        assert!(lookup(json, "q.io.evil.io/a").unwrap().is_none());
        assert!(lookup(json, "q.io:5000/a").unwrap().is_none());
        assert!(lookup(json, "docker.io/library/a").unwrap() == basic("u:p"));
        assert!(lookup(json, "idt.io/a").unwrap() == Some(Credentials::Refresh("r".into())));
        assert!(lookup(json, "empty.io/a").unwrap().is_none());
    }

    #[test]
    fn a_broken_file_is_named_and_not_quoted() {
        let Err(error) = lookup(r#"{"auths":{"q.io":"hunter2"}}"#, "q.io/a") else {
            panic!("accepted");
        };
        let message = error.to_string();
        assert!(
            message.contains("auth.json") && !message.contains("hunter2"),
            "{message}"
        );
    }
}
