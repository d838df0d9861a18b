//! The other pods of a pod's built-in networks, and word of their coming and going.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

use super::attacher::Attacher;
use crate::builtin::Leases;
use crate::error::NetworkError;
use crate::id::ContainerId;
use crate::names::PeerChanges;
use crate::record::FileError;
use crate::status::NetworkStatus;
use crate::sys;

/// The pods that share a built-in network with one pod and have a name.
///
/// Word of changes comes by dnotify (`F_NOTIFY` of `fcntl(2)`), not by inotify: of that a user has 128 instances by
/// default, fewer than pods, and closing one waits for the kernel's grace periods, some 12 ms at the pod's end.
#[derive(Debug)]
pub struct Peers {
    own: ContainerId,
    networks: Vec<(Leases, File)>,
    known: BTreeSet<(IpAddr, String)>,
    /// Whether what was told last did not arrive.
    lost: bool,
}

impl Attacher {
    /// The others in a pod's networks; `None` if it is in no built-in one. Nothing is read yet.
    ///
    /// # Errors
    /// If the state of a network can't be opened.
    pub fn peers(
        &self,
        status: &NetworkStatus,
        own: &ContainerId,
    ) -> Result<Option<Peers>, NetworkError> {
        let mut networks = Vec::new();
        for network in &status.networks {
            let leases = Leases::of(&self.runtime.state, &network.name);
            let mut open = OpenOptions::new();
            open.read(true).custom_flags(libc::O_DIRECTORY);
            match open.open(leases.folder()) {
                Ok(folder) => networks.push((leases, folder)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                Err(error) => return Err(FileError::io("open", leases.folder())(error).into()),
            }
        }
        Ok((!networks.is_empty()).then(|| Peers {
            own: own.clone(),
            networks,
            known: BTreeSet::new(),
            lost: false,
        }))
    }
}

impl Attacher {
    /// Has others find a pod in its built-in networks by another name.
    ///
    /// # Errors
    /// If the state of a network can't be changed.
    pub fn rename(
        &self,
        status: &NetworkStatus,
        own: &ContainerId,
        name: &str,
    ) -> Result<(), NetworkError> {
        for network in &status.networks {
            Leases::of(&self.runtime.state, &network.name).rename(own, name)?;
        }
        Ok(())
    }
}

impl Peers {
    /// Asks the kernel for one SIGIO, at the next change from now on. The caller has blocked that signal.
    ///
    /// # Errors
    /// `EINVAL` from a kernel without dnotify.
    pub fn watch(&self) -> io::Result<()> {
        let mut folders = self.networks.iter();
        folders.try_for_each(|(_, folder)| sys::notify_once(folder.as_fd()))
    }

    /// What has changed since this was asked before; at first, all that there is.
    ///
    /// # Errors
    /// If a file can't be read.
    pub fn changes(&mut self) -> Result<PeerChanges, NetworkError> {
        let mut now = BTreeSet::new();
        for (leases, _) in &self.networks {
            let others = leases.list()?.into_iter();
            let others = others.filter(|peer| peer.container != self.own);
            now.extend(others.filter_map(|peer| Some((peer.address, peer.name?))));
        }
        let whole = std::mem::take(&mut self.lost);
        let changes = PeerChanges {
            whole,
            gone: self.known.difference(&now).cloned().collect(),
            came: match whole {
                true => now.iter().cloned().collect(),
                false => now.difference(&self.known).cloned().collect(),
            },
        };
        self.known = now;
        Ok(changes)
    }

    /// How many addresses were there when they were last read.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// What was told last did not arrive: next time all is told.
    pub fn lost(&mut self) {
        self.lost = true;
    }
}
