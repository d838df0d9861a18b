//! Limits of an app or a pod: which files say so are written. Only those that have limits pay for them.

mod setting;
mod undo;
mod unified;
mod v1;
mod v2;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use libcgroups::common::{CgroupManager, ControllerOpt};
use libcgroups::v2::manager::Manager;
use oci_spec::runtime::{LinuxCpuBuilder, LinuxResources};
use pod::manifest::{Limit, Resources};
use rustix::io::Errno;

pub(super) use self::undo::Undo;

use self::setting::{Missing, Setting, pids};
use super::directory;
use super::error::CgroupError;
use super::placement::{Hierarchy, Version};

/// What carries a weight for processor time on version 2.
const V2_WEIGHT: &str = "cpu.weight";

/// Limits as files of one version of cgroups. Making them touches nothing.
#[derive(Debug)]
pub(super) struct Settings {
    version: Version,
    all: Vec<Setting>,
    /// A weight for processor time as OCI has it, for version 2 to convert.
    shares: Option<u64>,
}

impl Settings {
    /// What these limits come to.
    ///
    /// # Errors
    /// If this version of cgroups has no such limit.
    pub(super) fn new(version: Version, resources: &Resources) -> Result<Self, CgroupError> {
        let all = match version {
            _ if resources.is_unlimited() => Vec::new(),
            Version::None => return Err(CgroupError::NotMounted),
            Version::V1 => match resources.unified.keys().next() {
                Some(file) => return Err(CgroupError::NoUnified(file.clone())),
                None => v1::settings(resources),
            },
            Version::V2 => v2::settings(resources)?,
        };
        let shares = resources.cpu.shares;
        Ok(Self {
            version,
            all,
            shares: shares.filter(|_| version == Version::V2),
        })
    }

    /// The controllers that they need; of those that there may be nothing to limit by, the ones that are there.
    pub(super) fn controllers(&self, is_there: impl Fn(&str) -> bool) -> BTreeSet<&'static str> {
        let weight = self.shares.map(|_| "cpu");
        self.all
            .iter()
            .filter(|setting| setting.missing == Missing::Fails || is_there(setting.controller))
            .map(|setting| setting.controller)
            .chain(weight)
            .collect()
    }

    /// Writes them to a cgroup, whose directory in each hierarchy is given. What is not asked for stays as it is.
    ///
    /// # Errors
    /// If the host can't limit that, or the kernel refuses.
    pub(super) fn apply(&self, hierarchies: &[(&Hierarchy, PathBuf)]) -> Result<(), CgroupError> {
        let write_all = |settings: &[&Setting]| {
            let mut settings = settings.iter();
            settings.try_for_each(|setting| self.write(hierarchies, setting))
        };
        match write_all(&self.all.iter().collect::<Vec<_>>()) {
            // Version 1 refuses a limit of memory above the one of memory and swap: raised, that comes first.
            Err(CgroupError::Io { path, source, .. })
                if path.ends_with(v1::MEMORY)
                    && source.raw_os_error() == Some(Errno::INVAL.raw_os_error()) =>
            {
                let mut settings: Vec<&Setting> = self.all.iter().collect();
                settings.sort_by_key(|setting| !setting.is(v1::SWAP));
                write_all(&settings)?;
            }
            other => other?,
        }
        match (self.shares, hierarchies.first()) {
            (Some(shares), Some((hierarchy, folder))) => weigh(hierarchy, folder, shares),
            _ => Ok(()),
        }
    }

    /// How to undo what [`Self::apply`] is about to do.
    pub(super) fn undo(&self, hierarchies: &[(&Hierarchy, PathBuf)]) -> Undo {
        let mut undo = Undo::default();
        for setting in &self.all {
            if let Some(folder) = self.folder(hierarchies, setting) {
                for (file, value) in &setting.files {
                    undo.note(&folder.join(file), value);
                }
            }
        }
        if let (Some(_), Some((_, folder))) = (self.shares, hierarchies.first()) {
            undo.note(&folder.join(V2_WEIGHT), "");
        }
        undo
    }

    /// Where a setting is written.
    fn folder<'a>(
        &self,
        hierarchies: &'a [(&Hierarchy, PathBuf)],
        setting: &Setting,
    ) -> Option<&'a PathBuf> {
        let has = |hierarchy: &Hierarchy| {
            self.version == Version::V2 || hierarchy.has(setting.controller)
        };
        let mut places = hierarchies.iter();
        let place = places.find(|(hierarchy, _)| has(hierarchy));
        place.map(|(_, folder)| folder)
    }

    fn write(
        &self,
        hierarchies: &[(&Hierarchy, PathBuf)],
        setting: &Setting,
    ) -> Result<(), CgroupError> {
        let missing = || match setting.missing {
            Missing::Fails => Err(CgroupError::NoController(setting.controller)),
            Missing::NothingToLimit => Ok(()),
        };
        let Some(folder) = self.folder(hierarchies, setting) else {
            return missing();
        };
        for (file, value) in &setting.files {
            match directory::write(&folder.join(file), value) {
                Err(CgroupError::Io { path, source, .. })
                    if file.contains("weight")
                        && source.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error()) =>
                {
                    return Err(CgroupError::NoWeights(path));
                }
                Err(CgroupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                }
                other => return other,
            }
        }
        match folder.exists() {
            true => missing(),
            false => Err(CgroupError::Gone(folder.clone())),
        }
    }
}

/// A weight for processor time, converted by libcgroups.
fn weigh(hierarchy: &Hierarchy, folder: &Path, shares: u64) -> Result<(), CgroupError> {
    if !folder.exists() {
        return Err(CgroupError::Gone(folder.to_path_buf()));
    }
    if !folder.join(V2_WEIGHT).exists() {
        return Err(CgroupError::NoController("cpu"));
    }
    let refused = |source: String| CgroupError::Refused {
        path: folder.to_path_buf(),
        reason: source,
    };
    let mut all = LinuxResources::default();
    // The default forbids all devices, which is not meant here.
    all.set_devices(None);
    let cpu = LinuxCpuBuilder::default().shares(shares).build();
    all.set_cpu(Some(cpu.map_err(|error| refused(error.to_string()))?));
    let below = folder
        .strip_prefix(&hierarchy.mount_point)
        .unwrap_or(folder);
    let manager = Manager::new(hierarchy.mount_point.clone(), Path::new("/").join(below))
        .map_err(|error| refused(error.to_string()))?;
    let options = ControllerOpt {
        resources: &all,
        disable_oom_killer: false,
        oom_score_adj: None,
        freezer_state: None,
    };
    manager
        .apply(&options)
        .map_err(|error| refused(error.to_string()))
}

/// Writes how many processes an app may have at most, where the host can count them.
pub(super) fn bound_processes(
    version: Version,
    hierarchies: &[(&Hierarchy, PathBuf)],
    most: Limit,
) -> Result<(), CgroupError> {
    let counts = |hierarchy: &Hierarchy| match version {
        Version::None => false,
        Version::V1 => hierarchy.controllers.iter().any(|c| c == "pids"),
        Version::V2 => true,
    };
    let mut places = hierarchies.iter();
    let Some((_, folder)) = places.find(|(hierarchy, _)| counts(hierarchy)) else {
        return Ok(());
    };
    match directory::write(&folder.join("pids.max"), &pids(most)) {
        Err(CgroupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
