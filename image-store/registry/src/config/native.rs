//! fairing's own `registries.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image_name::{Location, Prefix};
use serde::Deserialize;

use super::file::{ConfigFile, understood};
use super::rule::{Mirror, PullFrom, Rule, Security};

/// Most seconds of a time limit, and most retries: more is a slip of the pen.
const MAX_SECONDS: u64 = 3600;
const MAX_RETRIES: u32 = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    /// Hosts (`HOST` or `HOST:PORT`) that may be spoken to without TLS; loopback always may.
    plain_http: Option<Vec<String>>,
    unqualified_search: Option<Vec<String>>,
    short_name_mode: Option<Mode>,
    short_names: BTreeMap<String, String>,
    retries: Option<u32>,
    connect_timeout: Option<u64>,
    stall_timeout: Option<u64>,
    certs_dirs: Option<Vec<PathBuf>>,
    containers_registries_conf: Option<bool>,
    registry: Vec<Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    prefix: String,
    location: Option<String>,
    #[serde(default)]
    plain_http: bool,
    #[serde(default)]
    insecure_skip_verify: bool,
    ca: Option<PathBuf>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
    #[serde(default)]
    mirrors: Vec<String>,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    blocked: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mode {
    /// Where several are possible, none is taken.
    Enforcing,
    /// The first that there is.
    Permissive,
    /// As the one before, without asking, which fairing never does.
    Disabled,
}

impl Mode {
    pub(super) fn takes_first_found(self) -> bool {
        !matches!(self, Self::Enforcing)
    }
}

/// Parses the text of the file at `path`.
pub(super) fn parse(text: &str, path: &Path) -> Result<ConfigFile, String> {
    let file: File = understood(text)?;
    let seconds = |name: &str, value: Option<u64>| match value {
        Some(value) if value == 0 || value > MAX_SECONDS => Err(format!(
            "`{name}` must be 1 to {MAX_SECONDS} seconds, not {value}"
        )),
        value => Ok(value.map(Duration::from_secs)),
    };
    if let Some(retries) = file.retries.filter(|retries| *retries > MAX_RETRIES) {
        return Err(format!(
            "`retries` must be at most {MAX_RETRIES}, not {retries}"
        ));
    }
    let search = file.unqualified_search.map(|list| locations(&list));
    Ok(ConfigFile {
        rules: file
            .registry
            .into_iter()
            .map(|table| rule(table, path))
            .collect::<Result<_, _>>()?,
        plain_http: file.plain_http,
        search: search.transpose()?,
        takes_first_found: file.short_name_mode.map(Mode::takes_first_found),
        aliases: aliases(file.short_names)?,
        retries: file.retries,
        connect_timeout: seconds("connect-timeout", file.connect_timeout)?,
        stall_timeout: seconds("stall-timeout", file.stall_timeout)?,
        certificate_folders: file.certs_dirs,
        reads_containers: file.containers_registries_conf,
    })
}

/// A place, or what is wrong with it.
pub(super) fn parse_location(text: &str) -> Result<Location, String> {
    Location::parse(text).map_err(|error| error.to_string())
}

/// The prefix of a table, or what is wrong with it.
pub(super) fn parse_prefix(text: &str) -> Result<Prefix, String> {
    Prefix::of_registry(text).map_err(|error| error.to_string())
}

pub(super) fn locations(list: &[String]) -> Result<Vec<Location>, String> {
    list.iter().map(|text| parse_location(text)).collect()
}

/// Aliases; one without a value takes nothing's place.
pub(super) fn aliases(table: BTreeMap<String, String>) -> Result<Vec<(String, Location)>, String> {
    table
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| {
            let place = parse_location(&value)?;
            if place.path().is_empty() {
                return Err(format!("the short name {name:?} names no repository"));
            }
            Ok((name, place))
        })
        .collect()
}

fn rule(table: Table, path: &Path) -> Result<Rule, String> {
    let prefix = parse_prefix(&table.prefix)?;
    let client = match (table.client_cert, table.client_key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => {
            return Err(format!(
                "registry {prefix}: `client-cert` and `client-key` go together"
            ));
        }
    };
    let pull = match table.mirror_by_digest_only {
        true => PullFrom::DigestOnly,
        false => PullFrom::All,
    };
    Ok(Rule {
        prefix,
        location: table.location.as_deref().map(parse_location).transpose()?,
        tag: None,
        security: Security {
            plain: table.plain_http,
            insecure: table.insecure_skip_verify,
            ca: table.ca,
            client,
            ..Security::default()
        },
        mirrors: locations(&table.mirrors)?
            .into_iter()
            .map(|location| Mirror {
                location,
                tag: None,
                security: Security::default(),
                pull,
            })
            .collect(),
        blocked: table.blocked,
        file: path.to_owned(),
    })
}
