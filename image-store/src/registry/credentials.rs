//! Credentials: fairing's own (`auth.d`), then those that other tools have left or keep: `auth.json`,
//! docker's `config.json`, and the helper programs that these name.

mod auth_file;
mod docker_credential;
mod native;
mod replace;
mod sources;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image_name::{DOCKER_HUB, Location, Prefix};

pub(super) use auth_file::AuthFile;
pub(super) use docker_credential::Helper;
pub(super) use native::{LOGIN_FILE, erase as erase_native, store as store_native};
pub(super) use sources::{Sources, login_file};

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

/// Credentials, and where they are from.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) credentials: Credentials,
    pub(super) from: String,
}

impl Credentials {
    pub(super) fn basic(user: &str, password: &str) -> Self {
        Self::Basic(STANDARD.encode(format!("{user}:{password}")))
    }

    /// The user's name, where there is one.
    pub(super) fn user(&self) -> Option<String> {
        let Self::Basic(encoded) = self else {
            return None;
        };
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        text.split_once(':').map(|(user, _)| user.to_owned())
    }
}

/// `https://index.docker.io/v1/` as `docker.io`, and the like: the keys of others' files.
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
        host = DOCKER_HUB.to_owned();
    }
    path.map_or_else(|| host.clone(), |path| format!("{host}/{path}"))
}

/// What a key of others' files is for. One that names no place is for none.
fn prefix_of_key(key: &str) -> Option<Prefix> {
    let location = Location::parse(&canonical_key(key)).ok()?;
    Some(Prefix::from(&location))
}

#[cfg(test)]
mod tests;
