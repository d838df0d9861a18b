//! Pod init as the first program of a machine: what a distribution's programs do before anything else.
//!
//! The kernel's first root is the archive that it was started with ([`crate::first_root`]). In it are modules, of which
//! those that are needed are loaded in the order of their names, and this program, which a template executes twice. Then
//! the root becomes an empty one, as no other can be put in the place of the kernel's.

use std::fs::OpenOptions;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, mkdir, openat, unlinkat};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MoveMountFlags, mount_move, move_mount};
use rustix::process::{chdir, chroot};
use rustix::system::finit_module;

use super::timer;
use crate::app::detached::mount_detached;
use crate::failure::StartFailure;
use crate::first_root::{MODULES, Purpose};

/// The new root, until it is entered.
const ROOT: &str = "/new";
pub(super) const DEVICES: &str = "/dev";
/// How long the port may take to appear once its driver is loaded: the kernel asks the other side for it.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(1);

/// Makes the machine ready, and opens the port that leads to the monitor.
///
/// # Errors
/// What failed.
pub(super) fn begin(purposes: &[Purpose]) -> Result<OwnedFd, StartFailure> {
    Modules::open()?.load(purposes, |_| true)?;
    make_ready()
}

/// Makes the machine's root, and opens the port, once the modules are loaded.
pub(super) fn make_ready() -> Result<OwnedFd, StartFailure> {
    timer::expect()?;
    let root = mount_detached(
        "tmpfs",
        &[("mode", "755")],
        MountAttrFlags::MOUNT_ATTR_NODEV,
    )?;
    place(&root, ROOT)?;
    let devices = mount_detached("devtmpfs", &[], MountAttrFlags::empty())?;
    place(&devices, &format!("{ROOT}{DEVICES}"))?;
    place(
        &mount_detached("sysfs", &[], MountAttrFlags::empty())?,
        &format!("{ROOT}/sys"),
    )?;
    (|| {
        chdir(ROOT)?;
        mount_move(".", "/")?;
        chroot(".")?;
        chdir("/")
    })()
    .map_err(StartFailure::os("enter the machine's root"))?;
    open_port()
}

/// The modules of the archive, also when nothing leads there any more.
#[derive(Debug)]
pub(super) struct Modules(OwnedFd);

impl Modules {
    pub(super) fn open() -> Result<Self, StartFailure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(CWD, format!("/{MODULES}"), flags, Mode::empty());
        Ok(Self(folder.map_err(StartFailure::os(format_args!(
            "read /{MODULES}"
        )))?))
    }

    /// Loads those that any machine needs and those for these purposes, if their names are wanted, and frees the memory
    /// that they took.
    pub(super) fn load(
        &self,
        purposes: &[Purpose],
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<(), StartFailure> {
        let is_needed = |one: &Purpose| *one == Purpose::Machine || purposes.contains(one);
        let mut needed = Purpose::ALL.into_iter().filter(is_needed);
        needed.try_for_each(|purpose| self.load_for(purpose, &is_wanted))
    }

    fn load_for(
        &self,
        purpose: Purpose,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<(), StartFailure> {
        let name = purpose.name();
        let read = || StartFailure::os::<Errno>(format!("read /{MODULES}/{name}"));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = match openat(&self.0, name, flags, Mode::empty()) {
            // The kernel has all of it built in, or nothing.
            Err(Errno::NOENT) => return Ok(()),
            folder => folder.map_err(read())?,
        };
        let entries = Dir::read_from(&folder).map_err(read())?;
        let mut files = entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<Result<Vec<String>, Errno>>()
            .map_err(read())?;
        files.retain(|file| module_name(file).is_some_and(&is_wanted));
        files.sort();
        for file in files {
            let what = format!("load the kernel module {file}");
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let module = openat(&folder, &file, flags, Mode::empty())
                .map_err(StartFailure::os(what.clone()))?;
            match finit_module(&module, c"", 0) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(StartFailure::os(what)(error)),
            }
            // What stays there takes memory, and does no harm else.
            let _ = unlinkat(&folder, &file, AtFlags::empty());
        }
        Ok(())
    }
}

/// The name of the module in a file such as `007-virtio_blk.ko`.
fn module_name(file: &str) -> Option<&str> {
    let (_, name) = file.split_once('-')?;
    name.strip_suffix(".ko")
}

pub(super) fn place(mount: &OwnedFd, path: &str) -> Result<(), StartFailure> {
    match mkdir(path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(StartFailure::os(format_args!("make {path}"))(error)),
    }
    let whole = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(mount.as_fd(), "", CWD, path, whole)
        .map_err(StartFailure::os(format_args!("mount {path}")))
}

/// The first serial port of virtio, the only one that a machine has.
fn open_port() -> Result<OwnedFd, StartFailure> {
    let begun = Instant::now();
    loop {
        let entries =
            std::fs::read_dir(DEVICES).map_err(StartFailure::os(format_args!("read {DEVICES}")))?;
        let port = entries.flatten().find(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("vport") && name.ends_with("p1")
        });
        if let Some(port) = port {
            let path = port.path();
            let opened = OpenOptions::new().read(true).write(true).open(&path);
            match opened {
                Ok(port) => return Ok(port.into()),
                // Its name is there a moment before it.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => {}
                Err(error) => {
                    let what = format_args!("open {}", path.display());
                    return Err(StartFailure::os(what)(error));
                }
            }
        }
        if begun.elapsed() > PATIENCE {
            return Err(StartFailure::other(
                "the machine has no serial port that leads to the monitor",
            ));
        }
        // Nothing is there yet that could be waited for.
        sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::module_name;

    #[test]
    fn files_have_the_names_of_modules_and_others_are_none() {
        assert_eq!(module_name("005-virtio_blk.ko"), Some("virtio_blk"));
        assert_eq!(module_name(".."), None);
        assert_eq!(module_name("README"), None);
    }
}
