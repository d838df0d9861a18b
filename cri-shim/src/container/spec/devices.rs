//! Devices of the host.

use std::collections::BTreeSet;
use std::path::PathBuf;

use engine::devices::cdi::DeviceName;
use engine::devices::request::{ALL_ACCESS, DeviceRequest};
use engine::pods::spec::AppSpec;
use pod::manifest::{DeviceAccess, DeviceRule};

use crate::api::{ContainerConfig, Device};
use crate::error::CriError;

/// Before the keys of annotations that name devices.
const CDI: &str = "cdi.k8s.io/";
/// Most devices: each is looked for on the host.
const MOST: usize = 1024;
/// Where devices are.
const DEV: &str = "/dev";

/// Says it of an app. One that is privileged has all devices that the host has; in a virtual machine, none of them.
pub(super) fn set(
    config: &ContainerConfig,
    is_privileged: bool,
    is_in_machine: bool,
    spec: &mut AppSpec,
) -> Result<(), CriError> {
    if config.devices.len() > MOST {
        return Err(CriError::invalid(
            "config.devices",
            format!("{} are more than {MOST}", config.devices.len()),
        ));
    }
    let mut requests = Vec::new();
    if is_privileged && !is_in_machine {
        requests.push(DeviceRequest::Node {
            host: PathBuf::from(DEV),
            place: None,
            access: ALL_ACCESS,
        });
        spec.device_rules.push(DeviceRule {
            kind: None,
            major: None,
            minor: None,
            access: ALL_ACCESS,
        });
    }
    for device in &config.devices {
        require_host("config.devices", is_in_machine)?;
        requests.push(node(device)?);
    }
    let mut named = BTreeSet::new();
    let of_annotations = config.annotations.iter();
    let of_annotations = of_annotations.filter(|(key, _)| key.starts_with(CDI));
    let of_annotations = of_annotations.flat_map(|(_, value)| value.split(','));
    let of_field = config.cdi_devices.iter().map(|device| &*device.name);
    for (field, name) in of_field
        .map(|name| ("config.CDI_devices", name))
        .chain(of_annotations.map(|name| ("config.annotations", name.trim())))
    {
        require_host(field, is_in_machine)?;
        let name: DeviceName = name
            .parse()
            .map_err(|error| CriError::invalid(field, error))?;
        if named.insert(name.clone()) {
            requests.push(DeviceRequest::Named(name));
        }
    }
    spec.devices = requests;
    Ok(())
}

/// A virtual machine has no devices of the host.
fn require_host(field: &str, is_in_machine: bool) -> Result<(), CriError> {
    match is_in_machine {
        true => Err(CriError::unsupported(
            field,
            "the sandbox is a virtual machine, which has no devices of the host",
        )),
        false => Ok(()),
    }
}

fn node(device: &Device) -> Result<DeviceRequest, CriError> {
    let invalid = |reason: String| CriError::invalid("config.devices", reason);
    if device.host_path.is_empty() {
        return Err(CriError::missing("config.devices.host_path"));
    }
    let place = match device.container_path.as_str() {
        "" => None,
        path => Some(path.to_owned()),
    };
    // In any order, as others take them.
    let mut letters: Vec<char> = device.permissions.chars().collect();
    letters.sort_by_key(|letter| "rwm".find(*letter));
    letters.dedup();
    let access = match letters.is_empty() {
        true => ALL_ACCESS,
        false => {
            DeviceAccess::try_from(letters.into_iter().collect::<String>()).map_err(invalid)?
        }
    };
    Ok(DeviceRequest::Node {
        host: PathBuf::from(&device.host_path),
        place,
        access,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::CdiDevice;

    #[test]
    fn nodes_have_places_and_permissions_in_any_order() {
        let device = |permissions: &str| Device {
            container_path: "/dev/x".to_owned(),
            host_path: "/dev/null".to_owned(),
            permissions: permissions.to_owned(),
        };
        for (permissions, letters) in [("rwm", "rwm"), ("mr", "rm"), ("", "rwm"), ("ww", "w")] {
            match node(&device(permissions)).unwrap() {
                DeviceRequest::Node { access, .. } => assert_eq!(String::from(access), letters),
                other => panic!("{other:?}"),
            }
        }
        node(&device("rx")).unwrap_err();
        node(&Device::default()).unwrap_err();
    }

    #[test]
    fn described_devices_come_by_field_and_by_annotation_once_each() {
        let mut config = ContainerConfig {
            cdi_devices: vec![CdiDevice {
                name: "vendor.com/net=a".to_owned(),
            }],
            ..ContainerConfig::default()
        };
        let mut annotate = |key: &str, value: &str| {
            config.annotations.insert(key.to_owned(), value.to_owned());
        };
        annotate("cdi.k8s.io/one", "vendor.com/net=a,vendor.com/net=b");
        annotate("other", "nonsense");
        let mut spec = AppSpec::default();
        set(&config, false, false, &mut spec).unwrap();
        assert_eq!(spec.devices.len(), 2);
        config
            .annotations
            .insert("cdi.k8s.io/two".into(), "nonsense".into());
        set(&config, false, false, &mut spec).unwrap_err();
    }

    #[test]
    fn a_virtual_machine_has_no_devices_of_the_host() {
        let mut config = ContainerConfig::default();
        let of = |config: &ContainerConfig| {
            let mut spec = AppSpec::default();
            let set = set(config, true, true, &mut spec);
            set.map(|()| spec).map_err(|error| error.to_string())
        };
        let privileged = of(&config).unwrap();
        assert!(privileged.devices.is_empty() && privileged.device_rules.is_empty());
        config.cdi_devices = vec![CdiDevice {
            name: "vendor.com/net=a".to_owned(),
        }];
        assert!(of(&config).unwrap_err().starts_with("config.CDI_devices: "));
        config.devices = vec![Device::default()];
        assert!(of(&config).unwrap_err().starts_with("config.devices: "));
    }
}
