//! Kernel parameters of the pod's namespaces.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;

use crate::failure::StartFailure;

/// Sets them, while the `/proc` is seen that pod init has been started with. Those of IPC and of the network are always the
/// ones of whoever looks.
pub(super) fn set(parameters: &BTreeMap<String, String>) -> Result<(), StartFailure> {
    for (name, value) in parameters {
        // No name leads elsewhere: the engine has looked at it, and here it is not trusted all the same.
        if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(StartFailure::other(format!(
                "`{name}` is no kernel parameter"
            )));
        }
        let path = format!("/proc/sys/{name}");
        let written = OpenOptions::new().write(true).open(&path);
        written
            .and_then(|mut file| file.write_all(value.as_bytes()))
            .map_err(StartFailure::os(format_args!(
                "set the kernel parameter {name} to {}",
                beginning(value)
            )))?;
    }
    Ok(())
}

/// As much of a value as a message has room for.
fn beginning(value: &str) -> String {
    const SHOWN: usize = 40;
    match value.chars().count() > SHOWN {
        true => value.chars().take(SHOWN).chain(['…']).collect(),
        false => value.to_owned(),
    }
}
