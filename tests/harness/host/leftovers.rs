//! What of a host is on the machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::Host;
use crate::directory::names_in;
use crate::leftovers::Leftovers;
use crate::process::{Process, mounts_of, numbers_in};

impl Host {
    /// What of this host exists on the machine, now: nothing, after all pods have ended and
    /// `fairing gc --grace-period=0s`. Images do not count, half-fetched ones do.
    pub fn leftovers(&self) -> Leftovers {
        let mine = self.base().display().to_string();
        // The tmpfs under the data directory, if there is one, is the test's own.
        let own_mount = format!(" {} ", self.data_dir().display());
        let uuids = self.pod_uuids();
        let is_mine = |line: &&str| {
            line.contains(&mine) || uuids.iter().any(|uuid| line.contains(uuid.as_str()))
        };
        let here = Process::read(std::process::id())
            .expect("this process")
            .namespaces;
        let host_mounts: Vec<String> = mounts_of("self")
            .lines()
            .filter(is_mine)
            .filter(|line| !line.contains(&own_mount))
            .map(str::to_owned)
            .collect();

        let mut namespaces = BTreeMap::new();
        for pid in numbers_in(Path::new("/proc")) {
            let Ok(namespace) = fs::read_link(format!("/proc/{pid}/ns/mnt")) else {
                continue;
            };
            let namespace = namespace.display().to_string();
            if here.get("mnt") != Some(&namespace) {
                namespaces.entry(namespace).or_insert(pid);
            }
        }
        let mut other_mounts = Vec::new();
        for (namespace, pid) in namespaces {
            for line in mounts_of(&pid.to_string()).lines().filter(is_mine) {
                // A namespace that was unshared while the test's tmpfs was mounted has it too.
                if !line.contains(&own_mount) {
                    other_mounts.push(format!("{namespace} (process {pid}): {line}"));
                }
            }
        }

        let processes = self.processes();
        let mut network_namespaces: Vec<String> = processes
            .iter()
            .filter_map(|process| process.namespaces.get("net"))
            .filter(|namespace| here.get("net") != Some(*namespace))
            .cloned()
            .collect();
        network_namespaces.sort();
        network_namespaces.dedup();

        Leftovers {
            processes,
            host_mounts,
            other_mounts,
            cgroups: self.cgroups(),
            network_namespaces,
            pod_folders: self
                .pod_folders()
                .into_iter()
                .map(|(phase, name)| format!("{phase}/{name}"))
                .collect(),
            names: names_in(&self.data_dir().join("pods/names")),
            run_folders: names_in(&self.run_dir().join("pods")),
            half_fetched: names_in(&self.data_dir().join("images/tmp")),
            half_made_volumes: half_made(&self.data_dir().join("volumes")),
            id_blocks: names_in(&self.data_dir().join("userns")),
        }
    }
}

/// What is on its way to be a volume, or to be none; and what one is being filled with.
fn half_made(volumes: &Path) -> Vec<String> {
    let mut names = names_in(volumes);
    names.retain(|name| name.starts_with('.') || volumes.join(name).join("data.new").exists());
    names
}
