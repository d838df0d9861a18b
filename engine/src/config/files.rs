//! The configuration of fairing itself: `config.toml`, and drop-ins in `config.d/*.toml`.
//!
//! A local file (`/etc/fairing`) masks the vendor's file of the same name (`/usr/lib/fairing`), so an
//! empty one undoes it. What is left is read in the order `config.toml`, then drop-ins by name;
//! of two files that set the same thing the later counts. Each table has a file of its own in this
//! directory. Read only by what needs it; a start does, to learn which policy is in force.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use image_store::{BundleLimits, Limits};
use pod::id_blocks::IdRange;
use pod::manifest::{Bounds, LogDriver};
use serde::Deserialize;

use super::apps::Apps;
use super::cdi::Cdi;
use super::cri::Cri;
use super::directories::Directories;
use super::kvm::Kvm;
use super::layers::Layers;
use super::pods::Pods;
use super::root_files::RootFolder;
use super::selinux::Selinux;
use super::services::Services;
use super::signatures::Signatures;
use super::trust::Trust;
use super::units::Units;
use super::user_namespaces::{UserNamespaces, UsualUsers};
use crate::error::{ConfigError, Distrust, Error};
use crate::selinux::Types;

const FILE: &str = "config.toml";
const DROP_INS: &str = "config.d";

/// What the configuration says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    #[serde(default)]
    apps: Apps,
    #[serde(default)]
    cdi: Cdi,
    #[serde(default)]
    cri: Cri,
    #[serde(default)]
    kvm: Kvm,
    #[serde(default)]
    layers: Layers,
    #[serde(default)]
    pods: Pods,
    #[serde(default)]
    selinux: Selinux,
    #[serde(default)]
    services: Services,
    #[serde(default)]
    signatures: Signatures,
    #[serde(default)]
    trust: Trust,
    #[serde(default)]
    units: Units,
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
        for (path, text) in texts(&directories.system_config, &directories.local_config)? {
            let later = parsed(&text);
            config =
                config.overridden_by(later.map_err(|(line, message)| ConfigError::Syntax {
                    path,
                    line,
                    message,
                })?);
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

    /// What keeps the output of apps where nothing is said of it; `None` for the usual files.
    pub fn log_driver(&self) -> Option<LogDriver> {
        self.apps.log_driver()
    }

    /// How long an app waits at most before it starts again, in milliseconds, if not as long as usual.
    pub(crate) fn max_restart_back_off_ms(&self) -> Option<u64> {
        self.services.max_restart_back_off_ms()
    }

    /// The types that apps and their files have where SELinux is enabled, as far as others are named than the policy's; `None`
    /// if they get no labels.
    pub(crate) fn selinux_types(&self) -> Option<Types<'_>> {
        self.selinux.types()
    }

    /// Where vendors describe devices; the later counts more.
    pub fn cdi_directories(&self) -> Vec<PathBuf> {
        self.cdi.directories()
    }

    /// Virtual machines of pods, as far as nothing else is asked of them.
    pub fn kvm(&self) -> &Kvm {
        &self.kvm
    }

    /// The isolator of pods that ask for none, if one is named.
    pub fn stage1(&self) -> Option<&str> {
        self.pods.stage1()
    }

    /// What the CRI shim serves, and how.
    pub fn cri(&self) -> &Cri {
        &self.cri
    }

    /// Whether pods that a service manager looks after are registered with systemd-machined, if that is installed.
    pub fn machined(&self) -> bool {
        self.services.machined()
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

    /// Whether podman's directories of Quadlet files count, beside fairing's own.
    pub fn quadlet_directories(&self) -> bool {
        self.units.quadlet_directories()
    }

    /// The containers-policy.json(5) that is in force in place of the rules of `trust.d`, if one is.
    pub fn containers_policy(&self) -> Option<&Path> {
        let path = self.trust.containers_policy.as_deref();
        path.filter(|path| !path.as_os_str().is_empty())
    }

    fn overridden_by(self, later: Self) -> Self {
        Self {
            apps: self.apps.overridden_by(later.apps),
            cdi: self.cdi.overridden_by(later.cdi),
            cri: self.cri.overridden_by(later.cri),
            kvm: self.kvm.overridden_by(later.kvm),
            layers: self.layers.overridden_by(later.layers),
            pods: self.pods.overridden_by(later.pods),
            selinux: self.selinux.overridden_by(later.selinux),
            services: self.services.overridden_by(later.services),
            signatures: self.signatures.overridden_by(later.signatures),
            trust: self.trust.overridden_by(later.trust),
            units: self.units.overridden_by(later.units),
            user_namespaces: self.user_namespaces.overridden_by(later.user_namespaces),
        }
    }
}

/// What a file says, or in which line something is not understood, and what of which setting.
fn parsed(text: &str) -> Result<Config, (usize, String)> {
    let place = |error: &toml::de::Error| line_of(text, error.span().map_or(0, |span| span.start));
    let document = toml::Deserializer::parse(text)
        .map_err(|error| (place(&error), error.message().to_owned()))?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let setting = error.path().to_string();
        let inner = error.inner();
        // The parser calls a table by its name in the program.
        let message = match inner.message().rsplit_once("expected struct ") {
            Some((before, _)) => format!("{before}expected a table"),
            None => inner.message().to_owned(),
        };
        (place(inner), format!("{setting}: {message}"))
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.matches('\n').count() + 1
}

/// The texts that count, in their order, each with its path.
fn texts(system: &Path, local: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let system = RootFolder::open(system, refuse)?;
    let local = RootFolder::open(local, refuse)?;
    let mut texts = Vec::new();
    for folder in local.iter().chain(&system) {
        if let Some(text) = folder.read(OsStr::new(FILE))? {
            texts.push((folder.path_of(OsStr::new(FILE)), text));
            break;
        }
    }
    let within = |folder: Option<RootFolder>| folder.map_or(Ok(None), |at| at.within(DROP_INS));
    let (system, local) = (within(system)?, within(local)?);
    let mut drop_ins = BTreeMap::new();
    for folder in system.iter().chain(&local) {
        for name in folder.names(is_drop_in)? {
            drop_ins.insert(name, folder);
        }
    }
    for (name, folder) in drop_ins {
        if let Some(text) = folder.read(&name)? {
            texts.push((folder.path_of(&name), text));
        }
    }
    Ok(texts)
}

/// Not what editors and package managers leave beside a file.
fn is_drop_in(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(b".toml") && !name.starts_with(b".")
}

/// The configuration can name another policy, and so is as safe as policies are.
fn refuse(path: &Path, reason: Distrust) -> Error {
    Error::Config(ConfigError::Untrusted {
        path: path.to_path_buf(),
        reason,
    })
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
            (
                "[layers]\nmax-size = \"many\"",
                "line 2: layers.max-size: \"many\": it must be a number such as 64m",
            ),
            (
                "\n[trust]\ncontainers-policy = 7",
                "line 3: trust.containers-policy: invalid type: integer `7`",
            ),
            (
                "[user-namespaces]\ndefault = 7",
                "line 2: user-namespaces.default: invalid type: integer `7`, expected a string",
            ),
            (
                "[user-namespaces]\nids = \"131072-262143\"\nuser = \"x\"",
                "user-namespaces: `ids` and `user` both say",
            ),
            (
                "layers = 3",
                "line 1: layers: invalid type: integer `3`, expected a table",
            ),
            (
                "[apps]\nmax-pids = 0",
                "line 2: apps.max-pids: it is a positive integer",
            ),
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

    #[test]
    fn what_others_could_have_written_is_refused() {
        use std::os::unix::fs::{PermissionsExt, chown, symlink};
        let refused = |change: fn(&Path)| {
            let files = [("etc/config.toml", ""), ("etc/config.d/a.toml", EIGHT)];
            let ground = Ground::new(&files);
            change(&ground.folder.path().join("etc"));
            ground.read().unwrap_err()
        };
        fn open(path: &Path) {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
        }
        for (change, path) in [
            (|etc: &Path| open(etc), "etc is"),
            (|etc| open(&etc.join("config.toml")), "config.toml is"),
            (|etc| open(&etc.join("config.d")), "config.d is"),
            (|etc| open(&etc.join("config.d/a.toml")), "a.toml is"),
        ] as [(fn(&Path), &str); 4]
        {
            let error = refused(change);
            assert!(
                error.contains(path) && error.contains("may write"),
                "{error}"
            );
        }
        let error = refused(|etc| chown(etc.join("config.d"), Some(7), None).unwrap());
        assert!(
            error.contains("config.d is refused: it belongs to user 7"),
            "{error}"
        );
        fn replace(path: &Path) {
            let real = path.with_extension("real");
            std::fs::rename(path, &real).unwrap();
            symlink(&real, path).unwrap();
        }
        for (change, why) in [
            (
                |etc: &Path| replace(&etc.join("config.toml")),
                "config.toml is refused: it is a symbolic link",
            ),
            (
                |etc| replace(&etc.join("config.d/a.toml")),
                "a.toml is refused: it is a symbolic link",
            ),
            (
                |etc| replace(&etc.join("config.d")),
                "config.d is refused: it is not a directory",
            ),
        ] as [(fn(&Path), &str); 3]
        {
            let error = refused(change);
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn nobody_is_waited_for_who_would_write_into_a_fifo() {
        for name in ["etc/config.toml", "usr/config.toml", "etc/config.d/a.toml"] {
            let ground = Ground::new(&[("etc/config.d/b.toml", ""), ("usr/b", "")]);
            let path = ground.folder.path().join(name);
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
            let error = ground.read().unwrap_err();
            assert!(
                error.contains("is refused: it is not a regular file"),
                "{error}"
            );
        }
    }
}
