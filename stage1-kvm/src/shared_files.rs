//! Files that the host shares with a machine, by virtiofsd: root filesystems of apps whose changes outlive the machine, and
//! volumes.
//!
//! What the machine sees is a tree of mounts, made from descriptors, that exists in a virtiofsd's mount namespace alone. They
//! have names that mean nothing. There are two trees, as one virtiofsd has one way of caching for all of its files. What is
//! in memory the machine has itself.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use pod::feature::Feature;
use pod::manifest::{App, Mount, MountOption, MountSource, PodManifest, VolumeSource};
use pod::{AppName, PodUuid};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use stage1::cgroup::PodCgroups;
use stage1::failure::StartFailure;
use stage1::host::pod::HostPod;
use stage1::link::{MachineImage, MachineMount, Share};
use stage1::mounts::is_memory;
use stage1::sys;

use crate::file_server::{Entry, FileServer};
use crate::kernel_filesystem;
use crate::virtiofsd::Virtiofsd;

/// What nothing in the tree can be used for, on the host's side: whatever a machine writes there, it is no device, gives
/// nobody privileges and isn't executed.
const GUARDED: u64 = libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;

/// The files of an app, as its machine is told of them.
#[derive(Debug, Default)]
pub(crate) struct AppFiles {
    /// Its root filesystem, if that is shared.
    pub(crate) root: Option<MachineImage>,
    /// What is mounted in it.
    pub(crate) mounts: Vec<MachineMount>,
}

/// The files that a pod shares.
#[derive(Debug)]
pub(crate) struct SharedFiles {
    pod: HostPod,
    run_dir: PathBuf,
    program: Option<Virtiofsd>,
    servers: BTreeMap<Share, FileServer>,
    /// Of apps that are there from the start, until they are handed over.
    prepared: BTreeMap<AppName, AppFiles>,
    /// Root filesystems of apps, by their names. Each is one for all runs of its app: the machine knows its files as long as
    /// it has room for them, and so they are in use on the host, too, where an overlay's directories belong to one at a time.
    roots: BTreeMap<AppName, String>,
    /// What else each app has in the trees.
    places: BTreeMap<AppName, Vec<(Share, CString)>>,
    entries: u64,
}

impl SharedFiles {
    pub(crate) fn new(uuid: PodUuid, run_dir: &Path) -> Self {
        Self {
            pod: HostPod::new(uuid, run_dir),
            run_dir: run_dir.to_path_buf(),
            program: None,
            servers: BTreeMap::new(),
            prepared: BTreeMap::new(),
            roots: BTreeMap::new(),
            places: BTreeMap::new(),
            entries: 0,
        }
    }

    /// Finds the program that the pod needs, before anything of it is made.
    ///
    /// # Errors
    /// If it isn't installed.
    pub(crate) fn find_program(&mut self, manifest: &PodManifest) -> Result<(), StartFailure> {
        let Some(why) = need(manifest) else {
            return Ok(());
        };
        self.program = Virtiofsd::find();
        match self.program {
            Some(_) => Ok(()),
            None => Err(StartFailure::other(format!(
                "there is no virtiofsd, which shares files with a virtual machine: the pod needs it as {why}; install it, \
                 such as Debian's virtiofsd, or qemu-system-common before Debian 13"
            ))),
        }
    }

    /// Starts to serve the files of all apps. The result is for the machine.
    ///
    /// # Errors
    /// What failed, for which app.
    pub(crate) fn serve(
        &mut self,
        manifest: &PodManifest,
        cgroups: &PodCgroups,
    ) -> Result<Vec<(Share, OwnedFd)>, StartFailure> {
        let mut trees: BTreeMap<Share, Vec<Entry>> = BTreeMap::new();
        if may_grow(manifest) {
            trees.insert(Share::Own, Vec::new());
            trees.insert(Share::Host, Vec::new());
        }
        for app in manifest.apps.iter() {
            let root_is_shared = !manifest.remove_on_exit;
            let (files, entries) = self.make(manifest, app, root_is_shared)?;
            self.keep_places(app, &files, &entries);
            self.prepared.insert(app.name.clone(), files);
            for entry in entries {
                trees.entry(entry.share).or_default().push(entry);
            }
        }
        let Some(program) = &self.program else {
            return Ok(Vec::new());
        };
        let mut sockets = Vec::new();
        for (share, entries) in trees {
            let started = FileServer::start(program, share, &self.run_dir, entries, cgroups)?;
            let (server, socket) = started;
            self.servers.insert(share, server);
            sockets.push((share, socket));
        }
        Ok(sockets)
    }

    /// Serves the same to another machine, where the first has not said a word.
    ///
    /// # Errors
    /// As [`SharedFiles::serve`].
    pub(crate) fn serve_again(
        &mut self,
        manifest: &PodManifest,
        cgroups: &PodCgroups,
    ) -> Result<Vec<(Share, OwnedFd)>, StartFailure> {
        self.servers.clear();
        let left = std::mem::take(&mut self.prepared);
        self.roots.clear();
        self.places.clear();
        // Apps that have been handed over know their files by these names.
        self.entries = 0;
        let sockets = self.serve(manifest, cgroups)?;
        self.prepared.retain(|name, _| left.contains_key(name));
        Ok(sockets)
    }

    /// The files of an app that is about to start. `has_disk` says whether the machine has those of its image.
    ///
    /// # Errors
    /// What failed, or what can't be shared with this machine.
    pub(crate) fn of_app(
        &mut self,
        manifest: &PodManifest,
        app: &App,
        has_disk: bool,
    ) -> Result<AppFiles, StartFailure> {
        if let Some(prepared) = self.prepared.remove(&app.name) {
            return Ok(prepared);
        }
        self.can_have(manifest, app, has_disk)?;
        let root_is_shared = !manifest.remove_on_exit || !has_disk;
        let (files, entries) = self.make(manifest, app, root_is_shared)?;
        self.keep_places(app, &files, &entries);
        if let Err(errno) = self.attach(entries) {
            // The first failure is the one to tell of.
            let _ = self.remove_app(&app.name);
            let what = format_args!("share the files of app {} with the machine", app.name);
            return Err(StartFailure::os(what)(errno));
        }
        Ok(files)
    }

    fn attach(&self, mut entries: Vec<Entry>) -> Result<(), Errno> {
        self.servers.iter().try_for_each(|(share, server)| {
            let entries: Vec<_> = entries
                .extract_if(.., |entry| entry.share == *share)
                .collect();
            match entries.is_empty() {
                true => Ok(()),
                false => server.attach(entries),
            }
        })
    }

    /// Whether an app can join the running machine.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn can_have(
        &self,
        manifest: &PodManifest,
        app: &App,
        has_disk: bool,
    ) -> Result<(), StartFailure> {
        let is_served = |share| self.servers.contains_key(&share);
        let mut shared = app
            .mounts
            .iter()
            .filter(|mount| !is_memory(mount, manifest));
        let unserved = shared.find(|mount| !is_served(share_of(mount, manifest)));
        let what = match unserved {
            Some(mount) => format!("what is mounted on {}", mount.destination),
            None if has_disk || is_served(Share::Own) => return Ok(()),
            None => "the files of another image".to_owned(),
        };
        Err(StartFailure::other(format!(
            "app {} can't join this pod: its machine has been started without a way to get {what}, as it is to be removed \
             at its end; a pod that is kept, or lives until it is stopped, has one",
            app.name
        )))
    }

    /// Makes the directory of an app that joins the running pod.
    ///
    /// # Errors
    /// What failed, on what; nothing of it is left then.
    pub(crate) fn make_app(&self, manifest: &PodManifest, app: &App) -> Result<(), StartFailure> {
        self.pod.make_app(manifest, app)
    }

    /// Takes the volumes of an app away that doesn't run: it finds what they are then when it starts again. What has been
    /// made for its first start is for that.
    ///
    /// # Errors
    /// If they can't be detached.
    pub(crate) fn take_back(&mut self, app: &AppName) -> Result<(), StartFailure> {
        match self.prepared.contains_key(app) {
            true => Ok(()),
            false => {
                let places = self.places.remove(app);
                self.detach(app, places.unwrap_or_default())
            }
        }
    }

    /// Takes all files of an app away that leaves the pod.
    ///
    /// # Errors
    /// If they can't be detached.
    pub(crate) fn remove_app(&mut self, app: &AppName) -> Result<(), StartFailure> {
        self.prepared.remove(app);
        let mut places = self.places.remove(app).unwrap_or_default();
        let root = self.roots.remove(app).map(CString::new);
        places.extend(root.and_then(Result::ok).map(|name| (Share::Own, name)));
        self.detach(app, places)
    }

    fn detach(&self, app: &AppName, places: Vec<(Share, CString)>) -> Result<(), StartFailure> {
        let what = || format!("take the files of app {app} away from the machine");
        for (share, server) in &self.servers {
            let here = places.iter().filter(|(of, _)| of == share);
            let here: Vec<CString> = here.map(|(_, place)| place.clone()).collect();
            if !here.is_empty() {
                server.detach(here).map_err(StartFailure::os(what()))?;
            }
        }
        Ok(())
    }

    /// Who serves them, by pidfds.
    pub(crate) fn processes(&self) -> Vec<OwnedFd> {
        let servers = self.servers.values();
        // Without a descriptor more, the end of it is noticed when the machine ends.
        servers.filter_map(|server| server.process().ok()).collect()
    }

    /// Whether the machine has any.
    pub(crate) fn are_shared(&self) -> bool {
        !self.servers.is_empty()
    }

    /// Why one of those who serve them has ended, if that was not because the machine did.
    pub(crate) fn failure(&self) -> Option<StartFailure> {
        self.servers.values().find_map(FileServer::failure)
    }

    /// Ends those who serve them.
    pub(crate) fn end(&mut self) {
        self.servers.clear();
    }

    fn make(
        &mut self,
        manifest: &PodManifest,
        app: &App,
        root_is_shared: bool,
    ) -> Result<(AppFiles, Vec<Entry>), StartFailure> {
        let mut entries = Vec::new();
        let mut files = AppFiles::default();
        if root_is_shared {
            let share = Share::Own;
            let name = match self.roots.get(&app.name) {
                Some(name) => name.clone(),
                None => {
                    let root = self.pod.root_of(manifest, app)?;
                    let (name, entry) = self.entry(share, root)?;
                    entries.push(entry);
                    name
                }
            };
            files.root = Some(MachineImage::Shared { share, name });
        }
        for mount in &app.mounts {
            if is_memory(mount, manifest) {
                files.mounts.push(in_memory(mount, manifest));
                continue;
            }
            let options = options(mount, manifest, app)?;
            let made = self.pod.mount(manifest, app, mount)?;
            kernel_filesystem::expect_none(&app.name, mount, manifest, &made)?;
            let share = share_of(mount, manifest);
            let (name, entry) = self.entry(share, made)?;
            entries.push(entry);
            files.mounts.push(MachineMount::Shared {
                share,
                name,
                options,
            });
        }
        Ok((files, entries))
    }

    fn entry(&mut self, share: Share, mount: OwnedFd) -> Result<(String, Entry), StartFailure> {
        let name = self.entries.to_string();
        self.entries += 1;
        let guarded = (|| -> Result<bool, Errno> {
            sys::mount_setattr(mount.as_fd(), GUARDED, true)?;
            let mode = fstat(&mount)?.st_mode;
            Ok(FileType::from_raw_mode(mode) == FileType::Directory)
        })();
        let is_directory =
            guarded.map_err(StartFailure::os("guard what is shared with a machine"))?;
        let place = CString::new(name.clone());
        let entry = Entry {
            share,
            name: place.map_err(StartFailure::os("name what is shared with a machine"))?,
            is_directory,
            mount,
        };
        Ok((name, entry))
    }

    fn keep_places(&mut self, app: &App, files: &AppFiles, entries: &[Entry]) {
        let root = match &files.root {
            Some(MachineImage::Shared { name, .. }) => Some(name),
            _ => None,
        };
        let is_root =
            |entry: &&Entry| root.is_some_and(|root| *root.as_bytes() == *entry.name.as_bytes());
        let places = entries.iter().filter(|entry| !is_root(entry));
        let places = places.map(|entry| (entry.share, entry.name.clone()));
        self.places.insert(app.name.clone(), places.collect());
        if let Some(root) = root {
            self.roots.insert(app.name.clone(), root.clone());
        }
    }
}

/// Why a pod needs files of the host, if it does.
fn need(manifest: &PodManifest) -> Option<&'static str> {
    let mut mounts = manifest.apps.iter().flat_map(|app| &app.mounts);
    if mounts.any(|mount| !is_memory(mount, manifest)) {
        return Some("it has volumes");
    }
    let is_kept = !manifest.remove_on_exit;
    match may_grow(manifest) {
        true if is_kept => Some("it is kept when it has ended, unlike one with --rm"),
        true => Some("other apps may join it"),
        false => None,
    }
}

/// Whether apps may join a pod that need what nobody knows yet.
fn may_grow(manifest: &PodManifest) -> bool {
    !manifest.remove_on_exit || manifest.required_features().contains(&Feature::Mutable)
}

/// Among which files something is that is mounted.
fn share_of(mount: &Mount, manifest: &PodManifest) -> Share {
    match &mount.source {
        MountSource::Image { .. } => Share::Own,
        MountSource::Volume { name, .. } => {
            let mut volumes = manifest.volumes.iter();
            match volumes.find(|volume| volume.name == *name) {
                Some(volume) => match &volume.source {
                    VolumeSource::Empty { .. } | VolumeSource::Image { .. } => Share::Own,
                    VolumeSource::Host { .. } | VolumeSource::Named { .. } => Share::Host,
                },
                None => Share::Host,
            }
        }
        _ => Share::Host,
    }
}

fn in_memory(mount: &Mount, manifest: &PodManifest) -> MachineMount {
    let volume = match &mount.source {
        MountSource::Volume { name, .. } => {
            let mut volumes = manifest.volumes.iter();
            volumes.find(|volume| volume.name == *name).cloned()
        }
        _ => None,
    };
    MachineMount::Memory {
        mount: mount.clone(),
        volume,
    }
}

/// How the machine mounts it.
fn options(
    mount: &Mount,
    manifest: &PodManifest,
    app: &App,
) -> Result<Vec<MountOption>, StartFailure> {
    let mut options = mount.options.clone();
    if options.contains(&MountOption::Rshared) {
        return Err(StartFailure::other(format!(
            "app {} can't have {} mounted with `rshared`: what is mounted in a virtual machine is never seen on the host",
            app.name, mount.destination
        )));
    }
    let is_read_only = match &mount.source {
        MountSource::Image { .. } => true,
        MountSource::Volume { name, .. } => manifest
            .volumes
            .iter()
            .filter(|volume| volume.name == *name)
            .any(|volume| volume.read_only || matches!(volume.source, VolumeSource::Image { .. })),
        _ => false,
    };
    options.extend(is_read_only.then_some(MountOption::Rro));
    Ok(options)
}
