//! Devices of an app beyond those that every app has.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::path::AppPath;
use super::presence::is_default;

/// A device node, and what the app may do with its device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Device {
    /// Where the app sees it.
    pub path: AppPath,
    /// Where the host has it, if it was asked for by that path. A record, for showing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host_path: Option<PathBuf>,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: DeviceKind,
    /// The device's major number.
    pub major: u32,
    /// The device's minor number.
    pub minor: u32,
    /// Permission bits of the node.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file_mode: Option<u32>,
    /// Its owner in the app; root if absent.
    #[serde(skip_serializing_if = "is_default", default)]
    pub uid: u32,
    /// Its group in the app; root's if absent.
    #[serde(skip_serializing_if = "is_default", default)]
    pub gid: u32,
    /// What the app may do.
    pub access: DeviceAccess,
}

/// The kind of a device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceKind {
    /// A character device.
    #[serde(rename = "c")]
    Character,
    /// A block device.
    #[serde(rename = "b")]
    Block,
}

/// What an app may do with devices, beyond those that it has nodes of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeviceRule {
    /// Their kind; both if absent.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<DeviceKind>,
    /// Their major number; each if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub major: Option<u32>,
    /// Their minor number; each if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub minor: Option<u32>,
    /// What the app may do.
    pub access: DeviceAccess,
}

impl Device {
    /// The rule that allows it.
    pub fn rule(&self) -> DeviceRule {
        DeviceRule {
            kind: Some(self.kind),
            major: Some(self.major),
            minor: Some(self.minor),
            access: self.access,
        }
    }
}

/// What an app may do with a device: `r`, `w` and `m` (make a node for it), in this order, at least one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceAccess {
    /// Read.
    pub read: bool,
    /// Write.
    pub write: bool,
    /// Make a node.
    pub mknod: bool,
}

impl TryFrom<String> for DeviceAccess {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let access = Self {
            read: text.contains('r'),
            write: text.contains('w'),
            mknod: text.contains('m'),
        };
        match text.is_empty() || String::from(access) != text {
            false => Ok(access),
            true => Err(format!(
                "{text:?} is not an access to a device: `r`, `w` and `m`"
            )),
        }
    }
}

impl From<DeviceAccess> for String {
    fn from(access: DeviceAccess) -> Self {
        [(access.read, 'r'), (access.write, 'w'), (access.mknod, 'm')]
            .into_iter()
            .filter_map(|(may, letter)| may.then_some(letter))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_are_written_in_one_way() {
        for good in ["r", "w", "m", "rw", "rm", "wm", "rwm"] {
            let access = DeviceAccess::try_from(good.to_owned()).unwrap();
            assert_eq!(String::from(access), good);
        }
        for bad in ["", "x", "wr", "rr", "rwmx", "RW"] {
            let error = DeviceAccess::try_from(bad.to_owned()).unwrap_err();
            assert!(error.contains(bad), "{error}");
        }
    }
}
