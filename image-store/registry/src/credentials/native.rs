//! fairing's own credentials, the files `auth.d/*.toml` of the local configuration:
//!
//! ```toml
//! [[credentials]]
//! prefix = "registry.example.com/team"
//! user = "ci"
//! password = "…"                # or password-file, identity-token or helper
//! ```

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use image_name::{Location, Prefix};
use serde::Deserialize;

use super::docker_credential::Helper;
use super::known::{Credentials, Known};
use super::replace::Folder;
use crate::error::RegistryError;
use image_layer::open_regular;

/// The file that `fairing login --system` keeps.
pub(crate) const LOGIN_FILE: &str = "login.toml";

/// Bytes of a file, and files of the directory.
const MAX_FILE: u64 = 1 << 20;
const MAX_FILES: usize = 1024;

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Text {
    credentials: Vec<Table>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    prefix: String,
    user: Option<String>,
    password: Option<String>,
    password_file: Option<PathBuf>,
    identity_token: Option<String>,
    helper: Option<String>,
}

/// One entry, understood.
struct Entry {
    prefix: Prefix,
    secret: Secret,
    file: PathBuf,
}

enum Secret {
    Ready(Credentials),
    File { user: String, path: PathBuf },
    Helper(String),
}

/// Looks for what the files of `folder` say of `place`: the longest prefix counts.
pub(super) fn find(
    folder: &Path,
    place: &Location,
    helpers: Option<&Path>,
) -> Result<Option<Known>, RegistryError> {
    let mut best: Option<Entry> = None;
    for path in files(folder)? {
        for entry in entries(&path)? {
            if !entry.prefix.covers(place) {
                continue;
            }
            match &best {
                Some(own) if own.prefix.specificity() > entry.prefix.specificity() => {}
                Some(own) if own.prefix == entry.prefix => {
                    return Err(wrong(
                        &path,
                        format!("{} is also in {}", entry.prefix, own.file.display()),
                    ));
                }
                _ => best = Some(entry),
            }
        }
    }
    let Some(entry) = best else { return Ok(None) };
    let credentials = match entry.secret {
        Secret::Ready(credentials) => credentials,
        Secret::File { user, path } => {
            let text =
                read_private(&path)?.ok_or_else(|| wrong(&path, "it does not exist".to_owned()))?;
            Credentials::basic(&user, text.trim_end_matches(['\n', '\r']))
        }
        Secret::Helper(name) => {
            return Helper::named(&name).at(helpers).get(entry.prefix.as_str());
        }
    };
    Ok(Some(Known {
        credentials,
        from: entry.file.display().to_string(),
    }))
}

/// Writes user and password for `prefix` into the file of log-ins.
pub(crate) fn store(
    folder: &Path,
    prefix: &str,
    user: &str,
    password: &str,
) -> Result<PathBuf, RegistryError> {
    let path = folder.join(LOGIN_FILE);
    let locked = Folder::lock(&path)?;
    let mut tables = tables(&path)?;
    tables.retain(|table| table.prefix != prefix);
    tables.push(Table {
        prefix: prefix.to_owned(),
        user: Some(user.to_owned()),
        password: Some(password.to_owned()),
        password_file: None,
        identity_token: None,
        helper: None,
    });
    locked.replace(render(&tables).as_bytes())?;
    Ok(path)
}

/// Takes what is for `prefix`, or all, out of the file of log-ins; whether there was any.
pub(crate) fn erase(folder: &Path, prefix: Option<&str>) -> Result<bool, RegistryError> {
    let path = folder.join(LOGIN_FILE);
    if tables(&path)?.is_empty() {
        return Ok(false);
    }
    let locked = Folder::lock(&path)?;
    let mut tables = tables(&path)?;
    let before = tables.len();
    tables.retain(|table| prefix.is_some_and(|prefix| table.prefix != prefix));
    if tables.len() == before {
        return Ok(false);
    }
    locked.replace(render(&tables).as_bytes())?;
    Ok(true)
}

fn render(tables: &[Table]) -> String {
    let mut text =
        "# Kept by `fairing login --system`; other files in this directory are yours.\n".to_owned();
    for table in tables {
        text.push_str("\n[[credentials]]\n");
        let file = table
            .password_file
            .as_ref()
            .map(|path| path.display().to_string());
        for (name, value) in [
            ("prefix", Some(&table.prefix)),
            ("user", table.user.as_ref()),
            ("password", table.password.as_ref()),
            ("password-file", file.as_ref()),
            ("identity-token", table.identity_token.as_ref()),
            ("helper", table.helper.as_ref()),
        ] {
            if let Some(value) = value {
                text.push_str(&format!("{name} = {}\n", quoted(value)));
            }
        }
    }
    text
}

/// A basic string of TOML.
fn quoted(value: &str) -> String {
    let mut text = "\"".to_owned();
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, RegistryError> {
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(RegistryError::io("cannot read", folder, error)),
    };
    let mut files = Vec::new();
    for entry in listed.take(MAX_FILES) {
        let entry = entry.map_err(|error| RegistryError::io("cannot read", folder, error))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".toml") && !name.starts_with('.') {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn entries(path: &Path) -> Result<Vec<Entry>, RegistryError> {
    tables(path)?
        .into_iter()
        .map(|table| entry(table, path))
        .collect()
}

fn entry(table: Table, path: &Path) -> Result<Entry, RegistryError> {
    let location =
        Location::parse(&table.prefix).map_err(|error| wrong(path, error.to_string()))?;
    let prefix = Prefix::from(&location);
    let secret = match (
        table.user,
        table.password,
        table.password_file,
        table.identity_token,
        table.helper,
    ) {
        (Some(user), Some(password), None, None, None) => {
            Secret::Ready(Credentials::basic(&user, &password))
        }
        (Some(user), None, Some(path), None, None) => Secret::File { user, path },
        (None, None, None, Some(token), None) => Secret::Ready(Credentials::Refresh(token)),
        (None, None, None, None, Some(helper)) => Secret::Helper(helper),
        _ => {
            let reason = format!(
                "the credentials for {prefix} must be `user` with `password` or `password-file`, or `identity-token`, or `helper`"
            );
            return Err(wrong(path, reason));
        }
    };
    Ok(Entry {
        prefix,
        secret,
        file: path.to_owned(),
    })
}

fn tables(path: &Path) -> Result<Vec<Table>, RegistryError> {
    let Some(text) = read_private(path)? else {
        return Ok(Vec::new());
    };
    // The parser's message names what it finds, which may be a secret: only the place is told.
    let parsed: Text = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.unwrap_or_default().matches('\n').count() + 1;
        let known = "prefix, user, password, password-file, identity-token, helper";
        let reason = format!("line {line} is invalid: expected [[credentials]] with {known}");
        wrong(path, reason)
    })?;
    Ok(parsed.credentials)
}

/// Reads a file of secrets that nobody but root or this user can read or write; `None` if there is none.
fn read_private(path: &Path) -> Result<Option<String>, RegistryError> {
    let Some((file, _)) = open_regular(path)? else {
        return Ok(None);
    };
    let metadata = file
        .metadata()
        .map_err(|error| RegistryError::io("cannot read", path, error))?;
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != user {
        return Err(RegistryError::Exposed {
            path: path.to_owned(),
            owner: Some(metadata.uid()),
        });
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(RegistryError::Exposed {
            path: path.to_owned(),
            owner: None,
        });
    }
    let mut text = String::new();
    file.take(MAX_FILE)
        .read_to_string(&mut text)
        .map_err(|error| RegistryError::io("cannot read", path, error))?;
    Ok(Some(text))
}

fn wrong(path: &Path, reason: String) -> RegistryError {
    RegistryError::Configuration {
        path: path.to_owned(),
        reason,
    }
}
