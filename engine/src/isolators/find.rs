//! Finding the isolator (stage1) that runs a pod.

use std::path::PathBuf;

use pod::stage1::{STAGE1_MANIFEST_FILE, Stage1};
use trust::Basis;

use super::owner;
use crate::config::directories::Directories;
use crate::config::files::Config;
use crate::error::{Error, IsolatorError};
use crate::policy::verifier::RunnableImage;

/// The isolator of pods that ask for none, unless the configuration names another.
pub const DEFAULT: &str = "nspawn";

/// The isolator that is wanted, by its name, directory or image: of a pod that asks for none, the usual one.
pub fn wanted<'a>(asked: Option<&'a str>, config: &'a Config) -> &'a str {
    asked.or(config.stage1()).unwrap_or(DEFAULT)
}

/// Finds an isolator by name, or by directory if `wanted` holds a slash.
///
/// # Errors
/// If it is nowhere, or can't be used, or somebody else than root could have changed it.
pub fn find(wanted: &str, directories: &Directories) -> Result<Stage1, Error> {
    if wanted.contains('/') {
        let folder = std::path::absolute(wanted).map_err(Error::io("resolve", wanted))?;
        owner::check_with_parents(&folder)?;
        return Ok(Stage1::load(&folder)?);
    }
    if wanted.is_empty() || wanted.starts_with('.') {
        return Err(IsolatorError::NoName(wanted.to_owned()).into());
    }
    let places = places(wanted, directories);
    for place in &places {
        if place.join(STAGE1_MANIFEST_FILE).exists() {
            owner::check(place)?;
            return Ok(Stage1::load(place)?);
        }
    }
    Err(Error::Isolator(IsolatorError::NotFound {
        name: wanted.to_owned(),
        places,
    }))
}

/// Whether an isolator is asked for by the reference of an image: it has a registry or a source in
/// front, and begins neither like a directory nor like a bare name.
pub fn is_image(wanted: &str) -> bool {
    wanted.contains(['/', ':'])
        && !["/", "./", "../"]
            .iter()
            .any(|start| wanted.starts_with(start))
}

/// The isolator that an image holds: one layer with its manifest at the root. Somebody must vouch
/// for the image: what runs as root is not accepted unsigned, nor waived.
///
/// # Errors
/// [`Error::NotSigned`], or why the image holds none.
pub fn of_image(image: &RunnableImage) -> Result<Stage1, Error> {
    let (reference, verification) = (image.proof().reference(), image.proof().verification());
    match verification.policy {
        Basis::SignedBy | Basis::Digest => {}
        Basis::AcceptUnsigned | Basis::Waived => {
            return Err(Error::NotSigned {
                reference: reference.to_string(),
                reason: format!("an isolator must be signed, and this is {verification}"),
            });
        }
    }
    let [layer] = image.image().layers() else {
        return Err(Error::Isolator(IsolatorError::Layers {
            reference: reference.to_string(),
            layers: image.image().layers().len(),
        }));
    };
    owner::check(&layer.path)?;
    Ok(Stage1::load(&layer.path)?)
}

/// The isolator that a pod was made for; if its directory is gone, the one that now has its name.
///
/// # Errors
/// As [`find`].
pub fn of_pod(
    choice: &pod::manifest::Stage1Choice,
    directories: &Directories,
) -> Result<Stage1, Error> {
    if choice.path.join(STAGE1_MANIFEST_FILE).exists() {
        match places(&choice.name, directories).contains(&choice.path) {
            true => owner::check(&choice.path)?,
            false => owner::check_with_parents(&choice.path)?,
        }
        return Ok(Stage1::load(&choice.path)?);
    }
    find(&choice.name, directories)
}

/// Beside the program, then in the vendor's directory.
fn places(name: &str, directories: &Directories) -> Vec<PathBuf> {
    let installed = directories
        .isolators
        .iter()
        .map(|isolators| isolators.join(name));
    let vendors = directories.system_config.join("stage1").join(name);
    installed.chain([vendors]).collect()
}
