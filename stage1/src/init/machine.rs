//! The ground of a pod init that is pid 1 of a machine: it has a kernel, devices and an image's files, and makes
//! everything else itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cni_glue::{Netns, NetworkError};
use pod::AppName;
use pod::manifest::Verity;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_change,
    move_mount,
};

use super::ground::{Ground, volume_mounts};
use super::pod_root::PodRoot;
use super::shared_files::SharedFiles;
use super::verity;
use crate::app::detached::mount_detached;
use crate::app::devices::HandedDevices;
use crate::app::launch::AppGround;
use crate::app::rootfs::RootFs;
use crate::app::sockets::AppSockets;
use crate::cgroup::PodCgroups;
use crate::failure::StartFailure;
use crate::link::{HandedOver, MachineApp, MachineImage, MachineMount, Share};
use crate::mounts::{VolumePlaces, Volumes};
use crate::overlay::{mount_points, over_tree};
use crate::protocol::AppSpec;

/// Where what is mounted for a while is attached: directories that any machine has, or can have. None is where pod
/// init's own root goes, which would cover it: older kernels want an overlay's directories by paths.
const PROC: &str = "/proc";
const STORAGE: &str = "/run";
/// Directories of the storage.
const MOUNT_POINTS: &str = "mount-points";
const APPS: &str = "apps";
const IMAGES: &str = "images";
const SHARED: &str = "shared";

/// How long interfaces may take until they are connected, all together, and how long it is until that is looked at again.
const CARRIER: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(1);

/// A machine of its own.
#[derive(Debug)]
pub(super) struct Machine {
    cgroups: PodCgroups,
    /// What the paths of `cgroups` lead through.
    _hierarchy: OwnedFd,
    /// In memory, attached at [`STORAGE`]: the lowest layer of all apps, what each changes, and where images are mounted.
    /// An overlay takes only what is attached somewhere.
    mount_points: OwnedFd,
    apps: OwnedFd,
    images: OwnedFd,
    /// Where what the host shares is mounted, and what has been needed of that.
    shared_place: OwnedFd,
    shared: BTreeMap<Share, SharedFiles>,
    /// Those in memory.
    volumes: Volumes,
    /// Devices that are mounted there, each once.
    devices: BTreeMap<(PathBuf, String), OwnedFd>,
    /// How many apps have been started.
    starts: u64,
    /// Whether the apps are there that the pod begins with.
    has_begun: bool,
    network: Netns,
    /// Where images' paths begin, also once pod init is in its own root.
    root: OwnedFd,
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
        let mut network = Netns::of_this_thread().map_err(network_failed)?;
        network.bring_loopback_up().map_err(network_failed)?;
        cni_glue::netns::relax();
        let hierarchy = mount_detached("cgroup2", &[], guarded())?;
        let path = format!("{PROC}/self/fd/{}", hierarchy.as_raw_fd());
        Ok(Self {
            cgroups: PodCgroups::create_in_machine("pod", Path::new(&path))?,
            _hierarchy: hierarchy,
            mount_points,
            apps: make_directory(&storage, APPS)?,
            images: make_directory(&storage, IMAGES)?,
            shared_place: make_directory(&storage, SHARED)?,
            shared: BTreeMap::new(),
            volumes: Volumes::new(&[], VolumePlaces::none(), None, None),
            devices: BTreeMap::new(),
            starts: 0,
            has_begun: false,
            network,
            root: openat(CWD, "/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
                .map_err(StartFailure::os("open the machine's root"))?,
        })
    }

    /// The root filesystem of an app.
    fn root_of(&mut self, app: &AppName, image: MachineImage) -> Result<OwnedFd, StartFailure> {
        let tree = match image {
            MachineImage::Shared { share, name } => return self.shared(share)?.root(&name),
            MachineImage::Directory { path } => open(&self.root, &path, OFlags::DIRECTORY)?,
            MachineImage::Device {
                path,
                filesystem,
                verity,
            } => self.device((path, filesystem), verity.as_ref())?,
        };
        let changes = make_directory(&self.apps, app.as_str())?;
        self.starts += 1;
        let work = format!("work-{}", self.starts);
        over_tree(app, &tree, &self.mount_points, &changes, &work)
    }

    fn mount(&mut self, mount: MachineMount) -> Result<OwnedFd, StartFailure> {
        match mount {
            MachineMount::Shared {
                share,
                name,
                options,
            } => self.shared(share)?.mount(&name, &options),
            MachineMount::Memory { mount, volume } => {
                if let Some(volume) = volume {
                    self.volumes.add(volume);
                }
                self.volumes.mount(&mount, None)
            }
        }
    }

    fn shared(&mut self, share: Share) -> Result<&mut SharedFiles, StartFailure> {
        match self.shared.entry(share) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let place = make_directory(&self.shared_place, share.tag())?;
                Ok(new.insert(SharedFiles::attach(share, &place)?))
            }
        }
    }

    /// The directory with the files of a filesystem on a device, which is checked by its hash tree while it is read.
    fn device(
        &mut self,
        known: (PathBuf, String),
        verity: Option<&Verity>,
    ) -> Result<OwnedFd, StartFailure> {
        let duplicate = |mount: &OwnedFd| {
            mount
                .try_clone()
                .map_err(StartFailure::os("duplicate an image's mount"))
        };
        if let Some(mount) = self.devices.get(&known) {
            return duplicate(mount);
        }
        let (path, filesystem) = &known;
        let mut device = open(&self.root, path, OFlags::empty())?;
        if let Some(verity) = verity {
            let name = format!("image-{}", self.devices.len());
            device = verity::checked(&self.root, &device, &name, verity)?;
        }
        let mount = mount_device(&device, filesystem)
            .and_then(|mount| self.attach_image(mount))
            .map_err(StartFailure::os(format_args!(
                "mount {} as {filesystem}",
                path.display()
            )))?;
        let copy = duplicate(&mount)?;
        self.devices.insert(known, mount);
        Ok(copy)
    }

    fn attach_image(&self, mount: OwnedFd) -> Result<OwnedFd, Errno> {
        let name = self.devices.len().to_string();
        mkdirat(&self.images, &name, Mode::from_raw_mode(0o755))?;
        let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(mount.as_fd(), "", self.images.as_fd(), &name, whole)?;
        Ok(mount)
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
        let MachineApp {
            image,
            mounts,
            resources,
            usual_pids,
            manages_cgroups,
        } = *own;
        if self.has_begun {
            self.shared.values_mut().for_each(SharedFiles::forget_stale);
        }
        // One of its own for each run.
        self.cgroups.remove_app(&app.name)?;
        self.cgroups.add_app(&app.name, &resources)?;
        if resources.pids.limit.is_none() {
            self.cgroups.bound_processes(&app.name, usual_pids)?;
        }
        if manages_cgroups {
            self.cgroups.divide_app(&app.name, None)?;
        }
        let root = self.root_of(&app.name, image)?;
        let mounts = mounts.into_iter().map(|mount| self.mount(mount));
        let mounts = mounts.collect::<Result<Vec<_>, _>>()?;
        Ok(AppGround {
            root: RootFs(root),
            seat: self.cgroups.for_app(&app.name, false, manages_cgroups)?,
            devices: HandedDevices::default(),
            mounts: volume_mounts(app, mounts)?,
            sockets: AppSockets::new(app.sockets.clone(), Vec::new())?,
        })
    }

    /// It is the machine's.
    fn network(&mut self, handed_over: HandedOver) -> Result<(), StartFailure> {
        let HandedOver::MachineNetwork(interfaces) = handed_over else {
            return Ok(());
        };
        interfaces
            .iter()
            .try_for_each(|interface| self.network.set_up_interface(interface))
            .map_err(network_failed)?;
        // The kernel asks the device for that beside all else. An app that begins before would find no way out.
        let until = Instant::now() + CARRIER;
        let has_carrier = |name: &str| {
            let told = std::fs::read_to_string(format!("/sys/class/net/{name}/carrier"));
            told.is_ok_and(|told| told.trim() == "1")
        };
        for interface in &interfaces {
            while !has_carrier(&interface.name) && Instant::now() < until {
                std::thread::sleep(PAUSE);
            }
        }
        Ok(())
    }

    /// Overlays and cgroups of apps that come later are made by paths through `/proc`, and an overlay takes only what is
    /// attached somewhere.
    fn enter(&mut self, root: PodRoot) -> Result<(), StartFailure> {
        self.has_begun = true;
        root.enter_beside_machine(&mount_detached("proc", &[], guarded())?)
    }

    fn needs_all_capabilities(&self) -> bool {
        true
    }

    fn cgroups(&self) -> Option<&PodCgroups> {
        Some(&self.cgroups)
    }
}

fn guarded() -> MountAttrFlags {
    MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
}

fn network_failed(error: NetworkError) -> StartFailure {
    StartFailure::other(error.to_string())
}

/// Opens what a path of the machine leads to.
fn open(root: &OwnedFd, path: &Path, kind: OFlags) -> Result<OwnedFd, StartFailure> {
    let below = path.strip_prefix("/").unwrap_or(path);
    let below = match below.as_os_str().is_empty() {
        true => Path::new("."),
        false => below,
    };
    let flags = OFlags::PATH | OFlags::CLOEXEC | kind;
    openat(root, below, flags, Mode::empty())
        .map_err(StartFailure::os(format_args!("open {}", path.display())))
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

/// A directory, which may be there already.
fn make_directory(parent: &OwnedFd, name: &str) -> Result<OwnedFd, StartFailure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => openat(parent, name, flags, Mode::empty()),
        Err(errno) => Err(errno),
    }
    .map_err(StartFailure::os(format_args!("make the directory {name}")))
}

fn mount_device(device: &OwnedFd, filesystem: &str) -> Result<OwnedFd, Errno> {
    let context = fsopen(filesystem, FsOpenFlags::FSOPEN_CLOEXEC)?;
    let path = format!("{PROC}/self/fd/{}", device.as_raw_fd());
    fsconfig_set_string(context.as_fd(), "source", path)?;
    fsconfig_set_flag(context.as_fd(), "ro")?;
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}
