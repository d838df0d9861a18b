//! An app's directory: made when the app joins its pod, taken out of the way when it leaves.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::PodError;
use crate::id::AppName;
use crate::layout::{APPS_DIR, app_dir};
use crate::manifest::UserNamespace;
use crate::removal;

/// Where an app's changes to its root filesystem are kept.
const UPPER: &str = "upper";
/// The overlay's own.
const WORK: &str = "work";
/// The mark of an app that has not been started yet, and what becomes of it while it is being started, and when it has been.
const CREATED: &str = "created";
const STARTING: &str = "starting";
const STARTED: &str = "started";
/// What it leaves as its last words.
const TERMINATION_MESSAGE: &str = "termination-message";
/// Its log, and the one before it.
const LOGS: [&str; 2] = ["log", "log.1"];
/// In the pod's directory: what apps that were removed have left.
const REMOVED_DIR: &str = "removed";

/// Makes the directory of an app. The root directory that the app sees has the attributes of `upper`, so it gets those
/// of its image's topmost layer, if there is one. In a user namespace, owners in `upper` are those of the host.
///
/// # Errors
/// [`PodError::Io`] if it is there or can't be made; nothing of it is left then.
pub fn make(
    pod_dir: &Path,
    app: &AppName,
    top_layer: Option<&Path>,
    user_namespace: Option<&UserNamespace>,
) -> Result<(), PodError> {
    let directory = app_dir(pod_dir, app);
    make_directory(&directory, 0o700)?;
    let upper = directory.join(UPPER);
    let made = make_directory(&directory.join(WORK), 0o700)
        .and_then(|()| make_directory(&upper, 0o755))
        .and_then(|()| set_attributes(&upper, top_layer, user_namespace));
    if made.is_err() {
        // The first failure is the one to tell of.
        let _ = fs::remove_dir_all(&directory);
    }
    made
}

/// Makes the directory of the apps' directories.
///
/// # Errors
/// [`PodError::Io`] if it can't be made.
pub fn make_all(pod_dir: &Path) -> Result<(), PodError> {
    make_directory(&pod_dir.join(APPS_DIR), 0o700)
}

fn make_directory(path: &Path, mode: u32) -> Result<(), PodError> {
    DirBuilder::new()
        .mode(mode)
        .create(path)
        .map_err(PodError::io("create", path))
}

fn set_attributes(
    to: &Path,
    top_layer: Option<&Path>,
    user_namespace: Option<&UserNamespace>,
) -> Result<(), PodError> {
    let look_at = |path: &Path| {
        fs::symlink_metadata(path).map_err(|error| PodError::io("look at", path)(error))
    };
    if top_layer.is_none() && user_namespace.is_none() {
        return Ok(());
    }
    let now = look_at(to)?;
    let wanted = match top_layer {
        Some(layer) => look_at(layer)?,
        None => now.clone(),
    };
    let owner = match user_namespace {
        None => (wanted.uid(), wanted.gid()),
        // What is nobody's there is root's.
        Some(ids) => (
            ids.host_uid(wanted.uid())
                .or(ids.host_uid(0))
                .unwrap_or(wanted.uid()),
            ids.host_gid(wanted.gid())
                .or(ids.host_gid(0))
                .unwrap_or(wanted.gid()),
        ),
    };
    if owner != (now.uid(), now.gid()) {
        chown(to, Some(owner.0), Some(owner.1)).map_err(PodError::io("chown", to))?;
    }
    // Also where the caller's umask took something away.
    let mode = wanted.mode() & 0o7777;
    if mode != now.mode() & 0o7777 {
        fs::set_permissions(to, Permissions::from_mode(mode)).map_err(PodError::io("chmod", to))?;
    }
    Ok(())
}

/// The file that an app writes to why it has ended.
pub fn termination_message(pod_dir: &Path, app: &AppName) -> PathBuf {
    app_dir(pod_dir, app).join(TERMINATION_MESSAGE)
}

/// Marks an app as one that has not been started yet.
///
/// # Errors
/// [`PodError::Io`] if the mark can't be made.
pub fn mark_created(pod_dir: &Path, app: &AppName) -> Result<(), PodError> {
    let mark = app_dir(pod_dir, app).join(CREATED);
    File::create(&mark)
        .map(drop)
        .map_err(PodError::io("create", &mark))
}

/// Whether an app carries that mark.
pub fn is_created(pod_dir: &Path, app: &AppName) -> bool {
    app_dir(pod_dir, app).join(CREATED).exists()
}

/// Marks an app that was made, or that has ended, as one that is being started: it neither waits for that any more nor runs
/// yet. What an earlier run has left of its end is taken away.
///
/// # Errors
/// [`PodError::Io`] if something is there and can't be removed or renamed.
pub fn mark_starting(pod_dir: &Path, app: &AppName) -> Result<(), PodError> {
    let directory = app_dir(pod_dir, app);
    let status = directory.join(crate::exit::STATUS_FILE);
    match fs::remove_file(&status) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(PodError::io("remove", &status)(e));
        }
        _ => {}
    }
    match rename_if_there(&directory, CREATED, STARTING)? {
        true => Ok(()),
        // It has been started before; or it began with the pod, and has no mark.
        false => rename_if_there(&directory, STARTED, STARTING).map(drop),
    }
}

/// Marks an app that was being started as one that runs. The time of the mark is that of the start.
///
/// # Errors
/// [`PodError::Io`] if the mark of before is there and can't be renamed.
pub fn mark_started(pod_dir: &Path, app: &AppName) -> Result<(), PodError> {
    let directory = app_dir(pod_dir, app);
    let starting = directory.join(STARTING);
    let file = match File::open(&starting) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other,
    };
    file.and_then(|file| file.set_modified(SystemTime::now()))
        .map_err(PodError::io("mark", &starting))?;
    rename_if_there(&directory, STARTING, STARTED).map(drop)
}

/// Whether there was something to rename.
fn rename_if_there(directory: &Path, from: &str, to: &str) -> Result<bool, PodError> {
    let path = directory.join(from);
    match fs::rename(&path, directory.join(to)) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(PodError::io("rename", &path)(e)),
    }
}

/// What is marked of an app that has joined its pod while that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It has not been started yet.
    Created,
    /// It is being started, or could not be.
    Starting,
    /// It was started, last at this time.
    Started(SystemTime),
}

/// The mark of an app; `None` if it began with the pod, or is gone.
pub fn mark(pod_dir: &Path, app: &AppName) -> Option<Mark> {
    let directory = app_dir(pod_dir, app);
    let look = |name: &str| fs::symlink_metadata(directory.join(name)).ok();
    // In the order in which they take each other's place, so that none is missed; and one that starts again goes back.
    if look(CREATED).is_some() {
        return Some(Mark::Created);
    }
    if look(STARTING).is_some() {
        return Some(Mark::Starting);
    }
    match look(STARTED).map(|mark| mark.modified()) {
        Some(Ok(time)) => Some(Mark::Started(time)),
        Some(Err(_)) | None => look(STARTING).map(|_| Mark::Starting),
    }
}

/// Gives an app that has ended, and is to start again, a new directory for the overlay's own: the kernel takes none
/// that was used by an overlay whose changes need not be written out.
///
/// # Errors
/// [`PodError::Io`] if the old one can't be taken out of the way.
pub fn renew_work(pod_dir: &Path, app: &AppName) -> Result<(), PodError> {
    let work = app_dir(pod_dir, app).join(WORK);
    let old = put_away(pod_dir, app, &work)?;
    // The kernel keeps little in it. What can't be removed now goes with what other apps leave.
    let _ = fs::remove_dir_all(old);
    make_directory(&work, 0o700)
}

/// Takes the directory of an app out of the way by one rename, whatever is in it. [`empty_removed`] does the rest.
///
/// # Errors
/// [`PodError::Io`] if it can't be renamed.
pub fn remove(pod_dir: &Path, app: &AppName) -> Result<(), PodError> {
    put_away(pod_dir, app, &app_dir(pod_dir, app)).map(drop)
}

/// Removes what an app has written: its changes to its root filesystem, and its log.
///
/// # Errors
/// [`PodError::Io`] if something can't be removed.
pub fn empty(pod_dir: &Path, app: &AppName) -> Result<(), PodError> {
    let directory = app_dir(pod_dir, app);
    removal::empty(&directory.join(UPPER))?;
    for log in LOGS {
        let path = directory.join(log);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(PodError::io("remove", &path)(e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes the place for what is put away, while there is room: an app that leaves the pod may have filled the disk.
///
/// # Errors
/// [`PodError::Io`] if it can't be made.
pub fn reserve_removal(pod_dir: &Path) -> Result<(), PodError> {
    match make_directory(&pod_dir.join(REMOVED_DIR), 0o700) {
        Err(PodError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// The result is where it is now.
fn put_away(pod_dir: &Path, app: &AppName, directory: &Path) -> Result<PathBuf, PodError> {
    let removed = pod_dir.join(REMOVED_DIR);
    reserve_removal(pod_dir)?;
    let place = free_name(&removed, app);
    match fs::rename(directory, &place) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(PodError::io("rename", directory)(e)),
        _ => Ok(place),
    }
}

/// Only one process renames into it: the pod's monitor.
fn free_name(removed: &Path, app: &AppName) -> PathBuf {
    let mut number = 0_u64;
    loop {
        let path = removed.join(format!("{app}.{number}"));
        if !path.exists() {
            return path;
        }
        number += 1;
    }
}

/// Removes what apps that were removed have left. It takes as long as they left much; many may do so at once, and
/// whatever stays goes with the pod.
///
/// # Errors
/// [`PodError::Io`] if something can't be removed.
pub fn empty_removed(pod_dir: &Path) -> Result<(), PodError> {
    removal::empty(&pod_dir.join(REMOVED_DIR))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> AppName {
        "web".parse().unwrap()
    }

    #[test]
    fn an_app_sees_the_root_directory_of_its_image() {
        let pod = tempfile::tempdir().unwrap();
        let layer = tempfile::tempdir().unwrap();
        fs::set_permissions(layer.path(), Permissions::from_mode(0o1751)).unwrap();
        make_all(pod.path()).unwrap();
        make(pod.path(), &app(), Some(layer.path()), None).unwrap();
        let directory = app_dir(pod.path(), &app());
        let mode = |name: &str| fs::metadata(directory.join(name)).unwrap().mode() & 0o7777;
        assert_eq!((mode(UPPER), mode(WORK), mode("")), (0o1751, 0o700, 0o700));
        let again = make(pod.path(), &app(), None, None).unwrap_err();
        assert!(again.to_string().contains("apps/web"), "{again}");
        assert!(directory.join(UPPER).exists());
    }

    #[test]
    fn the_root_directory_belongs_to_the_pods_root_in_a_user_namespace() {
        let pod = tempfile::tempdir().unwrap();
        let layer = tempfile::tempdir().unwrap();
        make_all(pod.path()).unwrap();
        let ids = UserNamespace::of_block(131_072);
        let owner = |app: &AppName| {
            let upper = fs::metadata(app_dir(pod.path(), app).join(UPPER)).unwrap();
            (upper.uid(), upper.gid())
        };
        make(pod.path(), &app(), None, Some(&ids)).unwrap();
        assert_eq!(owner(&app()), (131_072, 131_072));
        chown(layer.path(), Some(33), Some(70_000)).unwrap();
        let other: AppName = "other".parse().unwrap();
        make(pod.path(), &other, Some(layer.path()), Some(&ids)).unwrap();
        assert_eq!(owner(&other), (131_105, 131_072));
    }

    #[test]
    fn an_app_that_can_not_be_made_leaves_nothing() {
        let pod = tempfile::tempdir().unwrap();
        make_all(pod.path()).unwrap();
        let missing = pod.path().join("missing");
        let error = make(pod.path(), &app(), Some(&missing), None).unwrap_err();
        assert!(error.to_string().contains("/missing"), "{error}");
        assert!(!app_dir(pod.path(), &app()).exists());
    }

    #[test]
    fn a_mark_tells_apps_that_were_never_started_from_others() {
        let pod = tempfile::tempdir().unwrap();
        make_all(pod.path()).unwrap();
        make(pod.path(), &app(), None, None).unwrap();
        assert!(!is_created(pod.path(), &app()));
        assert_eq!(mark(pod.path(), &app()), None);
        mark_created(pod.path(), &app()).unwrap();
        assert!(is_created(pod.path(), &app()));
        assert_eq!(mark(pod.path(), &app()), Some(Mark::Created));
        let status = app_dir(pod.path(), &app()).join(crate::exit::STATUS_FILE);
        fs::write(&status, "{}").unwrap();
        for _ in 0..2 {
            mark_starting(pod.path(), &app()).unwrap();
            assert!(!is_created(pod.path(), &app()) && !status.exists());
            assert_eq!(mark(pod.path(), &app()), Some(Mark::Starting));
            mark_started(pod.path(), &app()).unwrap();
            let started = mark(pod.path(), &app());
            assert!(matches!(started, Some(Mark::Started(_))), "{started:?}");
        }
        // An end that can't be taken away would be this run's.
        fs::create_dir(&status).unwrap();
        let error = mark_starting(pod.path(), &app()).unwrap_err().to_string();
        assert!(error.contains("status.json"), "{error}");
    }

    #[test]
    fn an_app_leaves_by_one_rename_and_its_name_is_free() {
        let pod = tempfile::tempdir().unwrap();
        make_all(pod.path()).unwrap();
        remove(pod.path(), &app()).unwrap();
        for _ in 0..2 {
            make(pod.path(), &app(), None, None).unwrap();
            fs::create_dir_all(app_dir(pod.path(), &app()).join("upper/a/b/c")).unwrap();
            remove(pod.path(), &app()).unwrap();
        }
        let left = || fs::read_dir(pod.path().join(REMOVED_DIR)).unwrap().count();
        assert_eq!(left(), 2);
        empty_removed(pod.path()).unwrap();
        assert_eq!(left(), 0);
        make(pod.path(), &app(), None, None).unwrap();
    }

    #[test]
    fn an_overlay_gets_a_new_directory_of_its_own() {
        let pod = tempfile::tempdir().unwrap();
        make_all(pod.path()).unwrap();
        make(pod.path(), &app(), None, None).unwrap();
        let work = app_dir(pod.path(), &app()).join(WORK);
        fs::create_dir_all(work.join("work/incompat/volatile")).unwrap();
        renew_work(pod.path(), &app()).unwrap();
        let removed = fs::read_dir(pod.path().join(REMOVED_DIR)).unwrap();
        assert_eq!(removed.count(), 0, "a crash loop fills no disk");
        assert_eq!(fs::read_dir(&work).unwrap().count(), 0);
        assert_eq!(fs::metadata(&work).unwrap().mode() & 0o7777, 0o700);
        renew_work(pod.path(), &app()).unwrap();
    }

    #[test]
    fn a_pod_that_no_app_has_left_has_nothing_to_empty() {
        let pod = tempfile::tempdir().unwrap();
        empty_removed(pod.path()).unwrap();
    }

    #[test]
    fn the_root_directory_of_an_app_belongs_to_whom_its_image_says() {
        let pod = tempfile::tempdir().unwrap();
        let layer = tempfile::tempdir().unwrap();
        chown(layer.path(), Some(7), Some(8)).unwrap();
        make_all(pod.path()).unwrap();
        make(pod.path(), &app(), Some(layer.path()), None).unwrap();
        let upper = fs::metadata(app_dir(pod.path(), &app()).join(UPPER)).unwrap();
        assert_eq!((upper.uid(), upper.gid()), (7, 8));
        // Of the two, one alone may differ.
        chown(layer.path(), Some(0), Some(8)).unwrap();
        let other: AppName = "other".parse().unwrap();
        make(pod.path(), &other, Some(layer.path()), None).unwrap();
        let upper = fs::metadata(app_dir(pod.path(), &other).join(UPPER)).unwrap();
        assert_eq!((upper.uid(), upper.gid()), (0, 8));
    }

    #[test]
    fn an_app_that_is_emptied_has_its_directories_and_nothing_in_them() {
        let pod = tempfile::tempdir().unwrap();
        make_all(pod.path()).unwrap();
        make(pod.path(), &app(), None, None).unwrap();
        // There need not be a log.
        empty(pod.path(), &app()).unwrap();
        let directory = app_dir(pod.path(), &app());
        fs::create_dir_all(directory.join("upper/var/lib")).unwrap();
        for file in ["upper/file", "log", "log.1", "status.json"] {
            fs::write(directory.join(file), "x").unwrap();
        }
        empty(pod.path(), &app()).unwrap();
        let left = |path: &Path| {
            let mut names: Vec<_> = fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(left(&directory), ["status.json", "upper", "work"]);
        assert!(left(&directory.join(UPPER)).is_empty());
        // What can't be removed is told of.
        fs::create_dir(directory.join("log.1")).unwrap();
        let error = empty(pod.path(), &app()).unwrap_err().to_string();
        assert!(error.contains("web/log.1"), "{error}");
    }

    #[test]
    fn an_app_that_can_not_be_taken_out_of_the_way_stays() {
        let pod = tempfile::tempdir().unwrap();
        let missing = pod.path().join("missing");
        let error = reserve_removal(&missing).unwrap_err().to_string();
        assert!(error.contains("missing/removed"), "{error}");
        make_all(pod.path()).unwrap();
        make(pod.path(), &app(), None, None).unwrap();
        reserve_removal(pod.path()).unwrap();
        reserve_removal(pod.path()).unwrap();
        let removed = pod.path().join(REMOVED_DIR);
        assert_eq!(fs::metadata(&removed).unwrap().mode() & 0o7777, 0o700);
        fs::remove_dir(&removed).unwrap();
        fs::write(&removed, "").unwrap();
        let error = remove(pod.path(), &app()).unwrap_err().to_string();
        assert!(error.contains("apps/web"), "{error}");
        assert!(app_dir(pod.path(), &app()).join(UPPER).exists());
    }
}
