//! The virtual machine of a pod, where its isolator runs it in one.

use std::path::PathBuf;

use image_name::Digest;
use serde::{Deserialize, Serialize};

use super::presence::is_default;

/// What is asked of a pod's virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VirtualMachine {
    /// The file of its kernel; the newest that is installed if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kernel: Option<PathBuf>,
    /// Its memory, in bytes; by the limits of the pod's apps if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory: Option<u64>,
    /// Its processors; by the limits of the pod's apps if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpus: Option<u32>,
    /// What executes its instructions.
    #[serde(skip_serializing_if = "is_default", default)]
    pub accelerator: Accelerator,
    /// Whether it may be a copy of a machine that has booted, which others are copies of too.
    #[serde(skip_serializing_if = "is_default", default)]
    pub template: bool,
}

/// What executes a virtual machine's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accelerator {
    /// The processor, by the kernel's KVM.
    #[default]
    Kvm,
    /// A program that translates them.
    Tcg,
}

/// The files of an image as a filesystem for another kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImageFilesystem {
    /// The chain ID of the layers, by which the store has it.
    pub chain_id: Digest,
    /// The digest of the filesystem.
    pub digest: Digest,
    /// Its hash tree, by which a kernel checks what it reads.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verity: Option<Verity>,
}

/// A hash tree behind a filesystem, as dm-verity takes it: version 1, without a superblock, with SHA-256 and blocks of 4096
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Verity {
    /// The hash on which all others depend.
    pub root_hash: Digest,
    /// What precedes each block.
    pub salt: Digest,
    /// Blocks of the filesystem; the tree follows.
    pub data_blocks: u64,
}
