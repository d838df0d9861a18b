//! What keeps an app within its bounds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::capability::CapabilitySets;
use super::path::AppPath;
use super::presence::{is_default, is_yes, yes};
use super::seccomp::SeccompProfile;
use crate::selinux::{CategoryPair, Context};

/// An app's protections. What is absent is the isolator's default, which is the strict one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Security {
    /// Whether all of it was given up by one word: root has all capabilities, all system calls can be made, and no path is
    /// masked or guarded, whatever else is said.
    #[serde(skip_serializing_if = "is_default", default)]
    pub privileged: bool,
    /// Its capabilities.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub capabilities: Option<CapabilitySets>,
    /// Which system calls it may make.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seccomp: Option<Seccomp>,
    /// Whether it may make all of them for no other reason than that nobody has said anything of that.
    #[serde(skip_serializing_if = "is_default", default)]
    pub unfiltered_as_usual: bool,
    /// Whether what Kubernetes gives every container is the usual here.
    #[serde(skip_serializing_if = "is_default", default)]
    pub usual_of_kubernetes: bool,
    /// Whether executing a program can't give it privileges. Unlike in the OCI runtime specification that is so
    /// where nothing is said.
    #[serde(skip_serializing_if = "is_yes", default = "yes")]
    pub no_new_privileges: bool,
    /// Paths that it can't read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub masked_paths: Option<Vec<AppPath>>,
    /// Paths that it can't write to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub readonly_paths: Option<Vec<AppPath>>,
    /// Options of its `/proc`, proc(5): `hidepid`, `gid` and `subset`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub proc_options: BTreeMap<String, String>,
    /// Whether it can't write to its root filesystem.
    #[serde(skip_serializing_if = "is_default", default)]
    pub read_only_root: bool,
    /// Whether it may make cgroups of its own below its cgroup.
    #[serde(skip_serializing_if = "is_default", default)]
    pub writable_cgroups: bool,
    /// Its AppArmor profile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub apparmor_profile: Option<String>,
    /// The SELinux label of its processes; that of who starts it, if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub selinux_label: Option<Context>,
    /// The SELinux label of its files; what the policy gives them, if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mount_label: Option<Context>,
}

impl Default for Security {
    fn default() -> Self {
        Self {
            privileged: false,
            capabilities: None,
            seccomp: None,
            unfiltered_as_usual: false,
            usual_of_kubernetes: false,
            no_new_privileges: true,
            masked_paths: None,
            readonly_paths: None,
            proc_options: BTreeMap::new(),
            read_only_root: false,
            writable_cgroups: false,
            apparmor_profile: None,
            selinux_label: None,
            mount_label: None,
        }
    }
}

/// What SELinux is to know of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PodLabels {
    /// The label of what its apps share: shared memory, and its files in `/etc`.
    pub mount_label: Context,
    /// The categories that no other pod has, where the policy has levels.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub categories: Option<CategoryPair>,
}

/// Which system calls an app may make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Seccomp {
    /// All.
    Unconfined,
    /// Those that a profile says.
    Profile {
        /// The profile.
        profile: Box<SeccompProfile>,
    },
}
