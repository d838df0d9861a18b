//! All fields that there are, and what becomes of each here. [`docs/pod-yaml.md`] has the same tables, which a test compares.
//!
//! [`docs/pod-yaml.md`]: ../../docs/pod-yaml.md

mod container;
mod document;
mod field;
mod pod;
mod security;
mod volume;
mod workload;

pub(crate) use self::container::*;
pub(crate) use self::document::*;
pub use self::field::{Field, Schema, Verdict};
pub(crate) use self::pod::*;
pub(crate) use self::security::*;
pub(crate) use self::volume::*;
pub(crate) use self::workload::*;

/// All of them, in the order in which they are told of.
pub static ALL: &[&Schema] = &[
    &METADATA,
    &POD_SPEC,
    &HOST_ALIAS,
    &DNS_CONFIG,
    &DNS_OPTION,
    &OS,
    &LOCAL_REFERENCE,
    &POD_SECURITY,
    &SYSCTL,
    &SELINUX,
    &PROFILE,
    &CONTAINER,
    &RESTART_RULE,
    &EXIT_CODES,
    &PORT,
    &ENV,
    &ENV_SOURCE,
    &ENV_FROM,
    &SOURCE_REFERENCE,
    &FIELD_REF,
    &RESOURCE_FIELD_REF,
    &KEY_REF,
    &RESOURCES,
    &VOLUME_MOUNT,
    &PROBE,
    &EXEC,
    &HTTP_GET,
    &HTTP_HEADER,
    &TCP_SOCKET,
    &GRPC,
    &LIFECYCLE,
    &HANDLER,
    &SLEEP,
    &CONTAINER_SECURITY,
    &CAPABILITIES,
    &VOLUME,
    &HOST_PATH,
    &EMPTY_DIR,
    &CLAIM_SOURCE,
    &IMAGE_SOURCE,
    &CONFIG_MAP_SOURCE,
    &SECRET_SOURCE,
    &KEY_PATH,
    &PROJECTED,
    &PROJECTION,
    &CONFIG_MAP_PROJECTION,
    &DOWNWARD,
    &DOWNWARD_FILE,
    &POD,
    &WORKLOAD,
    &TEMPLATE,
    &DEPLOYMENT_SPEC,
    &DAEMON_SET_SPEC,
    &STATEFUL_SET_SPEC,
    &JOB_SPEC,
    &CLAIM_TEMPLATE,
    &CONFIG_MAP,
    &SECRET,
    &CLAIM,
    &CLAIM_SPEC,
    &CLAIM_RESOURCES,
    &LIST,
];

#[cfg(test)]
mod tests;
