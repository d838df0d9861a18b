//! What is configured of registries: where a name is looked for, over what, and what short names
//! mean. fairing's own files come first, `registries.toml` of the local over that of the system
//! configuration; then what `containers-registries.conf(5)` says, read in place. The name that
//! policy sees is never changed by any of it.

mod containers;
mod file;
mod native;
mod rule;
mod settings;
mod short_name;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_name::Reference;

use super::environment::Environment;
use crate::error::RegistryError;
use image_layer::open_regular;

pub(super) use rule::Security;
pub(super) use settings::{Place, Purpose, Settings, Transfer};

/// Bytes of a configuration file.
const MAX_FILE: u64 = 1 << 20;

/// Drop-in files of one directory.
const MAX_DROP_INS: usize = 1024;

/// The file in a configuration directory of fairing.
const NATIVE_FILE: &str = "registries.toml";

/// The configuration of registries. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Registries(Arc<Settings>);

/// Where the configuration of registries is.
#[derive(Debug, Clone)]
pub struct ConfigFolders {
    /// The administrator's directory (`/etc/fairing`).
    pub local: PathBuf,
    /// The vendor's directory (`/usr/lib/fairing`).
    pub system: PathBuf,
}

impl Registries {
    /// Reads the configuration. Certificates and credentials are read when a registry wants them.
    ///
    /// # Errors
    /// [`RegistryError::Configuration`] for a file that can't be understood, [`ContentError::Io`](image_layer::ContentError::Io) for one
    /// that can't be read.
    pub fn load(folders: &ConfigFolders, environment: Environment) -> Result<Self, RegistryError> {
        let mut settings = Settings::default();
        let mut with_containers = true;
        for folder in [&folders.local, &folders.system] {
            let path = folder.join(NATIVE_FILE);
            let Some(text) = read(&path)? else { continue };
            let file = native::parse(&text, &path).map_err(|reason| wrong(&path, reason))?;
            with_containers = file.reads_containers.unwrap_or(with_containers);
            settings.add(file);
        }
        if with_containers {
            for path in containers_files(&environment)? {
                let Some(text) = read(&path)? else { continue };
                let file =
                    containers::parse(&text, &path).map_err(|reason| wrong(&path, reason))?;
                settings.add(file);
            }
        }
        settings.auth_folder = Some(folders.local.join("auth.d"));
        settings.environment = environment;
        Ok(Self(Arc::new(settings)))
    }

    /// With every registry being spoken to in plain HTTP where it has no TLS, or without a look at
    /// its certificates: for one command whose user says so.
    #[must_use]
    pub fn relaxed(mut self, plain_http: bool, any_certificate: bool) -> Self {
        if plain_http || any_certificate {
            Arc::make_mut(&mut self.0).relaxed = Security {
                falls_back: plain_http,
                unverified: any_certificate,
                ..Security::default()
            };
        }
        self
    }

    /// The same for who can do without an answer: a registry that doesn't speak is given up within half a minute, and is
    /// asked twice at most.
    #[must_use]
    pub fn impatient(mut self) -> Self {
        let settings = Arc::make_mut(&mut self.0);
        settings.transfer = settings.transfer.brief();
        self
    }

    /// The images that `text` may mean: itself where it names a registry, else what the aliases or
    /// the search list say.
    ///
    /// # Errors
    /// [`RegistryError::Name`].
    pub fn candidates(&self, text: &str) -> Result<Vec<Reference>, RegistryError> {
        self.0.short_names.candidates(text)
    }

    /// Whether the first registry that knows a short name decides, where several could be meant.
    /// Without that, only a name in full will do.
    #[must_use]
    pub fn takes_first_found(&self) -> bool {
        self.0.short_names.takes_first_found()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn of(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }

    /// The configuration that these texts of `registries.toml` and `registries.conf` make.
    #[cfg(test)]
    pub(super) fn parse(native: &str, containers: &str) -> Result<Self, String> {
        let mut settings = Settings::default();
        settings.add(native::parse(
            native,
            Path::new("/etc/fairing/registries.toml"),
        )?);
        let path = Path::new("/etc/containers/registries.conf");
        settings.add(containers::parse(containers, path)?);
        Ok(Self::of(settings))
    }
}

fn wrong(path: &Path, reason: String) -> RegistryError {
    RegistryError::Configuration {
        path: path.to_owned(),
        reason,
    }
}

/// The files of containers-registries.conf(5), the one that counts most first: drop-ins, the last
/// name first, then the file itself.
fn containers_files(environment: &Environment) -> Result<Vec<PathBuf>, RegistryError> {
    if let Some(file) = environment.containers_file() {
        let mut folder = file.clone().into_os_string();
        folder.push(".d");
        return with_drop_ins(file, Path::new(&folder));
    }
    let mut files = Vec::new();
    let own = environment.config().map(|config| config.join("containers"));
    let etc = PathBuf::from("/etc/containers");
    for folder in own.into_iter().chain([etc]) {
        let file = folder.join("registries.conf");
        files.extend(with_drop_ins(file, &folder.join("registries.conf.d"))?);
    }
    Ok(files)
}

fn with_drop_ins(file: PathBuf, folder: &Path) -> Result<Vec<PathBuf>, RegistryError> {
    let mut files = Vec::new();
    match std::fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries.take(MAX_DROP_INS) {
                let path = entry
                    .map_err(|error| RegistryError::io("cannot read", folder, error))?
                    .path();
                if path
                    .extension()
                    .is_some_and(|extension| extension == "conf")
                {
                    files.push(path);
                }
            }
        }
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) => {}
        Err(error) => return Err(RegistryError::io("cannot read", folder, error)),
    }
    files.sort_unstable_by(|a, b| b.cmp(a));
    files.push(file);
    Ok(files)
}

fn read(path: &Path) -> Result<Option<String>, RegistryError> {
    let Some((file, _)) = open_regular(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| RegistryError::io("cannot read", path, error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(wrong(path, format!("it is larger than {MAX_FILE} bytes")));
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| wrong(path, "it is not UTF-8 text".to_owned()))
}

#[cfg(test)]
mod tests;
