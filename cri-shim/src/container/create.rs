//! Making containers. Nothing of them runs yet.

use std::path::Path;
use std::time::SystemTime;

use engine::error::AppError;
use engine::images::choice::Pull;
use engine::pods::apps::OpenPod;
use engine::pods::security::SeccompChoice;
use pod::timestamp::Timestamp;

use super::facts::{self, SandboxFacts};
use super::images::ContainerImages;
use super::{host_paths, spec};
use crate::api::{
    ContainerMetadata, CreateContainerRequest, CreateContainerResponse, LinuxContainerUser,
};
use crate::error::CriError;
use crate::identity::{ContainerId, app_name};
use crate::journal::Journal;
use crate::record::{self, ContainerRecord, require_fit};
use crate::shim::Shim;
use crate::state::{self, Sandbox, SandboxPhase};

/// Makes a container in a sandbox. A request for a key that there is a container of gets the same id.
pub(crate) fn create(
    shim: &Shim,
    request: CreateContainerRequest,
) -> Result<CreateContainerResponse, CriError> {
    let mut config = request.config.ok_or_else(|| CriError::missing("config"))?;
    require_fit(&config)?;
    let metadata = config
        .metadata
        .as_ref()
        .ok_or_else(|| CriError::missing("config.metadata"))?;
    let name = app_name(metadata)?;
    let metadata = metadata.clone();
    let sandbox = state::sandbox(shim, &request.pod_sandbox_id)?;
    if let Some(there) = existing(&sandbox, &metadata) {
        return Ok(response(&there));
    }
    if sandbox.phase != SandboxPhase::Ready {
        return Err(CriError::State {
            what: "sandbox",
            id: sandbox.id().to_string(),
            reason: "is not ready: no container can be made in it".to_owned(),
        });
    }
    let asked = config.image.as_ref();
    let asked = asked
        .filter(|image| !image.image.is_empty())
        .ok_or_else(|| CriError::missing("config.image.image"))?;
    let asked_now = request.sandbox_config.as_ref();
    let sandbox_facts = SandboxFacts::of(&sandbox, asked_now, &config);
    let mut spec = spec::spec(&config, &sandbox_facts)?;
    spec.name = Some(name.clone());
    let asked = asked.clone();
    let images = ContainerImages::find(shim, &asked, &mut config, &spec)?;
    let of_devices = engine::devices::groups(&spec.devices, &shim.engine.directories)
        .map_err(CriError::of_container)?;
    spec.groups.extend(of_devices.iter().map(u32::to_string));
    let identity = facts::identity(&images.own.image, &spec)?;
    // Last: who is refused leaves nothing behind.
    let provided = host_paths::provide(&config.mounts)?;
    let mut record = ContainerRecord {
        image_id: images.own.id.clone(),
        image_name: String::new(),
        image_ref: String::new(),
        created_at: now(),
        user: LinuxContainerUser {
            uid: identity.uid.into(),
            gid: identity.gid.into(),
            supplemental_groups: identity.groups.into_iter().map(i64::from).collect(),
        },
        config,
    };
    let engine = shim.engine_for(sandbox.record().config.metadata.as_ref());
    let pod = OpenPod::connect(&engine, &sandbox.entry).map_err(CriError::of_container)?;
    let mut add = |images: &ContainerImages| {
        images.name(&mut spec);
        record.image_name = images.own.name.reference.to_string();
        record.image_ref = images.own.image_ref();
        spec.annotations = record::annotations(&record)?;
        Ok::<_, CriError>(pod.add(&spec, Pull::Never, &Journal))
    };
    let mut made = add(&images)?;
    // By the first of their names all may run, mostly.
    if matches!(made, Err(engine::Error::Refused { .. }))
        && let Some(others) = images.permitted(&engine)?
    {
        made = add(&others)?;
    }
    match made {
        Ok(_) => {
            provided.keep();
            Ok(response(&ContainerId::of(sandbox.id(), &name)))
        }
        // Another request has been faster.
        Err(error @ engine::Error::App(AppError::Exists { .. })) => {
            // That one may count on what this one has made.
            provided.keep();
            let sandbox = state::sandbox(shim, &request.pod_sandbox_id)?;
            match existing(&sandbox, &metadata) {
                Some(there) => Ok(response(&there)),
                None => Err(error.into()),
            }
        }
        Err(engine::Error::Io { path, source, .. }) if is_filter(&spec.security.seccomp, &path) => {
            Err(CriError::invalid(
                "config.linux.security_context.seccomp.localhost_ref",
                format!("{}: {source}", path.display()),
            ))
        }
        Err(error) => Err(CriError::of_container(error)),
    }
}

/// Whether a file is the one that holds a filter of system calls.
fn is_filter(choice: &SeccompChoice, path: &Path) -> bool {
    matches!(choice, SeccompChoice::File(file) if file == path)
}

/// The container of a sandbox that has this key.
fn existing(sandbox: &Sandbox, metadata: &ContainerMetadata) -> Option<ContainerId> {
    let mut containers = sandbox.containers();
    let there = containers.find(|one| one.record.config.metadata.as_ref() == Some(metadata));
    there.map(|container| container.id().clone())
}

fn response(id: &ContainerId) -> CreateContainerResponse {
    CreateContainerResponse {
        container_id: id.to_string(),
    }
}

fn now() -> i64 {
    state::nanoseconds(Timestamp::from(SystemTime::now())).max(1)
}
