//! Other pods come and go while this one runs: when to look, and what to tell pod init.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use cni_glue::attach::Peers;
use cni_glue::names::PeerChanges;

/// How long nobody looks again, at least.
const PAUSE: Duration = Duration::from_millis(100);
/// And how much longer for each address that is looked at: among many pods that start at once each would
/// otherwise look at all, again and again.
const PAUSE_FOR_EACH: Duration = Duration::from_millis(2);

/// The pods that this one finds by name.
#[derive(Debug)]
pub(super) struct PeerNames {
    peers: Peers,
    /// When to look, if something has changed.
    due: Option<Instant>,
    /// Until then nobody looks.
    rests_until: Option<Instant>,
    /// Pod init is at it: one that is held up is not told more and more.
    is_telling: bool,
    warned: bool,
    /// What is to be said about that.
    warning: Option<String>,
}

impl PeerNames {
    pub(super) fn new(peers: Peers) -> Self {
        Self {
            peers,
            due: None,
            rests_until: None,
            is_telling: false,
            warned: false,
            warning: None,
        }
    }

    /// The kernel said that something has changed.
    pub(super) fn changed(&mut self, now: Instant) {
        self.due = Some(self.rests_until.unwrap_or(now));
    }

    /// What there is at the pod's start.
    pub(super) fn begin(&mut self) -> Vec<(IpAddr, String)> {
        self.look().map_or_else(Vec::new, |changes| changes.came)
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| !self.is_telling)
    }

    /// What to tell pod init, if it is time and something has changed.
    pub(super) fn take(&mut self, now: Instant) -> Option<PeerChanges> {
        self.due().filter(|due| *due <= now)?;
        self.due = None;
        let changes = self.look()?;
        let addresses = u32::try_from(self.peers.count()).unwrap_or(u32::MAX);
        let pause = PAUSE.max(PAUSE_FOR_EACH.saturating_mul(addresses));
        self.rests_until = now.checked_add(pause);
        self.is_telling = !changes.is_empty();
        self.is_telling.then_some(changes)
    }

    fn look(&mut self) -> Option<PeerChanges> {
        // First asked, then looked, so that nothing is missed in between.
        if let Err(error) = self.peers.watch() {
            self.warn(&error.to_string());
        }
        match self.peers.changes() {
            Ok(changes) => Some(changes),
            Err(error) => {
                self.warn(&error.to_string());
                None
            }
        }
    }

    /// Pod init has done what it was told, or could not.
    pub(super) fn told(&mut self, failure: Option<&str>) {
        self.is_telling = false;
        if let Some(reason) = failure {
            self.peers.lost();
            self.warn(reason);
        }
    }

    /// Once: the pod runs on, and what is wrong once may be wrong at each change.
    fn warn(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.warned, true) {
            self.warning = Some(format!(
                "the pod's /etc/hosts does not follow other pods as they start and end: {reason}"
            ));
        }
    }

    /// What the user should be told.
    pub(super) fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cni_glue::attach::Attacher;
    use cni_glue::runtime::{PluginFolders, Runtime};
    use serde_json::json;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};

    /// A pod in a network whose leases are in the directory.
    fn names(state: &Path) -> (PeerNames, PathBuf) {
        let leases = state.join("networks/n/leases");
        std::fs::create_dir_all(&leases).unwrap();
        symlink("own/eth0/web", leases.join("10.0.0.2")).unwrap();
        let attacher = Attacher {
            folders: Vec::new(),
            runtime: Runtime::new(
                PluginFolders(Vec::new()),
                state.to_path_buf(),
                Duration::ZERO,
                Duration::ZERO,
            ),
        };
        let status = json!({"version": 1, "networks": [{"name": "n", "interface": "eth0"}]});
        let status = serde_json::from_value(status).unwrap();
        let peers = attacher.peers(&status, &"own".parse().unwrap()).unwrap();
        (PeerNames::new(peers.unwrap()), leases)
    }

    #[test]
    fn the_first_change_is_told_at_once_and_those_of_a_burst_together() {
        let state = tempfile::tempdir().unwrap();
        let (mut names, leases) = names(state.path());
        crate::sys::ignore_signal(libc::SIGIO);
        assert!(names.begin().is_empty());
        let start = Instant::now();
        assert_eq!(names.take(start), None);

        symlink("other/eth0/api", leases.join("10.0.0.3")).unwrap();
        names.changed(start);
        let told = names.take(start).unwrap();
        assert_eq!(told.came, [("10.0.0.3".parse().unwrap(), "api".into())]);

        symlink("third/eth0/db", leases.join("10.0.0.4")).unwrap();
        symlink("fourth/eth0", leases.join("10.0.0.5")).unwrap();
        std::fs::remove_file(leases.join("10.0.0.3")).unwrap();
        names.changed(start);
        // Not while pod init is at it, nor before it has rested.
        assert_eq!(names.due(), None);
        assert_eq!(names.take(start + PAUSE * 5), None);
        names.told(None);
        let due = names.due().unwrap();
        assert!(due > start && due < start + PAUSE * 2);
        let told = names.take(due).unwrap();
        assert_eq!((told.gone.len(), told.came.len()), (1, 1));

        // What didn't arrive is told again, in full.
        names.told(Some("it is too large"));
        names.changed(due + PAUSE);
        let told = names.take(due + PAUSE * 2).unwrap();
        assert!(told.whole && told.came.len() == 1, "{told:?}");
    }
}
