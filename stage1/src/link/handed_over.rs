//! What goes beside a message: what exists on one host alone, over a link between two processes of it; and what pod
//! init has to make itself, over a link to another machine.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use cni_glue::interface::InterfaceConfig;
use pod::manifest::{Limit, Mount, MountOption, Resources, Verity, Volume};
use serde::{Deserialize, Serialize};

use crate::app::cgroup::CgroupSeat;

/// What comes with a message to pod init.
#[derive(Debug, Default)]
pub enum HandedOver {
    /// Nothing.
    #[default]
    Nothing,
    /// What came, but pod init may not have so many descriptors.
    Lost,
    /// With [`crate::protocol::ToInit::App`].
    App(AppResources),
    /// With [`crate::protocol::ToInit::App`], to another machine.
    MachineApp(Box<MachineApp>),
    /// With [`crate::protocol::ToInit::Start`], to another machine: its interfaces.
    MachineNetwork(Vec<InterfaceConfig>),
}

/// What an app stands on.
#[derive(Debug)]
pub struct AppResources {
    /// Its root filesystem, a mount that is attached to nothing.
    pub root: OwnedFd,
    /// Its seat in its cgroup.
    pub seat: CgroupSeat,
    /// The host's `/proc`, with what is mounted there, where its kernel filesystems are the host's: `dev` and `sys` are, too.
    pub proc: Option<OwnedFd>,
    /// Its `/dev`, with the devices in it, where pod init can make none: in a user namespace.
    pub dev: Option<OwnedFd>,
    /// Its `/sys`, where pod init can't mount that of the network: in a user namespace that the network doesn't belong to.
    pub sys: Option<OwnedFd>,
    /// What is mounted in it, each attached to nothing: as many as [`crate::protocol::AppSpec::mounts`] has places.
    pub mounts: Vec<OwnedFd>,
    /// The sockets that it is handed, as many as [`crate::protocol::AppSpec::sockets`] has names.
    pub sockets: Vec<OwnedFd>,
}

/// What pod init makes for an app in a machine of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MachineApp {
    /// The image's files. The app's changes are kept in memory, if nothing else is said.
    pub image: MachineImage,
    /// What is mounted in it: as many as [`crate::protocol::AppSpec::mounts`] has places.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub mounts: Vec<MachineMount>,
    /// Its limits.
    #[serde(default)]
    pub resources: Resources,
    /// Most processes and threads, if its limits don't say.
    pub usual_pids: Limit,
    /// Whether it may make cgroups below its own.
    #[serde(default)]
    pub manages_cgroups: bool,
}

/// Where a machine has an image's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum MachineImage {
    /// In a directory.
    Directory {
        /// Its path.
        path: PathBuf,
    },
    /// On a block device, as a filesystem that is mounted read-only.
    Device {
        /// The device.
        path: PathBuf,
        /// The type of the filesystem.
        filesystem: String,
        /// The hash tree by which its kernel is to check what it reads of it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        verity: Option<Verity>,
    },
    /// Among the files that the host shares, together with the app's changes: the whole root filesystem.
    Shared {
        /// Among which.
        share: Share,
        /// Its name there.
        name: String,
    },
}

/// What is mounted in an app of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum MachineMount {
    /// Something of the files that the host shares.
    Shared {
        /// Among which.
        share: Share,
        /// Its name there.
        name: String,
        /// How it is mounted.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        options: Vec<MountOption>,
    },
    /// Memory.
    Memory {
        /// How it is mounted.
        mount: Mount,
        /// The volume that it is, if it is one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        volume: Option<Volume>,
    },
}

/// Files that the host shares with a machine: a filesystem (virtiofs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Share {
    /// Files that the machine alone changes while it runs: it keeps what it has read of them.
    Own,
    /// Files that others may change meanwhile.
    Host,
}

impl Share {
    /// The tag of the filesystem.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Own => "fairing-own",
            Self::Host => "fairing-host",
        }
    }
}
