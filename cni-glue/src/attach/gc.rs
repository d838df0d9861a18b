//! Clearing of what pods left that were killed together with their monitor.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::attacher::{Attacher, IsLive};
use crate::builtin::{self, BuiltinConfig};
use crate::error::NetworkError;
use crate::id::{ContainerId, NetworkName};
use crate::record;
use crate::runtime::AfterFailure;

/// How the names of files end whose writers have not finished them.
pub(super) const UNFINISHED: &str = ".part";

/// What was cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GcReport {
    /// Pods' places in networks.
    pub attachments: usize,
    /// Addresses of built-in networks, as far as no such place was remembered.
    pub addresses: usize,
    /// Links of the host.
    pub links: usize,
    /// Rules for ports.
    pub rules: usize,
    /// Ports that were kept.
    pub ports: usize,
    /// Mounted namespaces and unfinished files.
    pub files: usize,
}

impl Attacher {
    /// Clears what belongs to pods that are not `live`, and built-in networks that nobody is in. Pods may start
    /// and end meanwhile: a pod counts as live from when it asks for a network.
    ///
    /// # Errors
    /// Those that came up; what could be cleared is.
    pub fn gc(&self, live: IsLive<'_>, after: AfterFailure) -> (GcReport, Vec<NetworkError>) {
        let live: IsLive<'_> = &|container| live(container) || self.is_foreign(container);
        let mut report = GcReport::default();
        let mut errors = Vec::new();
        let mut seen: BTreeSet<NetworkName> = BTreeSet::new();
        // With a configuration that can't be read, what is remembered will do.
        let (lists, unreadable) = self.lists();
        errors.extend(unreadable);
        for list in &lists {
            seen.insert(list.name.clone());
            let before = self.dead_addresses(&list.name, live);
            let (attachments, failed) = self.runtime.gc(list, live, after);
            report.attachments += attachments;
            if failed.is_empty() {
                report.addresses += before;
            }
            errors.extend(failed);
        }
        match self.runtime.cache().damaged() {
            Ok(damaged) => {
                // That of a pod that lives is seen to at its end.
                let dead = damaged.into_iter();
                for one in dead.filter(|damaged| !mentions_live(&damaged.name, live)) {
                    match self.leave_damaged(one, &lists) {
                        Ok(()) => report.attachments += 1,
                        Err(error) => errors.push(error),
                    }
                }
            }
            Err(error) => errors.push(error.into()),
        }
        let unconfigured = self.gc_unconfigured(&seen, live, after, &mut report, &mut errors);
        errors.extend(unconfigured.err());
        match self.reservations().release_dead(live) {
            Ok(ports) => report.ports += ports,
            Err(error) => errors.push(error.into()),
        }
        match self.gc_files(live) {
            Ok(files) => report.files += files,
            Err(error) => errors.push(error),
        }
        match builtin::sweep(&self.runtime.state, live) {
            Ok((links, rules)) => {
                report.links += links;
                report.rules += rules;
            }
            Err(error) => errors.push(error),
        }
        (report, errors)
    }

    fn dead_addresses(&self, network: &NetworkName, live: IsLive<'_>) -> usize {
        let leases = builtin::Leases::of(&self.runtime.state, network).list();
        leases.map_or(0, |leases| {
            leases.iter().filter(|peer| !live(&peer.container)).count()
        })
    }

    /// Networks that were configured once, when pods joined them.
    fn gc_unconfigured(
        &self,
        configured: &BTreeSet<NetworkName>,
        live: IsLive<'_>,
        after: AfterFailure,
        report: &mut GcReport,
        errors: &mut Vec<NetworkError>,
    ) -> Result<(), NetworkError> {
        for cached in self.runtime.cache().all()? {
            if configured.contains(&cached.network_name) || live(&cached.container_id) {
                continue;
            }
            let path = self.mount(&cached.container_id).path_if_there();
            let path = path.as_deref().unwrap_or_default();
            match self.runtime.del_of_dead(&cached, path) {
                Ok(()) => report.attachments += 1,
                Err(error) => {
                    errors.extend(self.runtime.forget_if(after, &cached).err());
                    errors.push(error.of_dead(&cached.container_id));
                }
            }
        }
        for (name, config) in builtin::made(&self.runtime.state)? {
            if !configured.contains(&name) {
                let before = self.dead_addresses(&name, live);
                match self.gc_made(&name, &config, live) {
                    Ok(()) => report.addresses += before,
                    Err(error) => errors.push(error),
                }
            }
        }
        Ok(())
    }

    fn gc_made(
        &self,
        name: &NetworkName,
        config: &BuiltinConfig,
        live: IsLive<'_>,
    ) -> Result<(), NetworkError> {
        let state = &self.runtime.state;
        let path = crate::runtime::Runtime::lock_path(state, name);
        let _lock = record::Lock::exclusive(&path)?;
        let valid: Vec<_> = builtin::Leases::of(state, name)
            .list()?
            .into_iter()
            .filter(|peer| live(&peer.container))
            .map(|peer| (peer.container, peer.interface))
            .collect();
        builtin::Builtin {
            state,
            name,
            config,
        }
        .gc(&valid)
    }

    /// Mounted namespaces of dead pods, and files that were being written when their writer died.
    fn gc_files(&self, live: IsLive<'_>) -> Result<usize, NetworkError> {
        let state = &self.runtime.state;
        let remembered: BTreeSet<ContainerId> = self
            .runtime
            .cache()
            .all()?
            .into_iter()
            .map(|cached| cached.container_id)
            .collect();
        let mut removed = 0;
        let at_work = crate::runtime::at_work(state);
        for name in record::names(&at_work)? {
            let container = name.parse::<ContainerId>();
            if container.is_ok_and(|one| !live(&one) && !remembered.contains(&one)) {
                removed += usize::from(record::remove(&at_work.join(name))?);
            }
        }
        for name in record::names(&super::namespace_mount::folder(state))? {
            let Ok(container) = name.parse::<ContainerId>() else {
                continue;
            };
            // Whose plugins failed needs it for the next try.
            if !live(&container) && !remembered.contains(&container) {
                self.mount(&container).remove()?;
                removed += 1;
            }
        }
        let results = state.join("results");
        for name in record::names(&results)? {
            if name.ends_with(UNFINISHED) && !mentions_live(&name, live) {
                removed += usize::from(record::remove(&results.join(name))?);
            }
        }
        Ok(removed)
    }
}

/// Whether a file's name, `NETWORK-POD-INTERFACE`, could be that of a live pod. Each of the three may have dashes.
fn mentions_live(name: &str, live: IsLive<'_>) -> bool {
    let dashes: Vec<_> = name.match_indices('-').map(|(at, _)| at).collect();
    dashes.iter().enumerate().any(|(n, from)| {
        dashes.iter().skip(n + 1).any(|to| {
            name.get(from + 1..*to)
                .and_then(|part| part.parse().ok())
                .is_some_and(|container| live(&container))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_files_are_told_apart_by_their_pod() {
        let pod: ContainerId = "b-c".parse().unwrap();
        let live = |container: &ContainerId| *container == pod;
        assert!(mentions_live("net-b-c-eth0.new.part", &live));
        assert!(!mentions_live("net-b-d-eth0.new.part", &live));
        assert!(!mentions_live("b-c.part", &live));
    }
}
