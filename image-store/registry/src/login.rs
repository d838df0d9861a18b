//! Logging in and out: credentials are tried before they are kept.

use std::fmt;
use std::path::PathBuf;

use image_name::{DOCKER_HUB, Location, NameError};

use super::answer::DOCUMENT_TIME;
use super::client::{Access, Ask, Client, Method, Payload};
use super::config::Registries;
use super::credentials::{AuthFile, Credentials, Helper, LOGIN_FILE, erase_native, store_native};
use crate::error::{OwnCredentials, RegistryError};

/// What credentials are for: `REGISTRY[/PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(Location);

/// Where credentials are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// Where podman keeps them: a file in memory, or a credential helper that is named for the
    /// registry.
    Usual,
    /// In this file, in the format of `auth.json`.
    File(PathBuf),
    /// In fairing's own directory, for all of this machine.
    System,
}

impl Scope {
    /// Parses what a user types.
    ///
    /// # Errors
    /// [`RegistryError::InvalidReference`].
    pub fn parse(text: &str) -> Result<Self, RegistryError> {
        let bare = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("docker://"))
            .unwrap_or(text);
        let invalid = |error: NameError| RegistryError::InvalidReference {
            reference: text.to_owned(),
            reason: error.to_string(),
        };
        let location = Location::parse(bare).map_err(invalid)?;
        let is_hub = matches!(
            (location.registry(), location.path()),
            ("index.docker.io", "" | "v1") | ("registry-1.docker.io", "" | "v2")
        );
        match is_hub {
            true => Ok(Self(Location::parse(DOCKER_HUB).map_err(invalid)?)),
            false => Ok(Self(location)),
        }
    }

    /// The registry, `HOST[:PORT]`.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.0.registry()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Asks the registry whether it takes user and password. `false` if it asks nobody who they are,
/// so that nothing can be said of them.
///
/// # Errors
/// [`RegistryError::Unauthorized`] if it refuses them, or what went wrong on the way.
pub fn check_login(
    scope: &Scope,
    user: &str,
    password: &str,
    registries: &Registries,
) -> Result<bool, RegistryError> {
    let place = registries.settings().place_of(&scope.0);
    let credentials = Credentials::basic(user, password);
    let mut client = Client::at(place, Access::Pull, registries).with(credentials);
    let url = client
        .endpoint()
        .base()
        .ok_or_else(|| RegistryError::InvalidReference {
            reference: scope.to_string(),
            reason: "no URL can be made of it".to_owned(),
        })?;
    let ask = Ask {
        method: Method::Get,
        url,
        headers: Vec::new(),
        payload: Payload::None,
        action: format!("logging in as {user}"),
        longest: DOCUMENT_TIME,
    };
    let response = client.send(&ask).map_err(refused)?;
    match response.status().as_u16() {
        200 => Ok(client.was_asked()),
        401 | 403 => Err(refused(client.failure(&ask.action, response))),
        _ => Err(client.failure(&ask.action, response)),
    }
}

/// A log-in that is refused was not with credentials that are kept anywhere.
fn refused(error: RegistryError) -> RegistryError {
    match error {
        RegistryError::Unauthorized {
            registry,
            action,
            message,
            ..
        } => RegistryError::Unauthorized {
            registry,
            action,
            message,
            credentials: OwnCredentials::New,
        },
        error => error,
    }
}

/// Keeps user and password; gives the place.
///
/// # Errors
/// If they can't be written, or the helper fails.
pub fn keep_login(
    scope: &Scope,
    user: &str,
    password: &str,
    registries: &Registries,
    keep: &Keep,
) -> Result<String, RegistryError> {
    let key = scope.to_string();
    match keep {
        Keep::System => {
            let folder = native_folder(registries)?;
            let path = store_native(&folder, &key, user, password)?;
            Ok(path.display().to_string())
        }
        Keep::Usual | Keep::File(_) => {
            if let Some((helper, server)) = helper_of(scope, registries, keep)? {
                helper.store(&server, user, password)?;
                return Ok(helper.program());
            }
            let path = file_of(registries, keep)?;
            AuthFile::store(&path, &key, user, password)?;
            Ok(path.display().to_string())
        }
    }
}

/// Forgets what was kept for `scope`, or for all; gives the places where there was something.
///
/// # Errors
/// If a file can't be written, or the helper fails.
pub fn forget_login(
    scope: Option<&Scope>,
    registries: &Registries,
    keep: &Keep,
) -> Result<Vec<String>, RegistryError> {
    let key = scope.map(ToString::to_string);
    let mut places = Vec::new();
    if let Some(scope) = scope
        && *keep != Keep::System
        && let Some((helper, server)) = helper_of(scope, registries, keep)?
        && helper.erase(&server)?
    {
        places.push(helper.program());
    }
    if *keep != Keep::System {
        let path = file_of(registries, keep)?;
        if AuthFile::erase(&path, key.as_deref())? {
            places.push(path.display().to_string());
        }
    }
    if !matches!(keep, Keep::File(_)) {
        let folder = native_folder(registries)?;
        if erase_native(&folder, key.as_deref())? {
            places.push(folder.join(LOGIN_FILE).display().to_string());
        }
    }
    Ok(places)
}

/// The user that is known for `scope`, and where from; the user is empty where it is a token.
///
/// # Errors
/// If a file can't be understood, or a helper fails.
pub fn known_user(
    scope: &Scope,
    registries: &Registries,
) -> Result<Option<(String, String)>, RegistryError> {
    let known = registries.settings().credentials().find(&scope.0)?;
    Ok(known.map(|known| (known.credentials.user().unwrap_or_default(), known.from)))
}

fn file_of(registries: &Registries, keep: &Keep) -> Result<PathBuf, RegistryError> {
    let usual = match keep {
        Keep::File(path) => return Ok(path.clone()),
        Keep::Usual | Keep::System => registries.settings().environment.login_file(),
    };
    usual.ok_or_else(|| RegistryError::Configuration {
        path: PathBuf::from("auth.json"),
        reason: "nothing says where it is".to_owned(),
    })
}

/// The helper that a file names for the registry, and what it knows it by.
fn helper_of(
    scope: &Scope,
    registries: &Registries,
    keep: &Keep,
) -> Result<Option<(Helper, String)>, RegistryError> {
    let files = match keep {
        Keep::File(path) => vec![path.clone()],
        Keep::Usual | Keep::System => registries.settings().environment.auth_files(),
    };
    for path in files {
        let Some(file) = AuthFile::read(&path)? else {
            continue;
        };
        if let Some((helper, server)) = file.named_helper(&scope.0) {
            return Ok(Some((helper, server.to_owned())));
        }
        if let Some(helper) = file.store_helper() {
            return Ok(Some((helper, scope.registry().to_owned())));
        }
    }
    Ok(None)
}

fn native_folder(registries: &Registries) -> Result<PathBuf, RegistryError> {
    let folder = registries.settings().auth_folder.clone();
    folder.ok_or_else(|| RegistryError::Configuration {
        path: PathBuf::from("auth.d"),
        reason: "there is no configuration directory".to_owned(),
    })
}
