//! Why a pod is not connected as it should be, for showing.

use cni_glue::NetworkError;
use serde::Serialize;

/// Why a pod is not connected as it should be.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NetworkFailure {
    /// In words.
    pub message: String,
    /// The network whose plugin found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    /// The plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    /// Its code for what is wrong, if it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u64>,
}

impl From<&NetworkError> for NetworkFailure {
    fn from(error: &NetworkError) -> Self {
        let plugin = match error {
            NetworkError::Plugin(error) => Some(error),
            _ => None,
        };
        Self {
            message: error.to_string(),
            network: plugin.map(|error| error.network.clone()),
            plugin: plugin.map(|error| error.plugin.clone()),
            code: plugin.and_then(|error| error.failure.code()),
        }
    }
}
