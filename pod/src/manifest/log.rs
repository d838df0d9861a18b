//! Where an app's output is kept, and how.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// An app's log, as far as it is not the usual one: a file in the app's directory if the pod runs in the background.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Log {
    /// What keeps it, whether or not somebody sees the output meanwhile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub driver: Option<LogDriver>,
    /// Size at which a file begins anew, in bytes; as [`super::Bounds::log_size`] says if absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_size: Option<u64>,
    /// What the journal finds its entries by, beside what it always does: one line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tag: Option<String>,
    /// The file, on the host. Who names it rotates it too, and asks for it to be opened anew.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<PathBuf>,
}

/// What keeps a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// A file in the format of the Kubernetes CRI.
    K8sFile,
    /// The journal of systemd.
    Journald,
    /// Nothing.
    None,
}

impl LogDriver {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::K8sFile => "k8s-file",
            Self::Journald => "journald",
            Self::None => "none",
        }
    }
}
