//! What is kept of requests: in the manifests of pods, since they are written and gone as one with them.

use std::collections::BTreeMap;

use pod::manifest::CRI_ANNOTATION;
use prost::Message;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::api::{ContainerConfig, LinuxContainerUser, PodSandboxConfig};
use crate::error::CriError;

/// What is kept of a sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SandboxRecord {
    /// What was asked for, byte for byte.
    pub(crate) config: PodSandboxConfig,
    /// The runtime handler that was asked for; empty for the default one.
    #[serde(default)]
    pub(crate) runtime_handler: String,
}

/// What is kept of a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ContainerRecord {
    /// What was asked for, byte for byte.
    pub(crate) config: ContainerConfig,
    /// The id of its image.
    pub(crate) image_id: String,
    /// Its image by the name that it was judged by; empty in records of earlier releases.
    #[serde(default)]
    pub(crate) image_name: String,
    /// Its image by name and digest.
    pub(crate) image_ref: String,
    /// When it was made, in nanoseconds since 1970.
    pub(crate) created_at: i64,
    /// Whose process it is, in the numbers of its image.
    pub(crate) user: LinuxContainerUser,
}

/// Largest request that is kept, in bytes as it came. More than Kubernetes lets pods have, and few enough that many of them
/// fit into a manifest, and all into a list.
const CONFIG_MAX: usize = 1 << 20;

/// Refuses a request that is too large to be kept.
///
/// # Errors
/// [`CriError::Invalid`].
pub(crate) fn require_fit(config: &impl Message) -> Result<(), CriError> {
    match config.encoded_len() {
        length if length > CONFIG_MAX => Err(CriError::invalid(
            "config",
            format!("it has {length} bytes, more than {CONFIG_MAX}"),
        )),
        _ => Ok(()),
    }
}

/// A record as an annotation.
pub(crate) fn annotations(record: &impl Serialize) -> Result<BTreeMap<String, String>, CriError> {
    let text = serde_json::to_string(record)
        .map_err(|error| CriError::Internal(format!("a record can't be written: {error}")))?;
    Ok(BTreeMap::from([(CRI_ANNOTATION.to_owned(), text)]))
}

/// Takes the record out of annotations. Pods and apps that no request has made have none.
///
/// # Errors
/// If there is one that can't be understood: it is damaged, or another release's.
pub(crate) fn take<T: DeserializeOwned>(
    annotations: &mut BTreeMap<String, String>,
) -> Result<Option<T>, serde_json::Error> {
    let text = annotations.remove(CRI_ANNOTATION);
    text.map(|text| serde_json::from_str(&text)).transpose()
}
