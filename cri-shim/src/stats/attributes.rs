//! Whose the numbers are.

use crate::api::{ContainerAttributes, PodSandboxAttributes};
use crate::state::{Container, Sandbox};

pub(super) fn of_container(container: &Container<'_>) -> ContainerAttributes {
    let config = &container.record.config;
    ContainerAttributes {
        id: container.id().to_string(),
        metadata: config.metadata.clone(),
        labels: config.labels.clone(),
        annotations: config.annotations.clone(),
    }
}

pub(super) fn of_sandbox(sandbox: &Sandbox) -> PodSandboxAttributes {
    let config = &sandbox.record().config;
    PodSandboxAttributes {
        id: sandbox.id().to_string(),
        metadata: config.metadata.clone(),
        labels: config.labels.clone(),
        annotations: config.annotations.clone(),
    }
}
