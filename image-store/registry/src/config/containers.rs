//! `registries.conf` of podman, skopeo and CRI-O, version 2 and the older 1:
//! containers-registries.conf(5). What is not understood is left to those it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use image_name::{Location, Reference};
use serde::Deserialize;

use super::file::{ConfigFile, understood};
use super::native::{Mode, aliases, locations, parse_location, parse_prefix};
use super::rule::{Mirror, PullFrom, Rule, Security};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct File {
    unqualified_search_registries: Option<Vec<String>>,
    short_name_mode: Option<Mode>,
    registry: Vec<Table>,
    aliases: BTreeMap<String, String>,
    /// What version 1 has, and nothing else.
    registries: Option<Lists>,
}

/// The lists of version 1.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Lists {
    search: Registries,
    insecure: Registries,
    block: Registries,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Registries {
    registries: Vec<String>,
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
    let file: File = understood(text)?;
    if let Some(lists) = file.registries {
        if !file.registry.is_empty() || file.unqualified_search_registries.is_some() {
            return Err("it mixes the formats of versions 1 and 2".to_owned());
        }
        return of_lists(lists, path);
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

/// What version 1 says.
fn of_lists(lists: Lists, path: &Path) -> Result<ConfigFile, String> {
    let (insecure, blocked) = (lists.insecure.registries, lists.block.registries);
    // Both lists may have one registry.
    let all: BTreeSet<&String> = insecure.iter().chain(&blocked).collect();
    let rules = all.into_iter().map(|registry| {
        let table = Table {
            location: registry.clone(),
            insecure: insecure.contains(registry),
            blocked: blocked.contains(registry),
            ..Table::default()
        };
        rule(table, path)
    });
    let search = lists.search.registries;
    Ok(ConfigFile {
        rules: rules.collect::<Result<_, _>>()?,
        search: Some(search)
            .filter(|list| !list.is_empty())
            .map(|list| locations(&list))
            .transpose()?,
        ..ConfigFile::default()
    })
}

/// A place, and the tag behind it, if there is one: that of a single image.
fn tagged_location(text: &str) -> Result<(Location, Option<String>), String> {
    let end = text.rfind('/').map_or(text.len(), |slash| slash + 1);
    let (above, name) = text.split_at(end);
    match name.split_once(':') {
        Some((name, tag)) if is_tag(tag) => {
            let place = parse_location(&format!("{above}{name}"))?;
            Ok((place, Some(tag.to_owned())))
        }
        _ => Ok((parse_location(text)?, None)),
    }
}

fn is_tag(text: &str) -> bool {
    Reference::parse(&format!("a.io/a:{text}")).is_ok()
}

fn rule(table: Table, path: &Path) -> Result<Rule, String> {
    // One of the two must be there, and the prefix is the location where it is left out.
    let prefix = parse_prefix(match table.prefix.as_str() {
        "" => &table.location,
        prefix => prefix,
    })?;
    let (location, tag) = match table.location.as_str() {
        "" => (None, None),
        location => {
            let (place, tag) = tagged_location(location)?;
            (Some(place), tag)
        }
    };
    let of_all = table.mirror_by_digest_only;
    let mirrors = table
        .mirror
        .into_iter()
        .map(|mirror| {
            let (location, tag) = tagged_location(&mirror.location)?;
            Ok(Mirror {
                location,
                tag,
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
        tag,
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
