//! What a host has left on the machine.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::directory::names_in;
use crate::process::{Process, kill, mounts_of, numbers_in};

/// Traces of a host's pods and commands. Shown one per line.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// Processes that are no zombies.
    pub processes: Vec<Process>,
    /// Mounts in the mount namespace of the tests: there must never be one, not even of a
    /// pod that runs.
    pub host_mounts: Vec<String>,
    /// Mounts in other mount namespaces that somebody still lives in.
    pub other_mounts: Vec<String>,
    /// cgroup directories of pods.
    pub cgroups: Vec<PathBuf>,
    /// Network namespaces that the host's processes live in, or that are mounted in its directories.
    pub network_namespaces: Vec<String>,
    /// Pods in any phase, as `phase/uuid`.
    pub pod_folders: Vec<String>,
    /// Pods' names.
    pub names: Vec<String>,
    /// Entries of the run directory's `pods`.
    pub run_folders: Vec<String>,
    /// Half-done entries of `images/tmp`.
    pub half_fetched: Vec<String>,
    /// Volumes that are not whole, or not gone.
    pub half_made_volumes: Vec<String>,
    /// Blocks of IDs that somebody has, by their first one.
    pub id_blocks: Vec<String>,
}

impl Leftovers {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.lines().is_empty()
    }

    /// Takes away what would disturb other tests: processes, mounts and cgroups.
    pub(crate) fn clear(&self) {
        for process in &self.processes {
            kill(process.pid, crate::Signal::KILL);
        }
        for line in &self.host_mounts {
            if let Some(target) = line.split(' ').nth(4) {
                let _ = std::process::Command::new("umount")
                    .args(["-l", target])
                    .status();
            }
        }
        for cgroup in &self.cgroups {
            remove_cgroup(cgroup);
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for process in &self.processes {
            lines.push(format!("process {}: {}", process.pid, process.command_line));
        }
        lines.extend(
            self.host_mounts
                .iter()
                .map(|line| format!("mount on the host: {line}")),
        );
        lines.extend(
            self.other_mounts
                .iter()
                .map(|line| format!("mount in {line}")),
        );
        lines.extend(
            self.cgroups
                .iter()
                .map(|path| format!("cgroup {}", path.display())),
        );
        lines.extend(
            self.network_namespaces
                .iter()
                .map(|name| format!("namespace {name}")),
        );
        lines.extend(
            self.pod_folders
                .iter()
                .map(|path| format!("pod folder {path}")),
        );
        lines.extend(
            self.run_folders
                .iter()
                .map(|path| format!("run folder {path}")),
        );
        lines.extend(
            self.half_fetched
                .iter()
                .map(|path| format!("half-fetched images/tmp/{path}")),
        );
        lines.extend(
            self.half_made_volumes
                .iter()
                .map(|path| format!("half-made volumes/{path}")),
        );
        lines.extend(
            self.id_blocks
                .iter()
                .map(|first| format!("block of IDs userns/{first}")),
        );
        lines
    }
}

impl fmt::Display for Leftovers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.lines() {
            writeln!(formatter, "  {line}")?;
        }
        Ok(())
    }
}

fn remove_cgroup(folder: &Path) {
    for name in names_in(folder) {
        let path = folder.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            remove_cgroup(&path);
        }
    }
    let _ = fs::remove_dir(folder);
}

/// Whether a network namespace (`net:[4026532000]`) is held by any process, by a descriptor of
/// one, or by a mount in the tests' mount namespace.
pub fn network_namespace_exists(namespace: &str) -> bool {
    if mounts_of("self").contains(namespace) {
        return true;
    }
    let Some(inode) = namespace
        .strip_prefix("net:[")
        .and_then(|rest| rest.strip_suffix(']'))
        .and_then(|digits| digits.parse::<u64>().ok())
    else {
        return false;
    };
    numbers_in(Path::new("/proc")).any(|pid| {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        fs::metadata(folder.join("ns/net")).is_ok_and(|metadata| metadata.ino() == inode)
            || names_in(&folder.join("fd")).iter().any(|name| {
                fs::read_link(folder.join("fd").join(name))
                    .is_ok_and(|target| target == Path::new(namespace))
            })
    })
}
