//! Profiles of system call filters as docker, podman and Kubernetes have them, seccomp.json: read for one app, they become
//! what the OCI runtime specification has ([`SeccompProfile`]).
//!
//! A member that is not known is refused: what is not understood could be a protection.

mod document;

use std::collections::BTreeSet;

use self::document::{Argument, Condition, Document, Rule};
use crate::kernel::runs_on;
use crate::manifest::{
    Capability, SeccompAction, SeccompArch, SeccompArgument, SeccompFlag, SeccompOperator,
    SeccompProfile, SeccompRule,
};

/// Most bytes of a file.
pub const FILE_MAX: u64 = 1 << 20;
/// Most arguments of a system call.
const ARGUMENTS: u8 = 6;

/// Why a profile can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is not one.
    #[error("{0}")]
    Malformed(String),
    /// An answer that is not known.
    #[error("there is no action `{0}`")]
    Action(String),
    /// An answer that needs somebody beside the app.
    #[error("the action {0} needs a program that answers, which there is not")]
    NobodyAnswers(String),
    /// A comparison that is not known.
    #[error("there is no operator `{0}`")]
    Operator(String),
    /// A flag that is not known.
    #[error("there is no flag `{0}`")]
    Flag(String),
    /// A capability that is not known.
    #[error("there is no capability `{0}`")]
    Capability(String),
    /// An error that is not known.
    #[error("there is no error `{0}`; give its number as errnoRet")]
    Errno(String),
    /// A kernel that is none.
    #[error("`{0}` is not the version of a kernel")]
    Kernel(String),
    /// A system call has no such argument.
    #[error("system calls have 6 arguments, from 0 to 5, and not a number {0}")]
    Argument(u8),
    /// It is not for this machine.
    #[error("it is for other architectures than this machine's")]
    Architecture,
}

/// Reads a profile for an app whose bounding set this is.
///
/// # Errors
/// [`ProfileError`].
pub fn parse(
    bytes: &[u8],
    bounding: &BTreeSet<Capability>,
) -> Result<SeccompProfile, ProfileError> {
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|error| ProfileError::Malformed(error.to_string()))?;
    if !(document.listener_path.is_empty() && document.listener_metadata.is_empty()) {
        return Err(ProfileError::NobodyAnswers("SCMP_ACT_NOTIFY".to_owned()));
    }
    let default_action = action(&document.default_action)?;
    let mut syscalls = Vec::with_capacity(document.syscalls.len());
    for rule in document.syscalls {
        // What is wrong in a rule is wrong, whether it counts or not.
        let (counts, rule) = (counts(&rule, bounding)?, understood(rule)?);
        if counts {
            syscalls.push(rule);
        }
    }
    Ok(SeccompProfile {
        default_action,
        default_errno_ret: errno(document.default_errno_ret, &document.default_errno)?,
        architectures: architectures(document.architectures, document.arch_map)?,
        flags: document
            .flags
            .iter()
            .map(|word| flag(word))
            .collect::<Result<_, _>>()?,
        syscalls,
    })
}

/// This machine's, if the profile names any.
fn architectures(
    names: Vec<String>,
    map: Vec<document::ArchMap>,
) -> Result<Vec<SeccompArch>, ProfileError> {
    if names.is_empty() && map.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = names
        .into_iter()
        .chain(map.into_iter().map(|entry| entry.architecture));
    match all.any(|name| name == OWN.0) {
        true => Ok(vec![OWN.1]),
        false => Err(ProfileError::Architecture),
    }
}

/// This machine's architecture, as libseccomp calls it and as Go does.
#[cfg(target_arch = "x86_64")]
const OWN: (&str, SeccompArch, &str) = ("SCMP_ARCH_X86_64", SeccompArch::X8664, "amd64");
#[cfg(target_arch = "aarch64")]
const OWN: (&str, SeccompArch, &str) = ("SCMP_ARCH_AARCH64", SeccompArch::Aarch64, "arm64");

/// Whether a rule counts here: all that it includes is so, and nothing that it excludes.
fn counts(rule: &Rule, bounding: &BTreeSet<Capability>) -> Result<bool, ProfileError> {
    let known = |name: &String| {
        Capability::named(name).ok_or_else(|| ProfileError::Capability(name.clone()))
    };
    let is_own = |condition: &Condition| condition.arches.iter().any(|name| name == OWN.2);
    let of = |condition: &Condition| {
        let known = condition.caps.iter().map(known);
        known.collect::<Result<Vec<_>, _>>()
    };
    let kernel = |condition: &Condition| match condition.min_kernel.as_str() {
        "" => Ok(None),
        text => version(text)
            .map(|version| Some(runs_on(version)))
            .ok_or_else(|| ProfileError::Kernel(text.to_owned())),
    };
    let (includes, excludes) = (&rule.includes, &rule.excludes);
    let has = |capability: &Capability| bounding.contains(capability);
    let included = of(includes)?.iter().all(has)
        && (includes.arches.is_empty() || is_own(includes))
        && kernel(includes)?.unwrap_or(true);
    let excluded =
        of(excludes)?.iter().any(has) || is_own(excludes) || kernel(excludes)?.unwrap_or(false);
    Ok(included && !excluded)
}

fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn understood(rule: Rule) -> Result<SeccompRule, ProfileError> {
    let mut names = rule.names;
    names.extend(rule.name);
    Ok(SeccompRule {
        action: action(&rule.action)?,
        errno_ret: errno(rule.errno_ret, &rule.errno)?,
        names,
        args: rule
            .args
            .into_iter()
            .map(argument)
            .collect::<Result<_, _>>()?,
    })
}

fn argument(argument: Argument) -> Result<SeccompArgument, ProfileError> {
    use SeccompOperator::{
        Equal, Greater, GreaterOrEqual, Less, LessOrEqual, MaskedEqual, NotEqual,
    };
    let op = match argument.op.as_str() {
        "SCMP_CMP_NE" => NotEqual,
        "SCMP_CMP_LT" => Less,
        "SCMP_CMP_LE" => LessOrEqual,
        "SCMP_CMP_EQ" => Equal,
        "SCMP_CMP_GE" => GreaterOrEqual,
        "SCMP_CMP_GT" => Greater,
        "SCMP_CMP_MASKED_EQ" => MaskedEqual,
        _ => return Err(ProfileError::Operator(argument.op)),
    };
    if argument.index >= ARGUMENTS {
        return Err(ProfileError::Argument(argument.index));
    }
    Ok(SeccompArgument {
        index: argument.index,
        value: argument.value,
        // Elsewhere it means nothing.
        value_two: (op == MaskedEqual).then_some(argument.value_two),
        op,
    })
}

fn action(word: &str) -> Result<SeccompAction, ProfileError> {
    Ok(match word {
        "SCMP_ACT_KILL_PROCESS" => SeccompAction::KillProcess,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => SeccompAction::KillThread,
        "SCMP_ACT_TRAP" => SeccompAction::Trap,
        "SCMP_ACT_ERRNO" => SeccompAction::Errno,
        "SCMP_ACT_LOG" => SeccompAction::Log,
        "SCMP_ACT_ALLOW" => SeccompAction::Allow,
        "SCMP_ACT_NOTIFY" | "SCMP_ACT_TRACE" => {
            return Err(ProfileError::NobodyAnswers(word.to_owned()));
        }
        _ => return Err(ProfileError::Action(word.to_owned())),
    })
}

fn flag(word: &str) -> Result<SeccompFlag, ProfileError> {
    Ok(match word {
        "SECCOMP_FILTER_FLAG_TSYNC" => SeccompFlag::Tsync,
        "SECCOMP_FILTER_FLAG_LOG" => SeccompFlag::Log,
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => SeccompFlag::SpecAllow,
        _ => return Err(ProfileError::Flag(word.to_owned())),
    })
}

/// Errors that profiles name.
const ERRORS: [(&str, i32); 16] = [
    ("EACCES", libc::EACCES),
    ("EAFNOSUPPORT", libc::EAFNOSUPPORT),
    ("EAGAIN", libc::EAGAIN),
    ("EBADF", libc::EBADF),
    ("EBUSY", libc::EBUSY),
    ("EEXIST", libc::EEXIST),
    ("EFAULT", libc::EFAULT),
    ("EINVAL", libc::EINVAL),
    ("EIO", libc::EIO),
    ("ENODEV", libc::ENODEV),
    ("ENOENT", libc::ENOENT),
    ("ENOMEM", libc::ENOMEM),
    ("ENOSYS", libc::ENOSYS),
    ("ENOTSUP", libc::ENOTSUP),
    ("EOPNOTSUPP", libc::EOPNOTSUPP),
    ("EPERM", libc::EPERM),
];

/// An error by its number, else by its name.
fn errno(number: Option<u16>, name: &str) -> Result<Option<u16>, ProfileError> {
    if number.is_some() || name.is_empty() {
        return Ok(number);
    }
    let found = ERRORS.iter().find(|(known, _)| *known == name);
    let number = found.and_then(|(_, number)| u16::try_from(*number).ok());
    number
        .map(Some)
        .ok_or_else(|| ProfileError::Errno(name.to_owned()))
}

#[cfg(test)]
mod tests;
