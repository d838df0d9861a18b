//! The ground of a pod init that is pid 1 of a machine: it has a kernel, devices and an image's files, and makes
//! everything else itself.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use cni_glue::Netns;
use pod::AppName;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change,
    move_mount,
};

use super::ground::Ground;
use crate::app::devices::mount_detached;
use crate::app::launch::AppGround;
use crate::app::rootfs::RootFs;
use crate::app::sockets::AppSockets;
use crate::cgroup::PodCgroups;
use crate::failure::StartFailure;
use crate::link::{HandedOver, MachineApp, MachineImage};
use crate::overlay::{mount_points, over_tree};
use crate::protocol::AppSpec;

/// Where what is mounted for a while is attached: directories that any machine has, or can have. None is where pod
/// init's own root goes, which would cover it: older kernels want an overlay's directories by paths.
const PROC: &str = "/proc";
const STORAGE: &str = "/run";
const MOUNT_POINTS: &str = "mount-points";

/// A machine of its own.
#[derive(Debug)]
pub(super) struct Machine {
    cgroups: PodCgroups,
    /// What the paths of `cgroups` lead through.
    _hierarchy: OwnedFd,
    /// In memory: what apps change, the lowest layer of each, and where images are mounted. An overlay takes only what
    /// is attached somewhere.
    storage: OwnedFd,
    mount_points: OwnedFd,
}

impl Machine {
    /// Mounts what is needed until pod init enters its own root, and makes the pod's cgroup.
    pub(super) fn new() -> Result<Self, StartFailure> {
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).map_err(StartFailure::os("make all mounts private"))?;
        attach(&mount_detached("proc", &[], guarded())?, PROC)?;
        // Apps may execute what they have written.
        let kept = MountAttrFlags::MOUNT_ATTR_NODEV;
        let storage = mount_detached("tmpfs", &[("mode", "755")], kept)?;
        attach(&storage, STORAGE)?;
        let mount_points = make_directory(&storage, MOUNT_POINTS)?;
        mount_points::fill(&mount_points).map_err(StartFailure::os("make mount points"))?;
        Netns::of_this_thread()
            .and_then(|mut network| network.bring_loopback_up())
            .map_err(|error| StartFailure::other(error.to_string()))?;
        let hierarchy = mount_detached("cgroup2", &[], guarded())?;
        let path = format!("{PROC}/self/fd/{}", hierarchy.as_raw_fd());
        Ok(Self {
            cgroups: PodCgroups::create_in_machine("pod", Path::new(&path))?,
            _hierarchy: hierarchy,
            storage,
            mount_points,
        })
    }

    /// The directory with an image's files.
    fn image(&self, app: &AppName, image: &MachineImage) -> Result<OwnedFd, StartFailure> {
        match image {
            MachineImage::Directory { path } => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                openat(CWD, path, flags, Mode::empty())
                    .map_err(StartFailure::os(format_args!("open {}", path.display())))
            }
            MachineImage::Device { path, filesystem } => {
                let mounted = mount_device(path, filesystem).and_then(|mount| {
                    let name = format!("{app}.image");
                    mkdirat(&self.storage, &name, Mode::from_raw_mode(0o755))?;
                    let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
                    move_mount(mount.as_fd(), "", self.storage.as_fd(), &name, whole)?;
                    Ok(mount)
                });
                mounted.map_err(StartFailure::os(format_args!(
                    "mount {} as {filesystem}",
                    path.display()
                )))
            }
        }
    }
}

impl Ground for Machine {
    fn app(&mut self, app: &AppSpec, handed_over: HandedOver) -> Result<AppGround, StartFailure> {
        let HandedOver::MachineApp(own) = handed_over else {
            return Err(StartFailure::other(format!(
                "nobody said where the image of app {} is",
                app.name
            )));
        };
        let MachineApp { image, resources } = *own;
        self.cgroups.add_app(&app.name, &resources)?;
        let tree = self.image(&app.name, &image)?;
        let changes = make_directory(&self.storage, app.name.as_str())?;
        Ok(AppGround {
            root: RootFs(over_tree(&app.name, &tree, &self.mount_points, &changes)?),
            seat: self.cgroups.for_app(&app.name)?,
            sockets: AppSockets::new(app.sockets.clone(), Vec::new())?,
        })
    }

    /// It is the machine's.
    fn network(&mut self, _handed_over: HandedOver) -> Result<(), StartFailure> {
        Ok(())
    }
}

fn guarded() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

/// Attaches a mount at a path, which is made where it is missing.
fn attach(mount: &OwnedFd, place: &str) -> Result<(), StartFailure> {
    let what = format!("mount {place}");
    match mkdirat(CWD, place, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(StartFailure::os(what)(errno)),
    }
    let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(mount.as_fd(), "", CWD, place, whole).map_err(StartFailure::os(what))
}

fn make_directory(parent: &OwnedFd, name: &str) -> Result<OwnedFd, StartFailure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    mkdirat(parent, name, Mode::from_raw_mode(0o755))
        .and_then(|()| openat(parent, name, flags, Mode::empty()))
        .map_err(StartFailure::os(format_args!("make the directory {name}")))
}

fn mount_device(path: &Path, filesystem: &str) -> Result<OwnedFd, Errno> {
    let context = fsopen(filesystem, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "source", path)?;
    fsconfig_set_flag(context.as_fd(), "ro")?;
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}
