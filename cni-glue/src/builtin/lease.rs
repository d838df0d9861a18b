//! Which pod has which address: a directory of links, each named after the address and pointing to the pod.
//!
//! Making a link fails if it is there, which is all the locking that this needs. Where the search for a free address
//! begins depends on the pod alone, so an address isn't used again soon, and a pod that comes back gets the same one.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::id::{ContainerId, InterfaceName, NetworkName};
use crate::record::{self, FileError};
use crate::subnet::IpNet;

/// A pod's interface in a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Peer {
    /// The pod.
    pub container: ContainerId,
    /// Its interface.
    pub interface: InterfaceName,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its address.
    pub address: IpAddr,
}

/// The addresses of one network that are in use.
#[derive(Debug)]
pub(crate) struct Leases {
    folder: PathBuf,
}

/// What came of asking for an address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LeaseOutcome {
    /// It is the pod's.
    Given,
    /// It is another's.
    Taken(ContainerId),
}

impl Leases {
    pub(crate) fn of(state: &Path, network: &NetworkName) -> Self {
        Self {
            folder: state.join("networks").join(network.as_str()).join("leases"),
        }
    }

    /// The directory, for whoever wants to be told of changes.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes one address for a pod.
    pub(crate) fn take(
        &self,
        address: IpAddr,
        (container, interface, name): (&ContainerId, &InterfaceName, Option<&str>),
    ) -> Result<LeaseOutcome, FileError> {
        let path = self.folder.join(address.to_string());
        let mut target = format!("{container}/{interface}");
        if let Some(name) = name {
            target.push('/');
            target.push_str(name);
        }
        loop {
            match record::make_way(&path, |path| symlink(&target, path)) {
                Ok(()) => return Ok(LeaseOutcome::Given),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
                Err(error) => return Err(FileError::io("create", &path)(error)),
            }
            match fs::read_link(&path) {
                Ok(found) if found.as_os_str() == target.as_str() => {
                    return Ok(LeaseOutcome::Given);
                }
                Ok(found) => {
                    return match parse_target(&found, address) {
                        Some(peer) => Ok(LeaseOutcome::Taken(peer.container)),
                        None => Err(FileError::damaged(&path, "it points to no pod")),
                    };
                }
                // Given back just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => (),
                Err(error) => return Err(FileError::io("read", &path)(error)),
            }
        }
    }

    /// Takes some free address of `subnet` for a pod. The network's own, its first host's (the gateway's) and its
    /// last are nobody's. `None` if all are taken.
    pub(crate) fn take_any(
        &self,
        subnet: &IpNet,
        peer: (&ContainerId, &InterfaceName, Option<&str>),
    ) -> Result<Option<IpAddr>, FileError> {
        const NOT_FOR_PODS: u128 = 3;
        /// In a network that is larger, nobody wants to wait until all are tried.
        const TRIES: u128 = 1 << 16;
        let pods = subnet.size().saturating_sub(NOT_FOR_PODS);
        if pods == 0 {
            return Ok(None);
        }
        let start = u128::from(hash(&[peer.0.as_str(), peer.1.as_str()])) % pods;
        for n in 0..pods.min(TRIES) {
            let Some(address) = subnet.nth((start + n) % pods + 2) else {
                continue;
            };
            if self.take(address, peer)? == LeaseOutcome::Given {
                return Ok(Some(address));
            }
        }
        Ok(None)
    }

    pub(crate) fn list(&self) -> Result<Vec<Peer>, FileError> {
        let mut peers = Vec::new();
        for name in record::names(&self.folder)? {
            let target = fs::read_link(self.folder.join(&name));
            if let (Ok(target), Ok(address)) = (target, name.parse()) {
                peers.extend(parse_target(&target, address));
            }
        }
        Ok(peers)
    }

    /// Gives a pod's addresses another name. Each has one or the other at every moment.
    pub(crate) fn rename(&self, container: &ContainerId, name: &str) -> Result<(), FileError> {
        for peer in self.list()? {
            if peer.container != *container {
                continue;
            }
            let path = self.folder.join(peer.address.to_string());
            // No address, so that nobody takes it for one.
            let staged = self.folder.join(format!(".{}", peer.address));
            record::remove(&staged)?;
            let target = format!("{container}/{}/{name}", peer.interface);
            symlink(target, &staged).map_err(FileError::io("create", &staged))?;
            fs::rename(&staged, &path).map_err(FileError::io("rename", &staged))?;
        }
        Ok(())
    }

    /// Gives addresses back.
    pub(crate) fn release(&self, addresses: &[IpAddr]) -> Result<(), FileError> {
        for address in addresses {
            record::remove(&self.folder.join(address.to_string()))?;
        }
        Ok(())
    }

    /// Gives back the addresses of which `gone` is true. Which those were.
    pub(crate) fn release_where(
        &self,
        gone: impl Fn(&Peer) -> bool,
    ) -> Result<Vec<IpAddr>, FileError> {
        let addresses: Vec<_> = self
            .list()?
            .into_iter()
            .filter(gone)
            .map(|peer| peer.address)
            .collect();
        self.release(&addresses)?;
        Ok(addresses)
    }
}

fn parse_target(target: &Path, address: IpAddr) -> Option<Peer> {
    let mut parts = target.to_str()?.splitn(3, '/');
    Some(Peer {
        container: parts.next()?.parse().ok()?,
        interface: parts.next()?.parse().ok()?,
        name: parts.next().map(Into::into),
        address,
    })
}

/// Forty bits that spread well (FNV-1a); which ones, is no secret.
pub(crate) fn hash(parts: &[&str]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    let hash = bytes.fold(BASIS, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    (hash ^ (hash >> 40)) & 0xff_ffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn leases(folder: &tempfile::TempDir) -> Leases {
        Leases::of(folder.path(), &"n".parse().unwrap())
    }

    fn pod(n: usize) -> ContainerId {
        format!("pod-{n}").parse().unwrap()
    }

    #[test]
    fn two_hundred_at_once_get_two_hundred_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let subnet: IpNet = "10.9.8.0/24".parse().unwrap();
        let eth0 = InterfaceName::eth(0);
        let taken: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..200)
                .map(|n| {
                    let (leases, eth0) = (leases(&folder), &eth0);
                    scope.spawn(move || {
                        leases
                            .take_any(&subnet, (&pod(n), eth0, None))
                            .unwrap()
                            .unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let distinct: BTreeSet<_> = taken.iter().collect();
        assert_eq!(distinct.len(), 200);
        assert!(
            taken.iter().all(
                |ip| !["10.9.8.0", "10.9.8.1", "10.9.8.255"].contains(&ip.to_string().as_str())
            )
        );
        assert_eq!(leases(&folder).list().unwrap().len(), 200);
    }

    #[test]
    fn a_full_network_says_so_and_addresses_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let subnet: IpNet = "10.9.8.0/29".parse().unwrap();
        let (leases, eth0) = (leases(&folder), InterfaceName::eth(0));
        let mut taken = Vec::new();
        for n in 0..5 {
            taken.push(
                leases
                    .take_any(&subnet, (&pod(n), &eth0, Some("web")))
                    .unwrap()
                    .unwrap(),
            );
        }
        assert_eq!(
            leases.take_any(&subnet, (&pod(9), &eth0, None)).unwrap(),
            None
        );
        assert_eq!(
            leases.take(taken[2], (&pod(9), &eth0, None)).unwrap(),
            LeaseOutcome::Taken(pod(2))
        );
        assert_eq!(
            leases
                .take(taken[2], (&pod(2), &eth0, Some("web")))
                .unwrap(),
            LeaseOutcome::Given
        );
        let peer = leases
            .list()
            .unwrap()
            .into_iter()
            .find(|p| p.container == pod(2))
            .unwrap();
        assert_eq!(
            (peer.name.as_deref(), peer.address),
            (Some("web"), taken[2])
        );
        let released = leases
            .release_where(|peer| peer.container == pod(2))
            .unwrap();
        assert_eq!(released, [taken[2]]);
        assert_eq!(
            leases.take_any(&subnet, (&pod(9), &eth0, None)).unwrap(),
            Some(taken[2])
        );
    }
}
