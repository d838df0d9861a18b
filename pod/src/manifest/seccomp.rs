//! A system call filter: the OCI runtime specification's `linux.seccomp`.

use serde::{Deserialize, Serialize};

/// Which system calls are answered how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SeccompProfile {
    /// The answer to all that no rule matches.
    pub default_action: SeccompAction,
    /// Its error number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub default_errno_ret: Option<u16>,
    /// For which architectures; the host's own if empty.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub architectures: Vec<SeccompArch>,
    /// How it is installed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub flags: Vec<SeccompFlag>,
    /// The rules.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub syscalls: Vec<SeccompRule>,
}

/// The answer to some system calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SeccompRule {
    /// Their names.
    pub names: Vec<String>,
    /// The answer.
    pub action: SeccompAction,
    /// Its error number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub errno_ret: Option<u16>,
    /// What must be true of their arguments, all of it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub args: Vec<SeccompArgument>,
}

/// Something about one argument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SeccompArgument {
    /// Which, from 0 on.
    pub index: u8,
    /// What it is compared with, or masked by.
    pub value: u64,
    /// What it is compared with once it is masked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value_two: Option<u64>,
    /// How.
    pub op: SeccompOperator,
}

/// An answer, seccomp(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // seccomp(2) says what each is
pub enum SeccompAction {
    #[serde(rename = "SCMP_ACT_KILL_PROCESS")]
    KillProcess,
    #[serde(rename = "SCMP_ACT_KILL_THREAD")]
    KillThread,
    #[serde(rename = "SCMP_ACT_TRAP")]
    Trap,
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
    #[serde(rename = "SCMP_ACT_LOG")]
    Log,
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
}

/// An architecture, as libseccomp names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum SeccompArch {
    #[serde(rename = "SCMP_ARCH_X86")]
    X86,
    #[serde(rename = "SCMP_ARCH_X86_64")]
    X8664,
    #[serde(rename = "SCMP_ARCH_X32")]
    X32,
    #[serde(rename = "SCMP_ARCH_ARM")]
    Arm,
    #[serde(rename = "SCMP_ARCH_AARCH64")]
    Aarch64,
    #[serde(rename = "SCMP_ARCH_RISCV64")]
    Riscv64,
    #[serde(rename = "SCMP_ARCH_S390X")]
    S390x,
    #[serde(rename = "SCMP_ARCH_PPC64LE")]
    Ppc64le,
}

/// How a filter is installed, seccomp(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum SeccompFlag {
    #[serde(rename = "SECCOMP_FILTER_FLAG_TSYNC")]
    Tsync,
    #[serde(rename = "SECCOMP_FILTER_FLAG_LOG")]
    Log,
    #[serde(rename = "SECCOMP_FILTER_FLAG_SPEC_ALLOW")]
    SpecAllow,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum SeccompOperator {
    #[serde(rename = "SCMP_CMP_NE")]
    NotEqual,
    #[serde(rename = "SCMP_CMP_LT")]
    Less,
    #[serde(rename = "SCMP_CMP_LE")]
    LessOrEqual,
    #[serde(rename = "SCMP_CMP_EQ")]
    Equal,
    #[serde(rename = "SCMP_CMP_GE")]
    GreaterOrEqual,
    #[serde(rename = "SCMP_CMP_GT")]
    Greater,
    #[serde(rename = "SCMP_CMP_MASKED_EQ")]
    MaskedEqual,
}
