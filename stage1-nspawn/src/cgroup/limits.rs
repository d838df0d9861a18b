//! Limits of an app, by way of libcgroups. Only apps that have limits pay for it.

use std::path::{Path, PathBuf};

use libcgroups::common::{CgroupManager, ControllerOpt};
use libcgroups::{v1, v2};
use oci_spec::runtime::{
    LinuxCpu, LinuxCpuBuilder, LinuxMemory, LinuxMemoryBuilder, LinuxPids, LinuxPidsBuilder,
    LinuxResources,
};
use pod::AppName;
use pod::manifest::Resources;
use stage1::failure::StartFailure;

use super::placement::{Hierarchy, Version};

/// Length of the accounting period of processor time, in microseconds: the kernel's default.
const CPU_PERIOD: u64 = 100_000;

/// Applies limits to the app's cgroup, which is `folder` in each hierarchy.
pub(super) fn apply(
    version: Version,
    hierarchies: &[(&Hierarchy, PathBuf)],
    app: &AppName,
    resources: &Resources,
) -> Result<(), StartFailure> {
    let failed = |error: String| StartFailure::other(format!("cannot limit app {app}: {error}"));
    let built = |error: oci_spec::OciSpecError| failed(error.to_string());
    let memory = memory(resources, hierarchies).map_err(built)?;
    let (cpu, pids) = (
        cpu(resources).map_err(built)?,
        pids(resources).map_err(built)?,
    );
    match version {
        Version::None => Err(failed("the host has no cgroups".into())),
        Version::V2 => {
            let mut all = empty();
            all.set_memory(memory).set_cpu(cpu).set_pids(pids);
            let (hierarchy, folder) = hierarchies
                .first()
                .ok_or_else(|| failed("no hierarchy".into()))?;
            let manager = v2::manager::Manager::new(
                hierarchy.mount_point.clone(),
                relative(hierarchy, folder),
            )
            .map_err(|e| failed(e.to_string()))?;
            manager
                .apply(&options(&all))
                .map_err(|e| failed(e.to_string()))
        }
        Version::V1 => {
            let mut one = empty();
            one.set_memory(memory);
            apply_v1(hierarchies, "memory", &one, resources.memory.is_some()).map_err(failed)?;
            let mut one = empty();
            one.set_cpu(cpu);
            let wanted = resources.cpu_millis.is_some() || resources.cpu_shares.is_some();
            apply_v1(hierarchies, "cpu", &one, wanted).map_err(failed)?;
            let mut one = empty();
            one.set_pids(pids);
            apply_v1(hierarchies, "pids", &one, resources.pids.is_some()).map_err(failed)
        }
    }
}

/// Each controller may be in a hierarchy of its own, with the pod at another place in each.
fn apply_v1(
    hierarchies: &[(&Hierarchy, PathBuf)],
    controller: &str,
    resources: &LinuxResources,
    wanted: bool,
) -> Result<(), String> {
    if !wanted {
        return Ok(());
    }
    let (hierarchy, folder) = hierarchies
        .iter()
        .find(|(h, _)| h.controllers.iter().any(|c| c == controller))
        .ok_or_else(|| format!("the host has no `{controller}` cgroup controller"))?;
    let manager =
        v1::manager::Manager::new(&relative(hierarchy, folder)).map_err(|e| e.to_string())?;
    manager
        .apply(&options(resources))
        .map_err(|e| e.to_string())
}

fn relative(hierarchy: &Hierarchy, folder: &Path) -> PathBuf {
    Path::new("/").join(
        folder
            .strip_prefix(&hierarchy.mount_point)
            .unwrap_or(folder),
    )
}

fn options(resources: &LinuxResources) -> ControllerOpt<'_> {
    ControllerOpt {
        resources,
        disable_oom_killer: false,
        oom_score_adj: None,
        freezer_state: None,
    }
}

/// The defaults of [`LinuxResources`] forbid all devices, which is not meant here.
fn empty() -> LinuxResources {
    let mut resources = LinuxResources::default();
    resources.set_devices(None);
    resources
}

fn memory(
    resources: &Resources,
    hierarchies: &[(&Hierarchy, PathBuf)],
) -> Result<Option<LinuxMemory>, oci_spec::OciSpecError> {
    let Some(bytes) = resources.memory else {
        return Ok(None);
    };
    let limit = i64::try_from(bytes).unwrap_or(i64::MAX);
    let accounts_swap = hierarchies.iter().any(|(_, folder)| {
        ["memory.memsw.limit_in_bytes", "memory.swap.max"]
            .iter()
            .any(|f| folder.join(f).exists())
    });
    let mut builder = LinuxMemoryBuilder::default().limit(limit);
    if accounts_swap {
        // Memory and swap together: a limit that could be swapped around would be none.
        builder = builder.swap(limit);
    }
    builder.build().map(Some)
}

fn cpu(resources: &Resources) -> Result<Option<LinuxCpu>, oci_spec::OciSpecError> {
    if resources.cpu_millis.is_none() && resources.cpu_shares.is_none() {
        return Ok(None);
    }
    let mut builder = LinuxCpuBuilder::default();
    if let Some(millis) = resources.cpu_millis {
        let quota = millis.saturating_mul(CPU_PERIOD / 1000);
        builder = builder
            .quota(i64::try_from(quota).unwrap_or(i64::MAX))
            .period(CPU_PERIOD);
    }
    if let Some(shares) = resources.cpu_shares {
        builder = builder.shares(shares);
    }
    builder.build().map(Some)
}

fn pids(resources: &Resources) -> Result<Option<LinuxPids>, oci_spec::OciSpecError> {
    let Some(limit) = resources.pids else {
        return Ok(None);
    };
    LinuxPidsBuilder::default()
        .limit(i64::from(limit))
        .build()
        .map(Some)
}
