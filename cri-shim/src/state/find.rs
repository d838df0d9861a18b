//! Sandboxes and containers by their ids, or by what these begin with.

use std::io;

use pod::lock::PodLock;
use pod::manifest::PodManifest;
use pod::{AppName, Phase, PodEntry, PodError};

use super::container::Container;
use super::sandbox::{Sandbox, SandboxPhase, all};
use crate::error::CriError;
use crate::identity::{ContainerId, SandboxId};
use crate::shim::Shim;

const SANDBOX: &str = "sandbox";
const CONTAINER: &str = "container";

/// The sandbox of this id.
///
/// # Errors
/// [`CriError::NotFound`]; [`CriError::Invalid`] if no id is given.
pub(crate) fn sandbox(shim: &Shim, id: &str) -> Result<Sandbox, CriError> {
    sandbox_if_any(shim, id)?.ok_or_else(|| not_found(SANDBOX, id))
}

/// The sandbox of this id, if there is one.
pub(crate) fn sandbox_if_any(shim: &Shim, id: &str) -> Result<Option<Sandbox>, CriError> {
    if let Some(id) = SandboxId::parse(id) {
        return by_id(shim, id);
    }
    if id.is_empty() {
        return Err(CriError::missing("pod_sandbox_id"));
    }
    let all = all(shim)?.into_iter();
    only(
        SANDBOX,
        id,
        all.filter(|one| one.id().to_string().starts_with(id)),
    )
}

/// The pod of this id, if it doesn't run and what was asked for can't be told any more, such as after a loss of power.
/// Nobody else will ever be able to do more with it than to remove it.
pub(crate) fn wreck(shim: &Shim, id: &str) -> Result<Option<PodEntry>, CriError> {
    let Some(id) = SandboxId::parse(id) else {
        return Ok(None);
    };
    let entry = shim.engine.pods().by_uuid(id.0)?;
    let Some(entry) = entry.filter(|entry| entry.phase == Phase::Run) else {
        return Ok(None);
    };
    let is_lost = match PodManifest::load(&entry.path) {
        Err(PodError::Damaged { .. }) => true,
        Err(PodError::Io { source, .. }) => source.kind() == io::ErrorKind::NotFound,
        _ => false,
    };
    Ok((is_lost && !PodLock::is_held(&entry.path)?).then_some(entry))
}

fn by_id(shim: &Shim, id: SandboxId) -> Result<Option<Sandbox>, CriError> {
    match shim.engine.pods().by_uuid(id.0)? {
        Some(entry) if entry.phase == Phase::Run => {
            let sandbox = Sandbox::of(entry, shim)?;
            Ok(sandbox.filter(|sandbox| sandbox.phase != SandboxPhase::Starting))
        }
        _ => Ok(None),
    }
}

/// The container of this id: its sandbox, and the name of its app there.
///
/// # Errors
/// [`CriError::NotFound`]; [`CriError::Invalid`] if no id is given.
pub(crate) fn container(shim: &Shim, id: &str) -> Result<(Sandbox, AppName), CriError> {
    container_if_any(shim, id)?.ok_or_else(|| not_found(CONTAINER, id))
}

/// The container of this id, if there is one.
pub(crate) fn container_if_any(
    shim: &Shim,
    id: &str,
) -> Result<Option<(Sandbox, AppName)>, CriError> {
    let named = |container: Container<'_>| container.app.name.clone();
    if let Some(id) = ContainerId::parse(id) {
        let sandbox = by_id(shim, id.sandbox())?;
        return Ok(sandbox.and_then(|sandbox| {
            let name = sandbox
                .containers()
                .find(|one| *one.id() == id)
                .map(named)?;
            Some((sandbox, name))
        }));
    }
    if id.is_empty() {
        return Err(CriError::missing("container_id"));
    }
    let mut found = Vec::new();
    for sandbox in all(shim)? {
        let containers = sandbox.containers();
        let names: Vec<_> = containers
            .filter(|one| one.id().to_string().starts_with(id))
            .map(named)
            .collect();
        found.extend(names.into_iter().map(|name| (sandbox.clone(), name)));
    }
    only(CONTAINER, id, found.into_iter())
}

fn only<T>(
    what: &'static str,
    id: &str,
    mut found: impl Iterator<Item = T>,
) -> Result<Option<T>, CriError> {
    let first = found.next();
    match found.next() {
        Some(_) => Err(CriError::Ambiguous {
            what,
            id: id.to_owned(),
        }),
        None => Ok(first),
    }
}

fn not_found(what: &'static str, id: &str) -> CriError {
    CriError::NotFound {
        what,
        id: id.to_owned(),
    }
}
