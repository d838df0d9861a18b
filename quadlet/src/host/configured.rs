//! What the generator needs of fairing's configuration: whether podman's directories count.
//!
//! The command reads the whole of it, and refuses what it doesn't understand. A generator that did so would take all services
//! away for a slip in another table: it looks at its own, and at nothing that somebody else than root could have written.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::regular::read;
use crate::finding::Finding;

#[derive(Debug, Default, Deserialize)]
struct Config {
    #[serde(default)]
    units: Units,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Units {
    quadlet_directories: Option<bool>,
}

/// Whether podman's directories count, by `config.toml` and `config.d` of the administrator's directory and the vendor's; and
/// what could not be understood of them.
pub fn quadlet_directories(local: &Path, system: &Path) -> (bool, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut counts = false;
    for path in files(local, system) {
        match config(&path) {
            Ok(config) => counts = config.units.quadlet_directories.unwrap_or(counts),
            Err(reason) => findings.push(Finding::of_file(path, reason)),
        }
    }
    (counts, findings)
}

/// The files that count, in their order: an administrator's one hides the vendor's of the same name.
fn files(local: &Path, system: &Path) -> Vec<PathBuf> {
    let mains = [local, system].map(|path| path.join("config.toml"));
    let main = mains
        .into_iter()
        .find(|path| path.symlink_metadata().is_ok());
    let mut drop_ins = BTreeMap::new();
    for directory in [system, local].map(|path| path.join("config.d")) {
        // Without the directory, there is none of them.
        let Ok(entries) = fs::read_dir(directory) else {
            continue;
        };
        for entry in entries.flatten().take(1024) {
            let name = entry.file_name();
            let bytes = name.as_encoded_bytes();
            if bytes.ends_with(b".toml") && !bytes.starts_with(b".") {
                drop_ins.insert(name, entry.path());
            }
        }
    }
    main.into_iter().chain(drop_ins.into_values()).collect()
}

fn config(path: &Path) -> Result<Config, String> {
    let cant = |error| format!("it can't be read: {error}");
    let metadata = fs::symlink_metadata(path).map_err(cant)?;
    if !metadata.is_file() || metadata.mode() & 0o022 != 0 {
        return Err(
            "it is left out: others than its owner may write it, or it is not a regular file"
                .to_owned(),
        );
    }
    let text = read(path).map_err(cant)?;
    let text = String::from_utf8(text).map_err(|_| "it is not UTF-8 text".to_owned())?;
    toml::from_str(&text).map_err(|error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_file_that_says_so_counts_and_other_tables_are_not_looked_at() {
        let ground = tempfile::tempdir().unwrap();
        let at = |name: &str| ground.path().join(name);
        let write = |name: &str, text: &str| {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), text).unwrap();
        };
        let of = || {
            let (counts, findings) = quadlet_directories(&at("etc"), &at("usr"));
            (
                counts,
                findings.iter().map(Finding::to_string).collect::<Vec<_>>(),
            )
        };
        assert_eq!(of(), (false, vec![]));
        write(
            "usr/config.toml",
            "[units]\nquadlet-directories = true\n[layers]\nwhat = 1",
        );
        assert_eq!(of(), (true, vec![]));
        write("etc/config.toml", "");
        assert_eq!(of(), (false, vec![]));
        write("usr/config.d/a.toml", "units.quadlet-directories = true");
        assert_eq!(of(), (true, vec![]));
        write("etc/config.d/b.toml", "units.quadlet-directories = 7");
        let (counts, told) = of();
        assert!(
            counts && told.len() == 1 && told[0].contains("b.toml: invalid type"),
            "{told:?}"
        );
    }
}
