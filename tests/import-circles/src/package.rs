//! The packages of a workspace and the roots of their crates, as cargo knows them.

use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

use crate::error::Error;

/// A package of the workspace.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its crates: the library, programs, tests, the build script.
    pub targets: Vec<Target>,
}

/// A crate of a package.
#[derive(Debug, Deserialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// The file that is its root.
    pub src_path: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// The packages of the workspace in the current directory; if any are named, only those.
///
/// # Errors
/// cargo fails, or a package that is named doesn't exist.
pub fn packages(names: &[String]) -> Result<Vec<Package>, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .output()
        .map_err(|error| Error::Metadata(error.to_string()))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Metadata(told.trim().to_owned()));
    }
    let mut metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::Metadata(error.to_string()))?;
    for name in names {
        if !metadata.packages.iter().any(|one| one.name == *name) {
            return Err(Error::NoPackage(name.clone()));
        }
    }
    metadata
        .packages
        .retain(|one| names.is_empty() || names.contains(&one.name));
    // Shown as one would type them here.
    let here = std::env::current_dir().unwrap_or_default();
    for target in metadata
        .packages
        .iter_mut()
        .flat_map(|one| &mut one.targets)
    {
        if let Ok(path) = target.src_path.strip_prefix(&here) {
            target.src_path = path.to_owned();
        }
    }
    Ok(metadata.packages)
}
