//! Storage that a pod's apps share.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::image::ImageRecord;
use super::presence::is_default;
use crate::id::AppName;
use crate::named_volumes::{NamedVolumeName, Ownership};

/// A volume's name: a DNS label, as an app's.
pub type VolumeName = AppName;

/// Storage of a pod, which an app sees where it mounts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Volume {
    /// Its name, unique in the pod.
    pub name: VolumeName,
    /// What it is.
    pub source: VolumeSource,
    /// Whether no app may write to it.
    #[serde(skip_serializing_if = "is_default", default)]
    pub read_only: bool,
}

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    deny_unknown_fields,
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum VolumeSource {
    /// A file or directory of the host.
    Host {
        /// Its path.
        path: PathBuf,
        /// Whether apps see nothing of what is mounted below it, unless a mount says so.
        #[serde(skip_serializing_if = "is_default", default)]
        non_recursive: bool,
        /// What is to be there; anything if absent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        kind: Option<HostKind>,
    },
    /// A directory that goes with the pod, and is empty when it starts, or has files that were made for it.
    Empty {
        /// Where it is kept.
        #[serde(skip_serializing_if = "is_default", default)]
        medium: Medium,
        /// Most that fits, in bytes.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        size: Option<u64>,
        /// Whose its root directory is.
        #[serde(skip_serializing_if = "Ownership::is_silent", default)]
        ownership: Ownership,
    },
    /// A volume that outlives pods.
    Named {
        /// The name that it has on the machine.
        volume: NamedVolumeName,
        /// Whose its root directory is, if it is made for this pod.
        #[serde(skip_serializing_if = "Ownership::is_silent", default)]
        ownership: Ownership,
    },
    /// The files of an image.
    Image {
        /// Which, and what was verified of it.
        image: Box<ImageRecord>,
    },
}

/// What is at a path of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

impl HostKind {
    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Directory => "a directory",
            Self::File => "a regular file",
            Self::Socket => "a socket",
            Self::CharDevice => "a character device",
            Self::BlockDevice => "a block device",
        }
    }
}

/// Where an empty directory is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// With the pod, on disk.
    #[default]
    Disk,
    /// In memory.
    Memory,
}
