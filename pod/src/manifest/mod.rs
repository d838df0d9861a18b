//! The pod manifest, `pod.json`: everything that an isolator needs to know, and the record of what was verified.
//!
//! Names and meanings are those of the OCI runtime specification wherever it has one. They are spelled in kebab-case
//! (`read-only`, `container-id`), as all of fairing's own files are, not in OCI's camelCase: one file has one
//! spelling, and a stranger's configuration pasted into it is refused, not half understood. A word that this
//! release doesn't know refuses the pod.
//!
//! A field may be older than the isolator that is to obey it. So each field beyond what every isolator does has a
//! word in [`crate::feature::Feature`], and [`PodManifest::required_features`] tells which words a pod needs.

mod app;
mod bounds;
mod capability;
mod cgroup_parent;
mod credential;
mod devices;
mod execution;
mod guarded_paths;
mod image;
mod insecure;
mod limit;
mod log;
mod mounts;
mod namespaces;
mod network;
mod path;
mod pod;
mod presence;
mod probes;
mod reading;
mod required;
mod resources;
mod restart;
mod role;
mod seccomp;
mod security;
mod termination;
mod user_namespace;
mod version_2;
mod virtual_machine;
mod volumes;
mod widened;

pub use self::app::{App, Apps, DuplicateApp};
pub use self::bounds::Bounds;
pub use self::capability::{Capability, CapabilitySets};
pub use self::cgroup_parent::{CgroupParent, CgroupPath, NoCgroupParent, SliceName};
pub use self::credential::{CredentialName, InvalidCredentialName};
pub use self::devices::{Device, DeviceAccess, DeviceKind, DeviceRule};
pub use self::execution::{
    ConsoleSize, DEFAULT_PATH, Execution, ImageGroups, PodAddress, Rlimit, RlimitKind, User,
};
pub use self::guarded_paths::{
    DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS, KUBERNETES_MASKED_PATHS,
    KUBERNETES_READONLY_PATHS,
};
pub use self::image::{ImageRecord, VerificationRecord};
pub use self::insecure::InsecureOption;
pub use self::limit::Limit;
pub use self::log::{Log, LogDriver};
pub use self::mounts::{Mount, MountOption, MountSource, Relabel};
pub use self::namespaces::HostNamespace;
pub use self::network::Network;
pub use self::path::{AppPath, NotAPath};
pub use self::pod::{
    AppFailure, CRI_ANNOTATION, CRI_STOPPING_FILE, CRI_UP_FILE, DEFAULT_GRACE, Lifetime,
    MANIFEST_VERSION, PodManifest, Stage1Choice, Streams,
};
pub use self::probes::{
    ExecAction, Header, HookAction, Hooks, HttpGetAction, Probe, ProbeAction, Probes, Scheme,
};
pub use self::resources::{
    BlockIo, Contradiction, Cpu, HugepageLimit, Memory, Pids, Resources, ThrottleDevice,
    WeightDevice,
};
pub use self::restart::{
    ExitCodeOperator, ExitCodes, Restart, RestartAction, RestartPolicy, RestartRule,
};
pub use self::role::{ReadyWhen, Role};
pub use self::seccomp::{
    SeccompAction, SeccompArch, SeccompArgument, SeccompFlag, SeccompOperator, SeccompProfile,
    SeccompRule,
};
pub use self::security::{PodLabels, Seccomp, Security};
pub use self::termination::{TerminationMessage, TerminationMessagePolicy};
pub use self::user_namespace::{BLOCK_SIZE, IdMapping, UnfitMapping, UserNamespace};
pub use self::virtual_machine::{Accelerator, ImageFilesystem, Verity, VirtualMachine};
pub use self::volumes::{HostKind, Medium, Volume, VolumeName, VolumeSource};
pub use crate::layout::{MANIFEST_FILE, app_dir, empty_volume_dir};

#[cfg(test)]
mod tests;
