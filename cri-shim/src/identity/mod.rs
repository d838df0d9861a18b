//! What sandboxes and containers are called: by kubelets, and by fairing.

mod container;
mod key;
mod sandbox;

pub(crate) use self::container::{ContainerId, app_name};
pub(crate) use self::sandbox::{SandboxId, pod_name};
