//! What a container depends on beside its own request.

use engine::images::accounts;
use engine::pods::identity;
use engine::pods::spec::AppSpec;
use image_store::Image;
use pod::accounts::Identity;
use pod::manifest::UserNamespace;

use crate::api::{NamespaceOption, PodSandboxConfig};
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
    /// Its users, if they are not the host's.
    pub(super) users: Option<&'a UserNamespace>,
    /// Its host name.
    pub(super) hostname: &'a str,
}

impl<'a> SandboxFacts<'a> {
    pub(super) fn of(sandbox: &'a Sandbox) -> Self {
        Self {
            config: &sandbox.record().config,
            users: sandbox.manifest().user_namespace.as_ref(),
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
