//! What an app is to the others of its pod, and when the pod counts as ready.

use serde::{Deserialize, Serialize};

/// What an app is to the others of its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// What the pod is there for.
    #[default]
    Main,
    /// It has to end well before the next app starts.
    Init,
    /// It has to have started before the next app does, starts again whenever it ends, and ends after all main apps have.
    Sidecar,
}

/// When a pod counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyWhen {
    /// When all of its apps have started.
    #[default]
    Started,
    /// When all of its apps are ready, by their readiness probes where they have some.
    Healthy,
    /// When all of its apps are ready, as they say themselves where they may ([`MountSource::Notify`](super::MountSource)).
    Notified,
}
