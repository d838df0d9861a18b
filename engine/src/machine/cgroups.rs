//! Which cgroups there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The hierarchies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroups {
    /// The version; `None` if none is mounted.
    pub version: Option<u8>,
    /// The controllers that can be used.
    pub controllers: BTreeSet<String>,
    /// Whether weights for disks count at one of them at least.
    pub weighs_disks: bool,
}

const ROOT: &str = "/sys/fs/cgroup";

impl Cgroups {
    pub(crate) fn read() -> Self {
        if let Ok(text) = fs::read_to_string(Path::new(ROOT).join("cgroup.controllers")) {
            return Self {
                version: Some(2),
                controllers: text.split_whitespace().map(str::to_owned).collect(),
                weighs_disks: has_cost_model() || is_bfq_used(),
            };
        }
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let controllers = version_1(&mounts);
        Self {
            version: (!controllers.is_empty()).then_some(1),
            controllers,
            weighs_disks: is_bfq_used(),
        }
    }
}

/// Whether a disk has the scheduler that knows weights.
fn is_bfq_used() -> bool {
    let disks = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let mut schedulers = disks.map(|disk| disk.path().join("queue/scheduler"));
    schedulers.any(|file| is_bfq_chosen(&fs::read_to_string(file).unwrap_or_default()))
}

/// Whether it is the one in brackets, which is used, of those that a disk could have.
fn is_bfq_chosen(schedulers: &str) -> bool {
    schedulers.split_whitespace().any(|word| word == "[bfq]")
}

/// Whether a disk has an I/O cost model that is enabled.
fn has_cost_model() -> bool {
    let text = fs::read_to_string(Path::new(ROOT).join("io.cost.qos")).unwrap_or_default();
    text.split_whitespace().any(|word| word == "enable=1")
}

/// The controllers of hierarchies of version 1 that are mounted.
fn version_1(mounts: &str) -> BTreeSet<String> {
    let fields = mounts.lines().map(|line| line.split(' '));
    let of_cgroups = fields.filter_map(|mut fields| {
        let kind = fields.nth(2)?;
        (kind == "cgroup").then(|| fields.next()).flatten()
    });
    let known = [
        "blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "pids",
    ];
    let words = of_cgroups.flat_map(|options| options.split(','));
    words
        .filter(|word| known.contains(word))
        .map(|word| word.replace("blkio", "io"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheduler_of_a_disk_is_the_one_in_brackets() {
        assert!(is_bfq_chosen("none mq-deadline kyber [bfq]\n"));
        assert!(!is_bfq_chosen("[none] mq-deadline kyber bfq\n") && !is_bfq_chosen(""));
    }

    #[test]
    fn controllers_of_version_1_are_those_that_are_mounted() {
        let mounts = "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,name=systemd 0 0\n\
            cgroup /sys/fs/cgroup/blkio cgroup rw,blkio 0 0\n\
            none /sys/fs/cgroup/unified cgroup2 rw,memory 0 0\n";
        let expected = ["cpu", "cpuacct", "io"].map(str::to_owned);
        assert_eq!(version_1(mounts), BTreeSet::from(expected));
        assert!(version_1("").is_empty());
    }
}
