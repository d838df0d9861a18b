//! A pod's weight for processor time: that of all its apps together. An app's own weight counts only among the apps of its
//! pod; against other pods, the pod's counts.
//!
//! A pod of the least weight that there is also gives way at once to whatever else wants to run (`cpu.idle`, Linux 5.15).
//! Otherwise the scheduler would let it go on for a slice of time that is the same for all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::directory;
use super::error::CgroupError;
use super::placement::{Hierarchy, INIT_LEAF, Version};

/// Where weights are written, and which ones there are.
struct Scale {
    file: &'static str,
    least: u64,
    most: u64,
}

const V1: Scale = Scale {
    file: "cpu.shares",
    least: 2,
    most: 1 << 18,
};
const V2: Scale = Scale {
    file: "cpu.weight",
    least: 1,
    most: 10_000,
};

/// Gives a pod, whose directory in each hierarchy is given, the weight of all its apps.
pub(super) fn add_up<'a>(
    version: Version,
    mut hierarchies: impl Iterator<Item = (&'a Hierarchy, &'a PathBuf)>,
) -> Result<(), CgroupError> {
    let scale = match version {
        Version::None => return Ok(()),
        Version::V1 => V1,
        Version::V2 => V2,
    };
    let weighs = |hierarchy: &Hierarchy| {
        version == Version::V2 || hierarchy.controllers.iter().any(|one| one == "cpu")
    };
    let Some((_, pod)) = hierarchies.find(|(hierarchy, _)| weighs(hierarchy)) else {
        return Ok(());
    };
    let apps = weights(pod, scale.file)?;
    if apps.is_empty() {
        return Ok(());
    }
    let weight = scale.sum(&apps);
    // One that gives way takes no other weight.
    give_way(pod, false)?;
    directory::write(&pod.join(scale.file), &weight.to_string())?;
    match weight == scale.least {
        true => give_way(pod, true),
        false => Ok(()),
    }
}

/// Whether a pod gives way to all that don't. Older kernels don't know that.
fn give_way(pod: &Path, does: bool) -> Result<(), CgroupError> {
    match directory::write(&pod.join("cpu.idle"), if does { "1" } else { "0" }) {
        Err(CgroupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

impl Scale {
    fn sum(&self, apps: &[u64]) -> u64 {
        let sum = apps
            .iter()
            .fold(0, |sum: u64, app| sum.saturating_add(*app));
        sum.clamp(self.least, self.most)
    }
}

/// The weights of a pod's apps.
fn weights(pod: &Path, file: &str) -> Result<Vec<u64>, CgroupError> {
    let entries = fs::read_dir(pod).map_err(CgroupError::io("read", pod))?;
    let mut weights = Vec::new();
    for entry in entries {
        let entry = entry.map_err(CgroupError::io("read", pod))?;
        let is_app = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_app && entry.file_name() != INIT_LEAF {
            // One that leaves meanwhile weighs nothing.
            let text = directory::read(&entry.path().join(file));
            weights.extend(text.ok().and_then(|text| text.trim().parse::<u64>().ok()));
        }
    }
    Ok(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_weighs_what_the_kernel_takes() {
        for (scale, apps, sum) in [
            (&V1, &[512][..], 512),
            (&V1, &[2, 1024], 1026),
            (&V1, &[1], 2),
            (&V1, &[1 << 18, u64::MAX], 1 << 18),
            (&V2, &[1], 1),
            (&V2, &[9_000, 9_000], 10_000),
        ] {
            assert_eq!(scale.sum(apps), sum, "{apps:?}");
        }
    }
}
