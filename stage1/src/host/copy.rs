//! The entry point `copy`: files out of an app of a pod that doesn't run, or into it.
//!
//! What is copied is hostile. So this process makes a mount namespace of its own, of which the app's files are all, becomes
//! root of the pod's user namespace, and only then looks at any of them, as one in a running app does.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::app::at_rest;
use crate::failure::{StartFailure, one_line};
use crate::file_transfer;
use crate::mounts::is_memory;
use crate::pod_ids::PodIds;
use crate::sys;
use nix::sched::{CloneFlags, setns};
use pod::control::{CopyRequest, FileCopy};
use pod::manifest::{App, PodManifest, UserNamespace, app_dir};
use pod::stage1::ENV_LOCK_FD;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{
    PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, pidfd_open, pidfd_send_signal, waitid,
};

use super::mapping::{Mapping, become_root};
use super::pod::HostPod;

/// How long a thread that was joined may take to leave.
const PATIENCE: Duration = Duration::from_secs(1);

/// Copies for the pod in the working directory. The result is the exit code.
pub fn copy(request: Option<&str>) -> i32 {
    match prepare(request.unwrap_or_default()) {
        Ok(copy) => file_transfer::copy(copy),
        Err(failure) => {
            tell(&failure);
            1
        }
    }
}

fn tell(failure: &StartFailure) {
    // Nobody is there to be told.
    let _ = writeln!(std::io::stderr(), "{}", one_line(&failure.message));
}

fn prepare(request: &str) -> Result<FileCopy, StartFailure> {
    let request = CopyRequest::parse(request).map_err(StartFailure::other)?;
    let here = std::env::current_dir().map_err(StartFailure::os("find the pod's directory"))?;
    let manifest = PodManifest::load(&here)?;
    let app = match &request.app {
        Some(name) => manifest.app(name),
        None => manifest.apps.first(),
    };
    let app = app.ok_or_else(|| StartFailure::other("the pod has no such app"))?;
    let is_written = matches!(request.copy, FileCopy::In { .. });
    if is_written {
        keep_others_out(app)?;
    }
    let ids = manifest.user_namespace.as_ref();
    let ids = ids.map(namespace_of).transpose()?.map(Arc::new);
    let mut pod = HostPod::at_rest(manifest.uuid, ids.clone());
    // Who has the whole pod may also make places to mount on.
    let is_changed = is_written || std::env::var_os(ENV_LOCK_FD).is_some();
    let label = app.security.mount_label.as_ref();
    let storage = pod.storage(&manifest)?;
    let root = match is_changed {
        true => storage.overlay(&app.name, &app.image.layers, label)?,
        false => storage.view(&app.name, &app.image.layers, label)?,
    };
    let mut volumes = pod.open_volumes(&manifest)?;
    let mut mounts = Vec::new();
    // What was in memory is gone.
    for mount in app
        .mounts
        .iter()
        .filter(|mount| !is_memory(mount, &manifest))
    {
        match volumes.mount(mount, label) {
            Ok(made) => mounts.push((mount.destination.clone(), made)),
            Err(failure) => tell(&failure),
        }
    }
    at_rest::enter(root, mounts)?.iter().for_each(tell);
    if let Some(ids) = &ids {
        join(ids)?;
        become_root().map_err(StartFailure::os("become root of the pod"))?;
    }
    sys::die_with_parent().map_err(StartFailure::os("end with the command"))?;
    Ok(request.copy)
}

/// An overlay is changed through one mount at a time. The lock goes with this process.
fn keep_others_out(app: &App) -> Result<(), StartFailure> {
    let directory = app_dir(Path::new("."), &app.name);
    let lock = File::open(&directory).map_err(StartFailure::os("open the app's directory"))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            // Closed at the end of this process alone.
            std::mem::forget(lock);
            Ok(())
        }
        Err(Errno::WOULDBLOCK) => Err(StartFailure::other(format!(
            "files are being copied into app {} already; try again when that has ended",
            app.name
        ))),
        Err(errno) => Err(StartFailure::os("lock the app's directory")(errno)),
    }
}

/// A user namespace with the pod's users. It exists for as long as it is open.
fn namespace_of(ids: &UserNamespace) -> Result<PodIds, StartFailure> {
    let mapping = Mapping::new(ids)?;
    let own =
        pidfd_open(getpid(), PidfdFlags::empty()).map_err(StartFailure::os("open this process"))?;
    let flags = libc::CLONE_NEWUSER as u64;
    // It waits until it is killed, so that there is a namespace to be opened.
    let child = sys::spawn(flags, None, |_| match wait_for_end(own.as_fd()) {
        Ok(()) => 0,
        Err(errno) => errno.raw_os_error(),
    });
    let child = child.map_err(StartFailure::os("make the pod's user namespace"))?;
    let ids = mapping.write(child.pid);
    // It may have ended by itself.
    let _ = pidfd_send_signal(&child.pidfd, Signal::KILL);
    let _ = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED);
    ids
}

/// For a process between clone and exec.
fn wait_for_end(of: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut process = [PollFd::from_borrowed_fd(of, PollFlags::IN)];
    retry_on_intr(|| poll(&mut process, None)).map(drop)
}

/// Only a process of one thread may join, and one that was joined may take a moment to leave.
fn join(ids: &PodIds) -> Result<(), StartFailure> {
    let begun = Instant::now();
    loop {
        match setns(ids.namespace(), CloneFlags::CLONE_NEWUSER) {
            Err(nix::errno::Errno::EINVAL) if begun.elapsed() < PATIENCE => {
                std::thread::yield_now()
            }
            joined => return joined.map_err(StartFailure::os("join the pod's user namespace")),
        }
    }
}
