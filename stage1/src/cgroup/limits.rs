//! Limits of an app, by way of libcgroups. Only apps that have limits pay for them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use libcgroups::common::{CgroupManager, ControllerOpt, write_cgroup_file};
use libcgroups::v2;
use oci_spec::runtime::{
    LinuxCpu, LinuxCpuBuilder, LinuxMemory, LinuxMemoryBuilder, LinuxPids, LinuxPidsBuilder,
    LinuxResources,
};
use pod::AppName;
use pod::manifest::{Limit, Resources};
use crate::failure::StartFailure;

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
    match version {
        Version::None => Err(failed("the host has no cgroups".into())),
        Version::V2 => {
            let (hierarchy, folder) = hierarchies
                .first()
                .ok_or_else(|| failed("no hierarchy".into()))?;
            let all = v2_resources(resources, folder).map_err(|e| failed(e.to_string()))?;
            let manager = v2::manager::Manager::new(
                hierarchy.mount_point.clone(),
                relative(hierarchy, folder),
            )
            .map_err(|e| failed(e.to_string()))?;
            manager
                .apply(&options(&all))
                .map_err(|e| failed(e.to_string()))
        }
        Version::V1 => v1_files(resources)
            .into_iter()
            .try_for_each(|(controller, file, value)| {
                let (_, folder) = hierarchies
                    .iter()
                    .find(|(h, _)| h.controllers.iter().any(|c| c == controller))
                    .ok_or_else(|| {
                        failed(format!("the host has no cgroup controller `{controller}`"))
                    })?;
                let path = folder.join(file);
                if file == SWAP_FILE && !path.exists() {
                    // The kernel doesn't account for swap.
                    return Ok(());
                }
                write_cgroup_file(&path, value).map_err(|e| failed(e.to_string()))
            }),
    }
}

const SWAP_FILE: &str = "memory.memsw.limit_in_bytes";
const V2_SWAP_FILE: &str = "memory.swap.max";

/// Controller, file and value of each limit on version 1, in the order in which they have to be written.
///
/// The manager of libcgroups is no use here: it takes a pod to be at the same place in every hierarchy, and
/// writes device rules whatever it is asked for.
fn v1_files(resources: &Resources) -> Vec<(&'static str, &'static str, u64)> {
    let mut files = Vec::new();
    if let Some(bytes) = resources.memory.limit.and_then(Limit::value) {
        files.push(("memory", "memory.limit_in_bytes", bytes));
        // Memory and swap together: a limit that could be swapped around would be none.
        files.push(("memory", SWAP_FILE, bytes));
    }
    if let Some((quota, period)) = quota(resources) {
        files.push(("cpu", "cpu.cfs_period_us", period));
        files.push(("cpu", "cpu.cfs_quota_us", quota));
    }
    files.extend(
        resources
            .cpu
            .shares
            .map(|shares| ("cpu", "cpu.shares", shares)),
    );
    let pids = resources.pids.limit.and_then(Limit::value);
    files.extend(pids.map(|pids| ("pids", "pids.max", pids)));
    files
}

/// Processor time and the period that it is of, in microseconds.
fn quota(resources: &Resources) -> Option<(u64, u64)> {
    let quota = resources.cpu.quota.and_then(Limit::value)?;
    Some((quota, resources.cpu.period.unwrap_or(CPU_PERIOD)))
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

fn v2_resources(
    resources: &Resources,
    folder: &Path,
) -> Result<LinuxResources, oci_spec::OciSpecError> {
    let mut all = LinuxResources::default();
    // The defaults forbid all devices, which is not meant here.
    all.set_devices(None);
    all.set_memory(memory(resources)?)
        .set_cpu(cpu(resources)?)
        .set_pids(pids(resources)?);
    if resources.memory.limit.is_some() && folder.join(V2_SWAP_FILE).exists() {
        // Memory that could be swapped around its limit would have none. Not by the memory
        // resource: libcgroups takes its 0 for nothing asked.
        let none = (V2_SWAP_FILE.to_owned(), "0".to_owned());
        all.set_unified(Some(HashMap::from([none])));
    }
    Ok(all)
}

fn memory(resources: &Resources) -> Result<Option<LinuxMemory>, oci_spec::OciSpecError> {
    let Some(limit) = resources.memory.limit else {
        return Ok(None);
    };
    LinuxMemoryBuilder::default()
        .limit(i64::from(limit))
        .build()
        .map(Some)
}

fn cpu(resources: &Resources) -> Result<Option<LinuxCpu>, oci_spec::OciSpecError> {
    let quota = quota(resources);
    if quota.is_none() && resources.cpu.shares.is_none() {
        return Ok(None);
    }
    let mut builder = LinuxCpuBuilder::default();
    if let Some((quota, period)) = quota {
        builder = builder
            .quota(i64::try_from(quota).unwrap_or(i64::MAX))
            .period(period);
    }
    if let Some(shares) = resources.cpu.shares {
        builder = builder.shares(shares);
    }
    builder.build().map(Some)
}

fn pids(resources: &Resources) -> Result<Option<LinuxPids>, oci_spec::OciSpecError> {
    let Some(limit) = resources.pids.limit else {
        return Ok(None);
    };
    LinuxPidsBuilder::default()
        .limit(i64::from(limit))
        .build()
        .map(Some)
}
