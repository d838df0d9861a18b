//! What a description comes to in the pod's manifest.

use std::path::Path;

use pod::manifest::{AppPath, Device, DeviceAccess, DeviceKind, Mount, MountOption, MountSource};

use super::document::{ContainerEdits, DeviceNode, HostMount};
use super::registry::Found;
use crate::devices::edits::Edits;
use crate::devices::node;
use crate::devices::request::ALL_ACCESS;
use crate::error::DeviceError;

/// What an app gets by this.
///
/// # Errors
/// If something of it can't be had.
pub(crate) fn apply(found: Found<'_>) -> Result<Edits, DeviceError> {
    let refused = |what: &str| DeviceError::NotOffered {
        name: found.name.to_string(),
        path: found.path.to_path_buf(),
        what: what.to_owned(),
    };
    let ContainerEdits {
        env,
        device_nodes,
        mounts,
        hooks,
        additional_gids,
        intel_rdt,
        net_devices,
    } = found.edits;
    for (is_asked, what) in [
        (intel_rdt.is_some(), "parts of processors (intelRdt)"),
        (
            net_devices.as_ref().is_some_and(|all| !all.is_empty()),
            "network devices",
        ),
    ] {
        if is_asked {
            return Err(refused(what));
        }
    }
    if let Some(hooks) = hooks.as_ref().filter(|all| !all.is_empty()) {
        return Err(DeviceError::Hooks {
            name: found.name.to_string(),
            path: found.path.to_path_buf(),
            hooks: hooks
                .iter()
                .map(hook_in_words)
                .collect::<Vec<_>>()
                .join(", "),
        });
    }
    let mut edits = Edits {
        // Root's is no group beside others, and is written where there is none.
        groups: additional_gids
            .iter()
            .flatten()
            .copied()
            .filter(|id| *id != 0)
            .collect(),
        ..Edits::default()
    };
    for variable in env.iter().flatten() {
        let name = variable.split_once('=').map(|(name, _)| name);
        match name.is_some_and(|name| !name.is_empty()) && !variable.contains('\0') {
            true => edits.env.push(variable.clone()),
            false => return Err(refused(&format!("the variable {variable:?}"))),
        }
    }
    for node in device_nodes.iter().flatten() {
        edits
            .devices
            .extend(devices(node).map_err(|error| match error {
                DeviceError::NotOffered { what, .. } => refused(&what),
                other => other,
            })?);
    }
    for mount in mounts.iter().flatten() {
        edits
            .mounts
            .push(self::mount(mount).map_err(|what| refused(&what))?);
    }
    Ok(edits)
}

/// When a hook is called, and which program.
fn hook_in_words(hook: &serde_json::Value) -> String {
    let text = |name: &str| hook.get(name).and_then(serde_json::Value::as_str);
    let (when, program) = (text("hookName"), text("path"));
    format!("{} {}", when.unwrap_or("?"), program.unwrap_or("?"))
}

/// What is not said of a node is as the host has it.
fn devices(node: &DeviceNode) -> Result<Vec<Device>, DeviceError> {
    let refused = |what: String| DeviceError::NotOffered {
        name: String::new(),
        path: Path::new("").to_path_buf(),
        what,
    };
    let access = match node.permissions.as_deref() {
        None | Some("") => ALL_ACCESS,
        Some(letters) => access(letters)
            .ok_or_else(|| refused(format!("the permissions {letters:?} of {}", node.path)))?,
    };
    let kind = match node.kind.as_deref() {
        None | Some("") => None,
        Some("c" | "u") => Some(DeviceKind::Character),
        Some("b") => Some(DeviceKind::Block),
        Some(kind) => return Err(refused(format!("the type {kind:?} of {}", node.path))),
    };
    let mut devices = match (kind, node.major, node.minor) {
        (Some(kind), Some(major), Some(minor)) => vec![Device {
            path: node::place_of(&node.path)?,
            host_path: None,
            kind,
            major,
            minor,
            file_mode: None,
            uid: 0,
            gid: 0,
            access,
        }],
        _ => {
            let host = node.host_path.as_deref().unwrap_or(&node.path);
            node::at(Path::new(host), Some(&node.path), access)?
        }
    };
    for device in &mut devices {
        device.file_mode = node.file_mode.map(|mode| mode & 0o777).or(device.file_mode);
        device.uid = node.uid.unwrap_or(device.uid);
        device.gid = node.gid.unwrap_or(device.gid);
    }
    Ok(devices)
}

/// Letters in any order, as the kernel takes them.
pub(super) fn access(letters: &str) -> Option<DeviceAccess> {
    let has = |letter| letters.contains(letter);
    letters.bytes().all(|c| b"rwm".contains(&c)).then_some(())?;
    Some(DeviceAccess {
        read: has('r'),
        write: has('w'),
        mknod: has('m'),
    })
}

fn mount(mount: &HostMount) -> Result<Mount, String> {
    match mount.kind.as_deref() {
        None | Some("" | "none" | "bind") => {}
        Some(kind) => return Err(format!("a mount of the type {kind:?}")),
    }
    if !mount.host_path.starts_with('/') {
        return Err(format!("the mount of {:?}", mount.host_path));
    }
    let place = AppPath::try_from(mount.container_path.clone());
    let destination = place.map_err(|error| format!("the mount: {error}"))?;
    let mut options = Vec::new();
    for word in mount.options.iter().flatten() {
        // Those of the kernel that ask for nothing.
        if matches!(word.as_str(), "private" | "slave" | "defaults") {
            continue;
        }
        let option = serde_json::from_value(serde_json::Value::String(word.clone()));
        match option {
            Ok(MountOption::Dev | MountOption::Suid) => {}
            Ok(option) => options.push(option),
            Err(_) => return Err(format!("the mount option {word:?}")),
        }
    }
    Ok(Mount {
        destination,
        source: MountSource::Host {
            path: mount.host_path.clone().into(),
        },
        options,
        uid_mappings: Vec::new(),
        gid_mappings: Vec::new(),
        relabel: None,
    })
}
