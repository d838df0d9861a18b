//! What is mounted in an app's root filesystem beyond what every app has.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::credential::CredentialName;
use super::image::ImageRecord;
use super::path::AppPath;
use super::presence::is_default;
use super::user_namespace::IdMapping;
use super::volumes::VolumeName;
use crate::named_volumes::NamedVolumeName;

/// A mount of an app. Mounts are made in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mount {
    /// Where the app sees it.
    pub destination: AppPath,
    /// What is mounted.
    pub source: MountSource,
    /// How.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub options: Vec<MountOption>,
    /// Which users of the pod those of the source are.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub uid_mappings: Vec<IdMapping>,
    /// Which groups of the pod those of the source are.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gid_mappings: Vec<IdMapping>,
    /// For whom the files of the source were given labels of SELinux, if they were.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub relabel: Option<Relabel>,
}

/// For whom files get labels of SELinux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relabel {
    /// All pods.
    Shared,
    /// The pod that mounts them.
    Private,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    deny_unknown_fields,
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum MountSource {
    /// A file or directory of the host.
    Host {
        /// Its path.
        path: PathBuf,
    },
    /// A volume of the pod.
    Volume {
        /// Its name.
        name: VolumeName,
        /// A file or directory in it; the whole of it if absent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        sub_path: Option<String>,
    },
    /// A volume that outlives pods.
    Named {
        /// Its name.
        name: NamedVolumeName,
        /// A file or directory in it; the whole of it if absent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        sub_path: Option<String>,
    },
    /// The files of an image, which nobody writes to.
    Image {
        /// Which, and what was verified of it.
        image: Box<ImageRecord>,
        /// A file or directory in it; the whole of it if absent.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        sub_path: Option<String>,
    },
    /// The socket by which the app says something of itself (sd_notify(3)).
    Notify,
    /// Credentials of the service that the pod is (systemd.exec(5)), as the manager has them when the app starts: files in
    /// memory, for the app's user alone.
    Credentials {
        /// Where the manager has them; nowhere before the pod starts.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        directory: Option<PathBuf>,
        /// Which.
        names: Vec<CredentialName>,
    },
    /// Memory of the app's own.
    Tmpfs {
        /// Most that fits, in bytes.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        size: Option<u64>,
        /// Permission bits of its root.
        #[serde(skip_serializing_if = "is_default", default)]
        mode: Option<u32>,
        /// The user whose its root is.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        uid: Option<u32>,
        /// The group whose its root is.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        gid: Option<u32>,
    },
}

/// An option of a mount, as the OCI runtime specification and mount(8) name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountOption {
    /// Read-only.
    Ro,
    /// Read-only, with all mounts below it.
    Rro,
    /// Writable.
    Rw,
    /// Set-user-ID and set-group-ID bits and file capabilities mean nothing.
    Nosuid,
    /// They do.
    Suid,
    /// Device nodes can't be opened.
    Nodev,
    /// They can.
    Dev,
    /// Programs can't be executed.
    Noexec,
    /// They can.
    Exec,
    /// Access times are not kept.
    Noatime,
    /// They are kept roughly.
    Relatime,
    /// Symbolic links are not followed.
    Nosymfollow,
    /// In a user namespace, files belong to the users of the pod that have their owners' IDs.
    Idmap,
    /// Files belong to the host's users, most of whom the pod doesn't have.
    Noidmap,
    /// The source alone.
    Bind,
    /// The source with all mounts below it.
    Rbind,
    /// Mounts go neither way.
    Rprivate,
    /// Mounts of the host become visible.
    Rslave,
    /// Mounts go both ways.
    Rshared,
    /// What the image has at the place is copied into the volume, if nobody has mounted it before.
    Copy,
    /// It isn't.
    Nocopy,
}
