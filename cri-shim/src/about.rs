//! The runtime itself: its version, its state, what it can do.

use engine::config::cri::CgroupDriver;
use engine::isolators::find::find;
use pod::feature::Feature;

use crate::api::{
    self, LinuxRuntimeConfiguration, RuntimeCondition, RuntimeConfigRequest, RuntimeConfigResponse,
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
pub(crate) fn status(shim: &Shim, _: StatusRequest) -> Result<StatusResponse, CriError> {
    let runtime = match find(engine::isolators::find::DEFAULT, &shim.engine.directories) {
        Ok(_) => good("RuntimeReady"),
        Err(error) => bad("RuntimeReady", "IsolatorNotFound", &error),
    };
    let network = match network::of_pods(shim) {
        Ok(Some(_)) => good("NetworkReady"),
        Ok(None) => bad(
            "NetworkReady",
            "NetworkPluginNotReady",
            &format!(
                "no network is configured in {}",
                shim.engine.cni.config.display()
            ),
        ),
        Err(error) => bad("NetworkReady", "NetworkPluginNotReady", &error),
    };
    Ok(StatusResponse {
        status: Some(RuntimeStatus {
            conditions: vec![runtime, network],
        }),
        info: std::collections::BTreeMap::new(),
        runtime_handlers: runtime_handlers(shim),
        features: Some(RuntimeFeatures {
            supplemental_groups_policy: true,
            ..RuntimeFeatures::default()
        }),
    })
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

/// The handlers whose isolators are there.
fn runtime_handlers(shim: &Shim) -> Vec<RuntimeHandler> {
    let handler = |(name, isolator): (String, String)| {
        let isolator = find(&isolator, &shim.engine.directories).ok()?;
        let can = |feature| isolator.manifest.features.contains(&feature);
        Some(RuntimeHandler {
            name,
            features: Some(RuntimeHandlerFeatures {
                recursive_read_only_mounts: can(Feature::Mounts),
                user_namespaces: can(Feature::UserNamespaces),
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
    let driver = match shim.settings.cgroup_driver.unwrap_or_default() {
        CgroupDriver::Systemd => api::CgroupDriver::Systemd,
        CgroupDriver::Cgroupfs => api::CgroupDriver::Cgroupfs,
    };
    Ok(RuntimeConfigResponse {
        linux: Some(LinuxRuntimeConfiguration {
            cgroup_driver: driver as i32,
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
