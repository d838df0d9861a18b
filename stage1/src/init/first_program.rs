//! Pod init as the first program of a machine: what a distribution's programs do before anything else.
//!
//! The kernel's first root is the archive that it was started with. In it are modules, which are loaded in the order of their
//! names, and this program. Then the root becomes an empty one, as no other can be put in the place of the kernel's.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, mkdir};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MoveMountFlags, mount_move, move_mount};
use rustix::process::{chdir, chroot};
use rustix::system::finit_module;

use crate::app::detached::mount_detached;
use crate::failure::StartFailure;

/// Where the modules are.
const MODULES: &str = "/modules";
/// And those by which disks are checked.
const MODULES_FOR_CHECKS: &str = "/modules-checks";
/// The new root, until it is entered.
const ROOT: &str = "/new";
const DEVICES: &str = "/dev";
/// How long the port may take to appear once its driver is loaded: the kernel asks the other side for it.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(1);

/// Makes the machine ready, and opens the port that leads to the monitor.
///
/// # Errors
/// What failed.
pub(super) fn begin(checks_disks: bool) -> Result<OwnedFd, StartFailure> {
    load_modules(MODULES)?;
    match checks_disks {
        true => load_modules(MODULES_FOR_CHECKS)?,
        // What stays there takes memory, and does no harm else.
        false => drop(std::fs::remove_dir_all(MODULES_FOR_CHECKS)),
    }
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

/// Loads the modules, and frees the memory that they took.
fn load_modules(folder: &str) -> Result<(), StartFailure> {
    let failed = StartFailure::os::<std::io::Error>;
    let entries = std::fs::read_dir(folder).map_err(failed(format!("read {folder}")))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<PathBuf>, std::io::Error>>()
        .map_err(failed(format!("read {folder}")))?;
    paths.sort();
    for path in paths {
        let what = format!("load the kernel module {}", path.display());
        let file = File::open(&path).map_err(failed(what.clone()))?;
        match finit_module(&file, c"", 0) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(StartFailure::os(what)(error)),
        }
        // What stays there takes memory, and does no harm else.
        let _ = std::fs::remove_file(&path);
    }
    Ok(())
}

fn place(mount: &OwnedFd, path: &str) -> Result<(), StartFailure> {
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
