//! What is on record of the virtual machine of a pod, written when it is started.

use std::path::{Path, PathBuf};

use image_name::Digest;
use serde::{Deserialize, Serialize};

use crate::error::PodError;
use crate::manifest::Accelerator;
use crate::record::{self, Version};

/// The record, in the pod's directory.
pub const MACHINE_FILE: &str = "machine.json";
/// The version of its form.
const VERSION: u64 = 1;

/// A machine, as it was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MachineRecord {
    /// The version of this form.
    pub version: Version<VERSION>,
    /// The file that its kernel was taken out of.
    pub kernel_file: PathBuf,
    /// The digest of the kernel that it has booted.
    pub kernel: Digest,
    /// The digest of its first root: pod init, and modules of the kernel.
    pub initramfs: Digest,
    /// What executes its instructions.
    pub accelerator: Accelerator,
    /// Its memory in MiB.
    pub memory: u64,
    /// Its processors.
    pub cpus: u32,
    /// Whether its kernel checks what it reads of the apps' images.
    pub checks_disks: bool,
    /// How often it has booted: more than once if it was stuck before.
    #[serde(skip_serializing_if = "is_once", default = "once")]
    pub boots: u32,
}

fn once() -> u32 {
    1
}

fn is_once(boots: &u32) -> bool {
    *boots == once()
}

impl MachineRecord {
    /// Writes it down.
    ///
    /// # Errors
    /// As [`record::replace`].
    pub fn store(&self, pod_dir: &Path) -> Result<(), PodError> {
        record::replace(&pod_dir.join(MACHINE_FILE), self)
    }

    /// That of a pod; `None` if it has had no machine.
    ///
    /// # Errors
    /// As [`record::read`].
    pub fn load(pod_dir: &Path) -> Result<Option<Self>, PodError> {
        record::read_if_there(&pod_dir.join(MACHINE_FILE), VERSION)
    }
}
