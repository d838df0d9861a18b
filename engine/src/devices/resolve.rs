//! What an app gets for what is asked for.

use pod::manifest::Device;

use super::cdi::{self, Registry};
use super::edits::Edits;
use super::node::{self, DEVICES_MAX};
use super::request::DeviceRequest;
use crate::config::directories::Directories;
use crate::config::files::Config;
use crate::error::{DeviceError, Error};

/// Looks for devices on the host.
///
/// # Errors
/// If one is not there, or can't be had.
pub(crate) fn resolve(
    requests: &[DeviceRequest],
    directories: &Directories,
) -> Result<Edits, Error> {
    let mut edits = Edits::default();
    // Read once it is needed.
    let mut registry = None;
    let mut seen = Vec::new();
    for request in requests {
        match request {
            DeviceRequest::Node {
                host,
                place,
                access,
            } => add(
                &mut edits.devices,
                node::at(host, place.as_deref(), *access)?,
            )?,
            DeviceRequest::Named(name) => {
                if registry.is_none() {
                    let folders = Config::read(directories)?.cdi_directories();
                    registry = Some(Registry::read(&folders));
                }
                let Some(registry) = &registry else {
                    continue;
                };
                for found in registry.edits(name, &mut seen)? {
                    let more = cdi::apply(found)?;
                    add(&mut edits.devices, more.devices)?;
                    edits.env.extend(more.env);
                    edits.groups.extend(more.groups);
                    edits.mounts.extend(more.mounts);
                }
            }
        }
    }
    Ok(edits)
}

/// The groups that an app gets with what vendors describe.
///
/// # Errors
/// As when the app gets them.
pub fn groups(requests: &[DeviceRequest], directories: &Directories) -> Result<Vec<u32>, Error> {
    let named = requests.iter();
    let named = named.filter(|request| matches!(request, DeviceRequest::Named(_)));
    let named: Vec<_> = named.cloned().collect();
    Ok(resolve(&named, directories)?.groups)
}

/// Of two devices in one place the later counts.
fn add(devices: &mut Vec<Device>, more: Vec<Device>) -> Result<(), DeviceError> {
    for device in more {
        devices.retain(|other| other.path != device.path);
        devices.push(device);
    }
    match devices.len() > DEVICES_MAX {
        true => Err(DeviceError::TooMany(DEVICES_MAX)),
        false => Ok(()),
    }
}
