//! The configuration: whether it can be read, and whether anything may run by it.

use engine::machine::{Configuration, Part};

use super::area::Area;
use super::area::Severity::{Error, Note, Warning};

pub(super) fn checks(configuration: &Configuration) -> Area {
    let mut area = Area::new("configuration");
    // One file that can't be read is why several parts can't.
    let mut told = Vec::new();
    let mut read = |severity, subject: &str, part: &Part, meaning: &str| match part {
        Ok(count) => Some(*count),
        Err(why) if told.contains(why) => None,
        Err(why) => {
            told.push(why.clone());
            area.lacks(subject, severity, why.clone(), meaning);
            None
        }
    };
    let nothing = "nothing starts before it is mended";
    let settings = read(Error, "config.toml", &configuration.settings, nothing);
    let rules = read(Error, "rules of trust", &configuration.rules, nothing);
    let registries = read(
        Error,
        "registries",
        &configuration.registries,
        "nothing is fetched before it is mended",
    );
    let networks = read(
        Error,
        "networks",
        &configuration.networks,
        "pods join none before it is mended: --net=host and --net=none are left",
    );
    let devices = read(
        Warning,
        "descriptions of devices",
        &configuration.devices,
        "no pod starts with a --device VENDOR/CLASS=NAME that this file describes; others do",
    );
    let isolator = read(
        Error,
        "isolator",
        &configuration.isolator,
        "nothing starts without one; name its directory with --stage1",
    );
    for (subject, part) in [
        ("config.toml", settings),
        ("registries", registries),
        ("isolator", isolator),
    ] {
        if part.is_some() {
            area.fine(subject, "yes");
        }
    }
    match rules {
        None => {}
        Some(0) => area.lacks(
            "rules of trust",
            Warning,
            "none",
            "no image runs: `fairing trust add` trusts a key, `fairing trust allow` pins an image",
        ),
        Some(count) => area.fine("rules of trust", count.to_string()),
    }
    if let Some(count) = devices {
        area.fine("descriptions of devices", count.to_string());
    }
    if let Some(count) = networks {
        area.fine("networks", format!("{count} configured"));
    }
    match configuration.stale {
        0 => area.fine("networks of dead pods", "nothing"),
        stale => area.lacks(
            "networks of dead pods",
            Note,
            format!("{stale} addresses and ports"),
            "`fairing network gc` frees them, as `fairing gc` does",
        ),
    }
    area
}
