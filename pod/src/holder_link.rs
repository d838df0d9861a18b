//! Links that say which pod has something: a name, a block of IDs, a pair of categories. The target is the pod's UUID.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::error::PodError;
use crate::id::PodUuid;
use crate::lock::lock_path;
use crate::private_dir;

/// The pod that a link names; `None` if there is no link, or it names none. What is no link is an error.
pub(crate) fn holder(link: &Path) -> Result<Option<PodUuid>, PodError> {
    match fs::read_link(link) {
        Ok(target) => Ok(target.to_str().and_then(|text| text.parse().ok())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
            Err(PodError::NoLink(link.to_path_buf()))
        }
        Err(e) => Err(PodError::io("read", link)(e)),
    }
}

/// Whether a link names this pod. What is no link names none.
pub(crate) fn is_holder(link: &Path, uuid: PodUuid) -> Result<bool, PodError> {
    match holder(link) {
        Err(PodError::NoLink(_)) => Ok(false),
        other => Ok(other? == Some(uuid)),
    }
}

/// Makes a link, and its directory if that is missing. `false` if somebody has it already: creating one is atomic and refuses
/// a name that is there.
pub(crate) fn claim(link: &Path, uuid: PodUuid) -> Result<bool, PodError> {
    let target = uuid.to_string();
    let made = match (symlink(&target, link), link.parent()) {
        (Err(e), Some(directory)) if e.kind() == io::ErrorKind::NotFound => {
            private_dir::make(directory)?;
            symlink(&target, link)
        }
        (made, _) => made,
    };
    match made {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(PodError::io("create", link)(e)),
    }
}

/// Removes a link that names this pod, which must still have a directory: so nobody else removes it.
pub(crate) fn release(link: &Path, uuid: PodUuid) -> Result<(), PodError> {
    match is_holder(link, uuid)? {
        true => fs::remove_file(link).map_err(PodError::io("remove", link)),
        false => Ok(()),
    }
}

/// Removes all links in a directory whose pods are gone, as `is_gone` says. One command at a time does.
pub(crate) fn release_all(
    directory: &Path,
    is_gone: impl Fn(PodUuid) -> Result<bool, PodError>,
) -> Result<(), PodError> {
    match lock_path(directory, FlockOperation::LockExclusive) {
        Ok(_turn) => remove_of_gone(directory, is_gone),
        // No pod has ever had one.
        Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes those links in a directory whose pods are gone, as `is_gone` says, and what is no link: nobody can have what is
/// called so until then. What can't be removed keeps nothing else. The caller holds the directory's lock.
pub(crate) fn remove_of_gone(
    directory: &Path,
    is_gone: impl Fn(PodUuid) -> Result<bool, PodError>,
) -> Result<(), PodError> {
    let failed = || PodError::io("read", directory);
    let mut first = Ok(());
    for entry in fs::read_dir(directory).map_err(failed())? {
        let link = entry.map_err(failed())?.path();
        let removed = remove_if_gone(&link, &is_gone);
        first = first.and(removed);
    }
    first
}

fn remove_if_gone(
    link: &Path,
    is_gone: impl Fn(PodUuid) -> Result<bool, PodError>,
) -> Result<(), PodError> {
    let removed = match holder(link) {
        Err(PodError::NoLink(_)) if link.is_dir() => fs::remove_dir_all(link),
        Err(PodError::NoLink(_)) => fs::remove_file(link),
        // A pod that goes has removed its link before, and another may have made one since. One that names a pod which is
        // gone stays as it is.
        Ok(Some(pod)) if is_gone(pod)? && is_holder(link, pod)? => fs::remove_file(link),
        // One that names no pod was not made by one.
        Ok(_) => Ok(()),
        Err(error) => return Err(error),
    };
    removed.map_err(PodError::io("remove", link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_is_anothers_by_now_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (gone, next) = (PodUuid::random(), PodUuid::random());
        let links = ["taken", "free", "left"].map(|name| dir.path().join(name));
        for link in &links {
            assert!(claim(link, gone).unwrap());
        }
        let [taken, free, left] = &links;
        // Meanwhile the pod goes, and another comes.
        let is_gone = |uuid| {
            release(taken, gone)?;
            release(free, gone)?;
            claim(taken, next)?;
            Ok(uuid == gone)
        };
        remove_of_gone(dir.path(), is_gone).unwrap();
        assert_eq!(holder(taken).unwrap(), Some(next));
        assert_eq!(holder(free).unwrap(), None);
        assert_eq!(holder(left).unwrap(), None);
    }

    #[test]
    fn what_is_no_link_goes_and_keeps_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let [file, directory, link] = ["a", "b", "c"].map(|name| dir.path().join(name));
        let uuid = PodUuid::random();
        fs::write(&file, "").unwrap();
        fs::create_dir_all(directory.join("full")).unwrap();
        assert!(claim(&link, uuid).unwrap());
        for strange in [&file, &directory] {
            assert!(matches!(holder(strange), Err(PodError::NoLink(_))));
            assert!(!claim(strange, uuid).unwrap());
            release(strange, uuid).unwrap();
        }
        remove_of_gone(dir.path(), |_| Ok(true)).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
