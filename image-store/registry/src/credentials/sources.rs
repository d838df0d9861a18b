//! Where credentials are looked for, and in which order.

use std::path::{Path, PathBuf};

use image_name::Location;

use super::auth_file::AuthFile;
use super::known::Known;
use super::native;
use crate::environment::Environment;
use crate::error::RegistryError;
use crate::login_text::Login;

/// The places of one lookup.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources {
    /// Logins of one command's own.
    pub(crate) logins: Vec<Login>,
    /// fairing's own directory.
    pub(crate) folder: Option<PathBuf>,
    /// Files of other tools, the one that counts most first.
    pub(crate) files: Vec<PathBuf>,
    /// Where helper programs are, if not in `PATH`.
    pub(crate) helpers: Option<PathBuf>,
}

impl Sources {
    /// fairing's own directory, and the files that the environment names.
    pub(crate) fn usual(folder: Option<PathBuf>, environment: &Environment) -> Self {
        Self {
            logins: environment.logins().to_vec(),
            folder,
            files: environment.auth_files(),
            helpers: None,
        }
    }

    /// Looks for what fits `place` best, in the first place that has
    /// anything. In a file of another tool, a helper named for the registry comes first, then the
    /// entry with the longest path, then the helper for everything.
    ///
    /// # Errors
    /// A file that is there but can't be read or understood, or a helper that fails.
    pub(crate) fn find(&self, place: &Location) -> Result<Option<Known>, RegistryError> {
        let helpers = self.helpers.as_deref();
        for login in &self.logins {
            let file = AuthFile::parse(Path::new(login.from()), login.text())?;
            if let Some(credentials) = file.best(place) {
                return Ok(Some(Known {
                    credentials,
                    from: login.from().to_owned(),
                }));
            }
        }
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
