//! Which pod has which port of the host: a directory of links, each named after the ports and pointing to the pod.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::error::PortError;
use super::mapping::{MOST_PORTS, PortMapping};
use super::owner::PortOwner;
use crate::id::ContainerId;
use crate::record::{self, FileError, Lock};

/// The ports that pods have.
#[derive(Debug, Clone)]
pub(crate) struct Reservations {
    folder: PathBuf,
}

/// `PROTOCOL,FIRST,COUNT,ADDRESS`: what a link is called.
fn link_name(mapping: &PortMapping) -> String {
    let address = mapping.host_ip.map_or("any".into(), |ip| ip.to_string());
    format!(
        "{},{},{},{address}",
        mapping.protocol, mapping.host_port, mapping.count
    )
}

/// The host's side of a mapping; the pod's is not kept.
fn parse_link_name(name: &str) -> Option<PortMapping> {
    let mut parts = name.split(',');
    Some(PortMapping {
        protocol: parts.next()?.parse().ok()?,
        host_port: parts.next()?.parse().ok()?,
        count: parts.next()?.parse().ok()?,
        host_ip: match parts.next()? {
            "any" => None,
            address => Some(address.parse().ok()?),
        },
        container_port: 0,
    })
}

/// Looks whether one pod can have all of these ports.
///
/// # Errors
/// [`PortError::Twice`] if two of them meet, [`PortError::TooMany`].
pub fn check(mappings: &[PortMapping]) -> Result<(), PortError> {
    let count = mappings.iter().map(|m| usize::from(m.count)).sum();
    if count > MOST_PORTS {
        return Err(PortError::TooMany(count));
    }
    for (n, one) in mappings.iter().enumerate() {
        if mappings.iter().skip(n + 1).any(|other| one.overlaps(other)) {
            return Err(PortError::Twice(one.host_side()));
        }
    }
    Ok(())
}

impl Reservations {
    /// Those kept in `folder`, which need not exist.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
        }
    }

    fn lock(&self) -> Result<Lock, FileError> {
        Lock::exclusive(&self.folder.with_extension("lock"))
    }

    /// All of them, with their pods.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub(crate) fn list(&self) -> Result<Vec<(PortMapping, PortOwner)>, FileError> {
        let mut found = Vec::new();
        for name in record::names(&self.folder)? {
            // A link that goes away meanwhile is no reservation any more.
            let holder = fs::read_link(self.folder.join(&name)).ok();
            let holder = holder.and_then(|target| target.to_str()?.parse().ok());
            found.extend(parse_link_name(&name).zip(holder));
        }
        Ok(found)
    }

    /// Reserves all of `mappings` for one pod, or none.
    ///
    /// # Errors
    /// [`PortError::Taken`] if another pod has one, [`PortError::Twice`] if two of them meet.
    pub(crate) fn reserve(
        &self,
        holder: &PortOwner,
        mappings: &[PortMapping],
    ) -> Result<(), PortError> {
        if mappings.is_empty() {
            return Ok(());
        }
        check(mappings)?;
        let _lock = self.lock()?;
        for (other, other_holder) in self.list()? {
            if other_holder.container == holder.container {
                continue;
            }
            if let Some(port) = mappings.iter().find(|mapping| mapping.overlaps(&other)) {
                return Err(PortError::Taken {
                    port: port.host_side(),
                    holder: other_holder.container,
                });
            }
        }
        for mapping in mappings {
            let path = self.folder.join(link_name(mapping));
            let made = record::make_way(&path, |path| match symlink(holder.to_string(), path) {
                // This pod's own, from a start that was cut short.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
                answer => answer,
            });
            if let Err(error) = made {
                // The error at hand says more than one about the rest.
                let _ = self.remove_where(|other| other == holder);
                return Err(FileError::io("create", &path)(error).into());
            }
        }
        Ok(())
    }

    /// Gives back what one pod has, or one of its interfaces.
    ///
    /// # Errors
    /// If a file can't be removed.
    pub(crate) fn release(&self, holder: &PortOwner) -> Result<(), FileError> {
        let _lock = self.lock()?;
        self.remove_where(|other| other.meets(holder)).map(|_| ())
    }

    /// Gives back what pods have that are not `live`. How many reservations that were.
    ///
    /// # Errors
    /// If a file can't be removed.
    pub(crate) fn release_dead(
        &self,
        live: impl Fn(&ContainerId) -> bool,
    ) -> Result<usize, FileError> {
        let _lock = self.lock()?;
        self.remove_where(|holder| !live(&holder.container))
    }

    fn remove_where(&self, gone: impl Fn(&PortOwner) -> bool) -> Result<usize, FileError> {
        let mut removed = 0;
        for (mapping, holder) in self.list()? {
            if gone(&holder) {
                removed += usize::from(record::remove(&self.folder.join(link_name(&mapping)))?);
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::PortSpec;

    fn ports(text: &str) -> Vec<PortMapping> {
        text.split_whitespace()
            .map(|text| text.parse::<PortSpec>().unwrap().resolve(|_| None).unwrap())
            .collect()
    }

    #[test]
    fn a_port_belongs_to_one_pod_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let reservations = Reservations::new(&folder.path().join("ports"));
        let owner = |text: &str| text.parse::<PortOwner>().unwrap();
        let (one, two) = (owner("one/eth0"), owner("two"));
        reservations
            .reserve(&one, &ports("80:80 [fd00::1]:53:53/udp 8000-8010:1-11"))
            .unwrap();
        let taken = |text: &str| match reservations.reserve(&two, &ports(text)) {
            Err(PortError::Taken { holder, .. }) => assert_eq!(holder, one.container),
            other => panic!("{text}: {other:?}"),
        };
        taken("127.0.0.1:80:1");
        taken("90:1 8010:1");
        taken("53:1/udp");
        reservations
            .reserve(&two, &ports("53:1 127.0.0.1:53:1/udp 80:80/udp"))
            .unwrap();
        assert_eq!(reservations.list().unwrap().len(), 6);
        // Another interface of the same pod has its own.
        let other = owner("one/eth1");
        reservations.reserve(&other, &ports("9000:80")).unwrap();
        reservations.release(&one).unwrap();
        taken("9000:1");
        reservations.release(&owner("one")).unwrap();
        reservations.reserve(&two, &ports("8010:1")).unwrap();
        assert_eq!(
            reservations
                .release_dead(|holder| *holder == one.container)
                .unwrap(),
            4
        );
        assert_eq!(reservations.list().unwrap(), []);
    }

    #[test]
    fn a_pod_that_asks_twice_or_for_too_much_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let reservations = Reservations::new(&folder.path().join("ports"));
        let pod = "pod".parse().unwrap();
        let twice = reservations.reserve(&pod, &ports("80:80 127.0.0.1:80:81"));
        assert!(matches!(twice, Err(PortError::Twice(_))));
        let much = reservations.reserve(&pod, &ports("1-4096:1-4096 5000:1"));
        assert!(matches!(much, Err(PortError::TooMany(4097))));
        assert_eq!(reservations.list().unwrap(), []);
    }
}
