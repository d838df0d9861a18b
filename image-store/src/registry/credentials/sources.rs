//! Where credentials are looked for, and in which order.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use image_name::Location;

use super::auth_file::AuthFile;
use super::known::Known;
use super::native;
use crate::error::StoreError;

/// The places of one lookup.
#[derive(Debug, Clone, Default)]
pub(in crate::registry) struct Sources {
    /// fairing's own folder.
    pub(in crate::registry) folder: Option<PathBuf>,
    /// Files of other tools, the one that counts most first.
    pub(in crate::registry) files: Vec<PathBuf>,
    /// Where helper programs are, if not in `PATH`.
    pub(in crate::registry) helpers: Option<PathBuf>,
}

impl Sources {
    /// fairing's own folder, and the files that the environment names.
    pub(in crate::registry) fn usual(folder: Option<PathBuf>) -> Self {
        let variable = |name: &str| std::env::var_os(name);
        let user = rustix::process::geteuid().as_raw();
        Self {
            folder,
            files: files(variable, user),
            helpers: None,
        }
    }

    /// Looks for what fits `place` best, in the first place that has
    /// anything. In a file of another tool, a helper named for the registry comes first, then the
    /// entry with the longest path, then the helper for everything.
    ///
    /// # Errors
    /// A file that is there but can't be read or understood, or a helper that fails.
    pub(in crate::registry) fn find(&self, place: &Location) -> Result<Option<Known>, StoreError> {
        let helpers = self.helpers.as_deref();
        if let Some(folder) = &self.folder
            && let Some(found) = native::find(folder, place, helpers)?
        {
            return Ok(Some(found));
        }
        for path in &self.files {
            let Some(file) = AuthFile::read(path)? else {
                continue;
            };
            if let Some((helper, server)) = file.named_helper(place)
                && let Some(found) = helper.at(helpers).get(server)?
            {
                return Ok(Some(found));
            }
            if let Some(credentials) = file.best(place) {
                return Ok(Some(Known {
                    credentials,
                    from: path.display().to_string(),
                }));
            }
            if let Some(helper) = file.store_helper()
                && let Some(found) = helper.at(helpers).get(place.registry())?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// The file that a log-in is written to, as podman does it.
pub(in crate::registry) fn login_file() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(file) = variable("REGISTRY_AUTH_FILE") {
        return PathBuf::from(file);
    }
    match variable("XDG_RUNTIME_DIR") {
        Some(folder) => Path::new(&folder).join("containers/auth.json"),
        None => of_user(rustix::process::geteuid().as_raw()),
    }
}

fn of_user(user: u32) -> PathBuf {
    PathBuf::from(format!("/run/containers/{user}/auth.json"))
}

fn files(variable: impl Fn(&str) -> Option<OsString>, user: u32) -> Vec<PathBuf> {
    let variable = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = variable("HOME");
    let config = variable("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    let docker = variable("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker")));
    [
        variable("REGISTRY_AUTH_FILE"),
        variable("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
        // Also from a shell: a service has no folder of a session.
        Some(of_user(user)),
        config.map(|folder| folder.join("containers/auth.json")),
        docker.map(|folder| folder.join("config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_tools_in_their_order() {
        let some = |set: &'static [(&'static str, &'static str)]| {
            let found = files(
                move |name| {
                    let found = set.iter().find(|(own, _)| *own == name);
                    found.map(|(_, value)| value.into())
                },
                7,
            );
            found
                .iter()
                .map(|path| path.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            some(&[
                ("HOME", "/h"),
                ("REGISTRY_AUTH_FILE", "/f"),
                ("XDG_RUNTIME_DIR", "/r")
            ]),
            [
                "/f",
                "/r/containers/auth.json",
                "/run/containers/7/auth.json",
                "/h/.config/containers/auth.json",
                "/h/.docker/config.json"
            ]
        );
        assert_eq!(
            some(&[
                ("XDG_CONFIG_HOME", "/c"),
                ("DOCKER_CONFIG", "/d"),
                ("XDG_RUNTIME_DIR", "")
            ]),
            [
                "/run/containers/7/auth.json",
                "/c/containers/auth.json",
                "/d/config.json"
            ]
        );
    }
}
