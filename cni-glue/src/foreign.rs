//! Containers of other runtimes, which call the built-in networks as a plugin. They share bridges, addresses and ports
//! with pods, but whether they live is their runtime's to say: for each of their places in a network there is a mark.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::id::{ContainerId, InterfaceName, NetworkName};
use crate::record::{self, FileError};

fn folder(state: &Path) -> PathBuf {
    state.join("foreign")
}

fn mark_path(
    state: &Path,
    network: &NetworkName,
    container: &ContainerId,
    interface: &InterfaceName,
) -> PathBuf {
    // A container's name has no '@'; an interface's may.
    folder(state).join(format!("{container}@{interface}@{network}"))
}

/// Before a container joins a network.
pub(crate) fn mark(
    state: &Path,
    network: &NetworkName,
    container: &ContainerId,
    interface: &InterfaceName,
) -> Result<(), FileError> {
    let path = mark_path(state, network, container, interface);
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(false).mode(0o600);
    let made = record::make_way(&path, |path| open.open(path));
    made.map(|_| ()).map_err(FileError::io("create", &path))
}

/// After it has left.
pub(crate) fn unmark(
    state: &Path,
    network: &NetworkName,
    container: &ContainerId,
    interface: &InterfaceName,
) -> Result<(), FileError> {
    record::remove(&mark_path(state, network, container, interface)).map(|_| ())
}

/// Whether a container is another runtime's.
pub(crate) fn is_marked(state: &Path, container: &ContainerId) -> bool {
    // If it can't be told, better leave it alone.
    all(state).map_or(true, |marks| {
        marks.iter().any(|(marked, ..)| marked == container)
    })
}

/// The places in one network.
pub(crate) fn of(
    state: &Path,
    network: &NetworkName,
) -> Result<Vec<(ContainerId, InterfaceName)>, FileError> {
    let mut marks = all(state)?;
    marks.retain(|(_, _, of)| of == network);
    Ok(marks
        .into_iter()
        .map(|(container, interface, _)| (container, interface))
        .collect())
}

fn all(state: &Path) -> Result<Vec<(ContainerId, InterfaceName, NetworkName)>, FileError> {
    let parse = |name: &String| {
        let (container, rest) = name.split_once('@')?;
        let (interface, network) = rest.rsplit_once('@')?;
        Some((
            container.parse().ok()?,
            interface.parse().ok()?,
            network.parse().ok()?,
        ))
    };
    Ok(record::names(&folder(state))?
        .iter()
        .filter_map(parse)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_of_one_network_each() {
        let state = tempfile::tempdir().unwrap();
        let (one, two) = ("n-1".parse().unwrap(), "n-2".parse().unwrap());
        let (pod, eth0): (ContainerId, InterfaceName) =
            ("p".parse().unwrap(), "a@b".parse().unwrap());
        mark(state.path(), &one, &pod, &eth0).unwrap();
        mark(state.path(), &two, &pod, &eth0).unwrap();
        assert_eq!(
            of(state.path(), &one).unwrap(),
            [(pod.clone(), eth0.clone())]
        );
        unmark(state.path(), &one, &pod, &eth0).unwrap();
        assert_eq!(of(state.path(), &one).unwrap(), []);
        assert!(is_marked(state.path(), &pod));
        unmark(state.path(), &two, &pod, &eth0).unwrap();
        assert!(!is_marked(state.path(), &pod));
        unmark(state.path(), &two, &pod, &eth0).unwrap();
    }
}
