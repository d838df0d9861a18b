//! `registries.conf` of podman, skopeo and CRI-O, version 2: containers-registries.conf(5). What
//! is not understood is left to those it is for.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::file::ConfigFile;
use super::native::{Mode, aliases, locations, parse_location, parse_prefix};
use super::rule::{Mirror, PullFrom, Rule, Security};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct File {
    unqualified_search_registries: Option<Vec<String>>,
    short_name_mode: Option<Mode>,
    registry: Vec<Table>,
    aliases: BTreeMap<String, String>,
    /// What version 1 has.
    registries: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Table {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    mirror: Vec<MirrorTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct MirrorTable {
    location: String,
    insecure: bool,
    pull_from_mirror: Option<Pull>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Pull {
    All,
    DigestOnly,
    TagOnly,
}

/// Parses the text of the file at `path`.
pub(super) fn parse(text: &str, path: &Path) -> Result<ConfigFile, String> {
    let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    if file.registries.is_some() {
        return Err(
            "it is in the format of version 1, which is not supported; see containers-registries.conf(5)"
                .to_owned(),
        );
    }
    let search = file.unqualified_search_registries;
    Ok(ConfigFile {
        rules: file
            .registry
            .into_iter()
            .map(|table| rule(table, path))
            .collect::<Result<_, _>>()?,
        search: search.map(|list| locations(&list)).transpose()?,
        takes_first_found: file.short_name_mode.map(Mode::takes_first_found),
        aliases: aliases(file.aliases)?,
        ..ConfigFile::default()
    })
}

fn rule(table: Table, path: &Path) -> Result<Rule, String> {
    // One of the two must be there, and the prefix is the location where it is left out.
    let prefix = parse_prefix(match table.prefix.as_str() {
        "" => &table.location,
        prefix => prefix,
    })?;
    let location = match table.location.as_str() {
        "" => None,
        location => Some(parse_location(location)?),
    };
    let of_all = table.mirror_by_digest_only;
    let mirrors = table
        .mirror
        .into_iter()
        .map(|mirror| {
            Ok(Mirror {
                location: parse_location(&mirror.location)?,
                security: insecure(mirror.insecure),
                pull: match mirror.pull_from_mirror {
                    _ if of_all => PullFrom::DigestOnly,
                    Some(Pull::DigestOnly) => PullFrom::DigestOnly,
                    Some(Pull::TagOnly) => PullFrom::TagOnly,
                    Some(Pull::All) | None => PullFrom::All,
                },
            })
        })
        .collect::<Result<_, String>>()?;
    Ok(Rule {
        location: location.filter(|location| prefix.location().as_ref() != Some(location)),
        prefix,
        security: insecure(table.insecure),
        mirrors,
        blocked: table.blocked,
        file: path.to_owned(),
    })
}

fn insecure(insecure: bool) -> Security {
    Security {
        insecure,
        ..Security::default()
    }
}
