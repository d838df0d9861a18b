//! The links that `systemctl enable` would make of `[Install]`: for units that are made, the generator makes them.

use crate::finding::{Findings, Severity};
use crate::name::is_unit_name;
use crate::unit_file::{Entry, UnitFile, words};

const SECTION: &str = "Install";

/// A symbolic link in the generator's directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Where, from that directory.
    pub path: String,
    /// What it points to.
    pub target: String,
}

impl Link {
    /// Another name of a unit.
    pub(crate) fn alias(name: &str, unit: &str) -> Self {
        Self {
            path: name.to_owned(),
            target: unit.to_owned(),
        }
    }
}

/// The links of a unit.
pub(crate) fn links(file: &UnitFile, unit: &str, findings: &mut Findings<'_>) -> Vec<Link> {
    let mut links = Vec::new();
    let template = unit.split_once("@.");
    let instance = file.last(SECTION, "DefaultInstance");
    let wanted = match (template, instance) {
        (Some((prefix, ending)), Some(instance)) => {
            let name = format!("{prefix}@{}.{ending}", instance.value);
            if !is_unit_name(&name) {
                findings.error(
                    instance,
                    format!("`{}` is no name of an instance", instance.value),
                );
            }
            Some(name)
        }
        (Some(_), None) => None,
        (None, _) => Some(unit.to_owned()),
    };
    for entry in file.section(SECTION) {
        let directory = match entry.key.as_str() {
            "Alias" => None,
            "WantedBy" => Some("wants"),
            "RequiredBy" => Some("requires"),
            "UpheldBy" => Some("upholds"),
            "DefaultInstance" => continue,
            "Also" => {
                findings.add(
                    entry,
                    Severity::Warning,
                    "it has no effect: units that are made can't be enabled",
                );
                continue;
            }
            _ => {
                findings.error(
                    entry,
                    "there are Alias, WantedBy, RequiredBy, UpheldBy and DefaultInstance",
                );
                continue;
            }
        };
        if entry.value.is_empty() {
            links.retain(|(key, _): &(&str, Link)| *key != entry.key);
            continue;
        }
        for name in units(entry, findings) {
            let link = match directory {
                None if name.ends_with(".service")
                    && name.contains("@.") == unit.contains("@.") =>
                {
                    Link::alias(&name, unit)
                }
                None => {
                    findings.error(entry, format!("`{name}` can't be another name of {unit}"));
                    continue;
                }
                Some(directory) => {
                    // Of a template, there is nothing to start.
                    let Some(wanted) = &wanted else {
                        findings.add(
                            entry,
                            Severity::Warning,
                            "it has no effect: of a template, DefaultInstance= says which instance is meant",
                        );
                        continue;
                    };
                    Link {
                        path: format!("{name}.{directory}/{wanted}"),
                        target: format!("../{unit}"),
                    }
                }
            };
            links.push((entry.key.as_str(), link));
        }
    }
    let mut links: Vec<_> = links.into_iter().map(|(_, link)| link).collect();
    links.sort();
    links.dedup();
    links
}

/// The units that an assignment names.
fn units(entry: &Entry, findings: &mut Findings<'_>) -> Vec<String> {
    let names = match words(&entry.value) {
        Ok(names) => names,
        Err(unfit) => {
            findings.error(entry, unfit.reason());
            return Vec::new();
        }
    };
    let (good, bad): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_unit_name(name));
    for name in bad {
        let reason = match name.contains('%') {
            true => format!("`{name}`: specifiers can't be used here"),
            false => format!("`{name}` is no name of a unit"),
        };
        findings.error(entry, reason);
    }
    good
}
