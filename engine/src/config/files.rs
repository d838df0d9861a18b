//! The configuration of fairing itself: `config.toml`, and drop-ins in `config.d/*.toml`.
//!
//! A local file (`/etc/fairing`) masks the vendor's file of the same name (`/usr/lib/fairing`), so an
//! empty one undoes it. What is left is read in the order `config.toml`, then drop-ins by name;
//! of two files that set the same thing the later counts. Each table has a file of its own in this
//! directory. Read only by what needs it; a start does, to learn which policy is in force.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use image_store::{BundleLimits, Limits};
use pod::id_blocks::IdRange;
use pod::manifest::Bounds;
use serde::Deserialize;

use super::apps::Apps;
use super::directories::Directories;
use super::layers::Layers;
use super::ownership;
use super::signatures::Signatures;
use super::trust::Trust;
use super::user_namespaces::{UserNamespaces, UsualUsers};
use crate::error::{ConfigError, Error};

const FILE: &str = "config.toml";
const DROP_INS: &str = "config.d";
/// Largest configuration file, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// Most drop-ins of one directory.
const DROP_INS_MAX: usize = 4096;

/// What the configuration says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    #[serde(default)]
    apps: Apps,
    #[serde(default)]
    layers: Layers,
    #[serde(default)]
    signatures: Signatures,
    #[serde(default)]
    trust: Trust,
    #[serde(default)]
    user_namespaces: UserNamespaces,
}

impl Config {
    /// Reads the configuration that is in force.
    ///
    /// # Errors
    /// If a file can't be read, or says something that is not understood; it is named.
    pub fn read(directories: &Directories) -> Result<Self, Error> {
        let mut config = Self::default();
        for path in files(&directories.system_config, &directories.local_config)? {
            let text = read(&path)?;
            let later: Self = toml::from_str(&text).map_err(|error| {
                let line = line_of(&text, error.span().map_or(0, |span| span.start));
                ConfigError::Syntax {
                    path: path.clone(),
                    line,
                    message: error.message().to_owned(),
                }
            })?;
            config = config.overridden_by(later);
        }
        Ok(config)
    }

    /// What is too much for an image.
    pub fn limits(&self) -> Limits {
        self.layers.limits()
    }

    /// How much is taken of the statements about an image.
    pub fn bundle_limits(&self) -> BundleLimits {
        self.signatures.limits()
    }

    /// What each app of a pod may use where nothing is said of it.
    pub fn bounds(&self) -> Bounds {
        self.apps.bounds()
    }

    /// Whether pods get user namespaces where nothing is said of it; `None` if that isn't said here either.
    pub fn usual_users(&self) -> Option<UsualUsers> {
        self.user_namespaces.default()
    }

    /// The IDs from which pods get blocks of their own.
    ///
    /// # Errors
    /// If a user was named who has none.
    pub fn id_range(&self) -> Result<IdRange, Error> {
        self.user_namespaces.range()
    }

    /// The containers-policy.json(5) that is in force in place of the rules of `trust.d`, if one is.
    pub fn containers_policy(&self) -> Option<&Path> {
        let path = self.trust.containers_policy.as_deref();
        path.filter(|path| !path.as_os_str().is_empty())
    }

    fn overridden_by(self, later: Self) -> Self {
        Self {
            apps: self.apps.overridden_by(later.apps),
            layers: self.layers.overridden_by(later.layers),
            signatures: self.signatures.overridden_by(later.signatures),
            trust: self.trust.overridden_by(later.trust),
            user_namespaces: self.user_namespaces.overridden_by(later.user_namespaces),
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.matches('\n').count() + 1
}

/// The files that count, in their order.
fn files(system: &Path, local: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in [local.join(FILE), system.join(FILE)] {
        if path.try_exists().map_err(Error::io("look at", &path))? {
            files.push(path);
            break;
        }
    }
    let mut drop_ins = BTreeMap::new();
    for folder in [system.join(DROP_INS), local.join(DROP_INS)] {
        for name in drop_in_names(&folder)? {
            let path = folder.join(&name);
            drop_ins.insert(name, path);
        }
    }
    files.extend(drop_ins.into_values());
    Ok(files)
}

fn drop_in_names(folder: &Path) -> Result<Vec<OsString>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("read", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::io("read", folder))?.file_name();
        if is_drop_in(&name) {
            names.push(name);
        }
        if names.len() > DROP_INS_MAX {
            return Err(Error::Config(ConfigError::TooMany {
                path: folder.to_path_buf(),
                most: DROP_INS_MAX,
            }));
        }
    }
    Ok(names)
}

/// Not what editors and package managers leave beside a file.
fn is_drop_in(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(b".toml") && !name.starts_with(b".")
}

fn read(path: &Path) -> Result<String, Error> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let metadata = file.metadata().map_err(Error::io("look at", path))?;
    // It can name another policy.
    if let Some(reason) = ownership::distrust(&metadata) {
        return Err(Error::Config(ConfigError::Untrusted {
            path: path.to_path_buf(),
            reason,
        }));
    }
    let mut text = String::new();
    file.take(FILE_MAX + 1)
        .read_to_string(&mut text)
        .map_err(Error::io("read", path))?;
    if text.len() as u64 > FILE_MAX {
        return Err(Error::Config(ConfigError::TooLarge {
            path: path.to_path_buf(),
            most: FILE_MAX,
        }));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ground {
        folder: tempfile::TempDir,
    }

    impl Ground {
        fn new(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = folder.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Self { folder }
        }

        fn read(&self) -> Result<Limits, String> {
            let at = |name| self.folder.path().join(name);
            Config::read(&Directories {
                data: at("data"),
                run: at("run"),
                local_config: at("etc"),
                system_config: at("usr"),
                isolators: None,
            })
            .map(|config| config.limits())
            .map_err(|error| error.to_string())
        }
    }

    fn entries(files: &[(&str, &str)]) -> u64 {
        Ground::new(files).read().unwrap().entries
    }

    const SEVEN: &str = "[layers]\nmax-entries = 7";
    const EIGHT: &str = "[layers]\nmax-entries = 8";

    #[test]
    fn without_files_the_defaults_hold() {
        assert_eq!(entries(&[]), Limits::default().entries);
        assert_eq!(
            entries(&[("etc/config.toml", "")]),
            Limits::default().entries
        );
    }

    #[test]
    fn local_files_mask_the_vendors_and_drop_ins_come_later() {
        assert_eq!(entries(&[("usr/config.toml", SEVEN)]), 7);
        let masked = [("usr/config.toml", SEVEN), ("etc/config.toml", "")];
        assert_eq!(entries(&masked), Limits::default().entries);
        let drop_in = [("etc/config.toml", SEVEN), ("usr/config.d/a.toml", EIGHT)];
        assert_eq!(entries(&drop_in), 8);
        let masked = [
            ("etc/config.toml", SEVEN),
            ("usr/config.d/a.toml", EIGHT),
            ("etc/config.d/a.toml", ""),
        ];
        assert_eq!(entries(&masked), 7);
        let ordered = [
            ("usr/config.d/b.toml", EIGHT),
            ("etc/config.d/a.toml", SEVEN),
            ("etc/config.d/c.toml~", SEVEN),
            ("etc/config.d/.d.toml", SEVEN),
        ];
        assert_eq!(entries(&ordered), 8);
    }

    #[test]
    fn each_setting_is_overridden_by_itself() {
        let ground = Ground::new(&[
            (
                "etc/config.toml",
                "[layers]\nmax-entries = 7\nmax-ratio = 9",
            ),
            ("etc/config.d/a.toml", EIGHT),
        ]);
        let limits = ground.read().unwrap();
        assert_eq!((limits.entries, limits.ratio), (8, 9));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, part) in [
            ("[layers]\nmax_entries = 7", "max_entries"),
            ("[layer]\n", "layer"),
            ("[layers]\nmax-size = \"many\"", "64m"),
            ("[layers]\nmax-entries = 0", "line 2"),
            ("[layers]\nmax-entries = \"7G\"", "integer"),
            ("[layers", "config.toml"),
        ] {
            let error = Ground::new(&[("etc/config.toml", text)])
                .read()
                .unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
            assert!(error.contains("etc/config.toml"), "{text}: {error}");
        }
        let huge = " ".repeat(2 << 20);
        let error = Ground::new(&[("etc/config.toml", &huge)]).read();
        assert!(error.unwrap_err().contains("larger than"));
    }
}
