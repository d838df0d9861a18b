//! The runtime itself: its version, its state, what it can do.

use std::collections::BTreeMap;
use std::time::SystemTime;

use engine::isolators::find::{DEFAULT, find};
use engine::pods::user_namespace;
use engine::policy;
use pod::feature::Feature;
use trust::Timestamp;

use crate::api::{
    LinuxRuntimeConfiguration, RuntimeCondition, RuntimeConfigRequest, RuntimeConfigResponse,
    RuntimeFeatures, RuntimeHandler, RuntimeHandlerFeatures, RuntimeStatus, StatusRequest,
    StatusResponse, UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse, VersionRequest,
    VersionResponse,
};
use crate::error::CriError;
use crate::shim::Shim;
use crate::{handlers, network};

/// Which version this is.
pub(crate) fn version(_: &Shim, _: VersionRequest) -> Result<VersionResponse, CriError> {
    Ok(VersionResponse {
        // That of kubelets' old way to ask.
        version: "0.1.0".to_owned(),
        runtime_name: "fairing".to_owned(),
        runtime_version: env!("CARGO_PKG_VERSION").to_owned(),
        runtime_api_version: "v1".to_owned(),
    })
}

/// How it is: whether it runs pods, whether there is a network for them, and what each handler can do.
pub(crate) fn status(shim: &Shim, request: StatusRequest) -> Result<StatusResponse, CriError> {
    Ok(StatusResponse {
        status: Some(RuntimeStatus {
            conditions: conditions(shim),
        }),
        info: match request.verbose {
            true => information(shim),
            false => BTreeMap::new(),
        },
        runtime_handlers: runtime_handlers(shim),
        features: Some(RuntimeFeatures {
            supplemental_groups_policy: true,
            user_namespaces_host_network: has_user_namespaces(shim),
            mount_options: true,
        }),
    })
}

/// What only people look at: how the runtime is set up.
fn information(shim: &Shim) -> BTreeMap<String, String> {
    let directories = &shim.engine.directories;
    let config = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "data": directories.data,
        "run": directories.run,
        "networks": shim.engine.cni.config,
        "network": network::of_pods(shim).ok().flatten(),
        "pinnedImages": shim.settings.pinned_images,
        "handlersNotOffered": handlers::lacking(shim).into_iter().collect::<BTreeMap<_, _>>(),
    });
    BTreeMap::from([("config".to_owned(), config.to_string())])
}

/// What can't be as it is configured, for who reads the journal: no kubelet may ever ask.
pub(crate) fn complaints(shim: &Shim) -> Vec<String> {
    let bad = conditions(shim).into_iter().filter(|one| !one.status);
    let bad = bad.map(|one| format!("{} is not so: {}", one.r#type, one.message));
    let handlers = shim.settings.runtime_handlers.iter();
    let unknown = handlers.filter_map(|(name, isolator)| {
        let error = find(isolator, &shim.engine.directories).err()?;
        Some(format!("[cri.runtime-handlers] {name}: {error}"))
    });
    // Of those alone that somebody wants; who asks for another one is told.
    let lacking = handlers::lacking(shim).into_iter();
    let lacking = lacking
        .filter(|(name, _)| shim.settings.runtime_handlers.contains_key(name))
        .map(|(name, lack)| format!("[cri.runtime-handlers] {name}: it is not offered: {lack}"));
    bad.chain(unknown).chain(lacking).collect()
}

fn conditions(shim: &Shim) -> Vec<RuntimeCondition> {
    let isolator = find(DEFAULT, &shim.engine.directories);
    let runtime = match (isolator, shim.cgroups.lack()) {
        (Ok(_), None) => good("RuntimeReady"),
        (Err(error), _) => bad("RuntimeReady", "IsolatorNotFound", &error),
        (Ok(_), Some(lack)) => bad("RuntimeReady", "SystemdNotRunning", &lack),
    };
    let network = match network::of_pods(shim) {
        Ok(Some(selection)) => network::ask_plugins(shim, &selection),
        Ok(None) => Err(CriError::NotReady(network::none_there(shim))),
        Err(error) => Err(error),
    };
    let network = match network {
        Ok(()) => RuntimeCondition {
            message: network::passed_over(shim),
            ..good("NetworkReady")
        },
        Err(error) => bad("NetworkReady", "NetworkPluginNotReady", &error),
    };
    vec![runtime, network, image_policy(shim)]
}

/// Whether any image may run, as far as the rules tell: where none may, each container is refused.
fn image_policy(shim: &Shim) -> RuntimeCondition {
    const NAME: &str = "ImagePolicyReady";
    let now = Timestamp::from_clock(SystemTime::now());
    match policy::files::read(&shim.engine.directories) {
        Err(error) => bad(NAME, "PolicyUnreadable", &error),
        Ok(policy) if policy.rules().is_empty() => {
            let advice = "there is no trust rule, so that no image runs: `fairing trust add --prefix PREFIX KEY` on the \
                          node makes one";
            bad(NAME, "NoPolicy", &advice)
        }
        Ok(policy) if !policy.lets_some_run(now) => {
            let advice = "no trust rule lets an image run: each rejects them, or has no key that can be used and is not \
                          revoked; `fairing trust list` on the node tells of them";
            bad(NAME, "NothingTrusted", &advice)
        }
        Ok(_) => good(NAME),
    }
}

/// Whether pods can have users of their own here, with files that are theirs.
fn has_user_namespaces(shim: &Shim) -> bool {
    user_namespace::lack(&shim.engine.directories.data).is_none()
}

fn good(name: &str) -> RuntimeCondition {
    RuntimeCondition {
        r#type: name.to_owned(),
        status: true,
        reason: String::new(),
        message: String::new(),
    }
}

fn bad(name: &str, reason: &str, message: &dyn std::fmt::Display) -> RuntimeCondition {
    RuntimeCondition {
        r#type: name.to_owned(),
        status: false,
        reason: reason.to_owned(),
        message: message.to_string(),
    }
}

/// The handlers whose isolators are there, and can run pods here.
fn runtime_handlers(shim: &Shim) -> Vec<RuntimeHandler> {
    let has_user_namespaces = has_user_namespaces(shim);
    let handler = |(name, isolator): (String, String)| {
        let isolator = find(&isolator, &shim.engine.directories).ok()?;
        if handlers::lack(shim, &isolator).is_some() {
            return None;
        }
        let can = |feature| isolator.manifest.features.contains(&feature);
        Some(RuntimeHandler {
            name,
            features: Some(RuntimeHandlerFeatures {
                recursive_read_only_mounts: can(Feature::Mounts),
                user_namespaces: has_user_namespaces && can(Feature::UserNamespaces),
            }),
        })
    };
    handlers::all(shim)
        .into_iter()
        .filter_map(handler)
        .collect()
}

/// Who makes cgroups.
pub(crate) fn runtime_config(
    shim: &Shim,
    _: RuntimeConfigRequest,
) -> Result<RuntimeConfigResponse, CriError> {
    Ok(RuntimeConfigResponse {
        linux: Some(LinuxRuntimeConfiguration {
            cgroup_driver: shim.cgroups.told() as i32,
        }),
    })
}

/// The addresses of pods are the networks' affair: nothing is changed.
pub(crate) fn update_runtime_config(
    _: &Shim,
    _: UpdateRuntimeConfigRequest,
) -> Result<UpdateRuntimeConfigResponse, CriError> {
    Ok(UpdateRuntimeConfigResponse {})
}
