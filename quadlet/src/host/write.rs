//! Units, written where systemd looks for them.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::finding::Finding;
use crate::unit::Unit;

/// Writes units into a generator's directory, where nothing is yet. What can't be written is told of.
pub fn write(units: &[Unit], directory: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in units {
        if let Err(error) = one(unit, directory) {
            let reason = match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    format!("another generator has made {} already", unit.name)
                }
                _ => format!("{} can't be written: {error}", unit.name),
            };
            let mut finding = Finding::of_file(&unit.source, reason);
            finding.unit = Some(unit.name.clone());
            findings.push(finding);
        }
    }
    findings
}

fn fill(mut file: File, unit: &Unit) -> io::Result<()> {
    file.write_all(unit.text.as_bytes())?;
    file.set_permissions(Permissions::from_mode(0o644))
}

fn one(unit: &Unit, directory: &Path) -> io::Result<()> {
    let path = directory.join(&unit.name);
    let file = File::options().write(true).create_new(true).open(&path)?;
    // One without its text would be a unit that is masked.
    fill(file, unit).inspect_err(|_| {
        let _ = fs::remove_file(&path);
    })?;
    for link in &unit.links {
        let path = directory.join(&link.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        symlink(&link.target, path)?;
    }
    Ok(())
}
