//! What a container depends on beside its own request.

use engine::images::accounts;
use engine::pods::identity;
use engine::pods::spec::AppSpec;
use image_store::Image;
use pod::AppName;
use pod::accounts::Identity;
use pod::manifest::UserNamespace;

use crate::api::{ContainerConfig, NamespaceOption, PodSandboxConfig};
use crate::error::CriError;
use crate::state::Sandbox;

/// Who an app of an image is. Nothing of the image is verified yet.
///
/// # Errors
/// If the image doesn't know its user or a group.
pub(super) fn identity(image: &Image, spec: &AppSpec) -> Result<Identity, CriError> {
    let accounts = accounts::read(image)?;
    identity::of(spec, image, &accounts)?
        .map_err(|unknown| CriError::invalid("config.linux.security_context", unknown))
}

/// What the sandbox of a container was asked to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct SandboxFacts<'a> {
    /// The request.
    pub(super) config: &'a PodSandboxConfig,
    /// Whether containers of it may be privileged.
    pub(super) is_privileged: bool,
    /// Its users, if they are not the host's.
    pub(super) users: Option<&'a UserNamespace>,
    /// Whether it is in a virtual machine, which has no devices of the host and shows it no mounts.
    pub(super) is_in_machine: bool,
    /// Its host name.
    pub(super) hostname: &'a str,
    /// The container whose processes are to be joined, if there is such a one.
    pub(super) target: Option<Target<'a>>,
}

/// A container whose processes others are to be among.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    /// It has some of its own.
    OfItsOwn(&'a AppName),
    /// It has those of its sandbox.
    OfSandbox,
}

impl<'a> SandboxFacts<'a> {
    /// Those of a sandbox, for a container of this request. `now` is what its kubelet asks of the sandbox now: a privileged
    /// container may come to a pod that had none when it began, such as by `kubectl debug`.
    pub(super) fn of(
        sandbox: &'a Sandbox,
        now: Option<&PodSandboxConfig>,
        config: &ContainerConfig,
    ) -> Self {
        Self {
            is_privileged: is_privileged(now.unwrap_or(&sandbox.record().config)),
            target: target(sandbox, config),
            config: &sandbox.record().config,
            users: sandbox.manifest().user_namespace.as_ref(),
            is_in_machine: sandbox.manifest().virtual_machine.is_some(),
            hostname: &sandbox.manifest().hostname,
        }
    }

    /// Its namespaces, as they were asked for.
    pub(super) fn namespaces(&self) -> NamespaceOption {
        let linux = self.config.linux.as_ref();
        let security = linux.and_then(|linux| linux.security_context.as_ref());
        let options = security.and_then(|security| security.namespace_options.clone());
        options.unwrap_or_default()
    }
}

fn is_privileged(config: &PodSandboxConfig) -> bool {
    let linux = config.linux.as_ref();
    let security = linux.and_then(|linux| linux.security_context.as_ref());
    security.is_some_and(|security| security.privileged)
}

fn target<'a>(sandbox: &'a Sandbox, config: &ContainerConfig) -> Option<Target<'a>> {
    let security = config.linux.as_ref()?.security_context.as_ref()?;
    let id = &security.namespace_options.as_ref()?.target_id;
    let mut containers = sandbox.containers();
    let target = containers.find(|one| one.id().to_string() == *id)?;
    Some(match target.app.own_processes {
        true => Target::OfItsOwn(&target.app.name),
        false => Target::OfSandbox,
    })
}
