//! Pod init in a template: a machine that has booted and waits, and whose copies become machines of their own.
//!
//! Nothing of a pod or an image is in it. What has to differ between copies is made new before anything else happens: what
//! the kernel draws random numbers from, the time, hardware addresses, and at last pod init itself, which executes itself
//! again. What the kernel has laid out when it booted stays the same in all of them.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use cni_glue::Netns;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MountAttrFlags, UnmountFlags, unmount};
use rustix::time::{ClockId, Timespec, clock_settime};

use super::first_program::{DEVICES, Modules, make_ready, place};
use crate::app::detached::mount_detached;
use crate::awakening::{ASKED, AWAKE, Awakening, HostTime, WAITING};
use crate::failure::StartFailure;
use crate::first_root::Purpose;
use crate::sys::{self, CStringArray};

/// Drivers that ask a device what it is as soon as they are loaded: a template's devices are not those of its copies.
const LATE_MODULES: [&str; 2] = ["virtio_blk", "virtio_net"];
/// This program.
const PROGRAM: &str = "/init";
/// Where interfaces are found by.
const PROC: &str = "/proc";

/// Makes the machine ready, waits until this is a copy, and makes it a machine of its own. Pod init is executed again then,
/// with the port as its standard input: so this returns only if something failed.
pub(super) fn begin(purposes: &[Purpose]) -> StartFailure {
    let copied = (|| {
        let modules = Modules::open()?;
        modules.load(purposes, |name| !LATE_MODULES.contains(&name))?;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let program = openat(CWD, PROGRAM, flags, Mode::empty())
            .map_err(StartFailure::os(format_args!("open {PROGRAM}")))?;
        let port = make_ready()?;
        awake(&port, &modules, purposes)?;
        Ok(execute(&port, &program))
    })();
    copied.unwrap_or_else(|failure| failure)
}

fn awake(port: &OwnedFd, modules: &Modules, purposes: &[Purpose]) -> Result<(), StartFailure> {
    let failed = || StartFailure::os::<std::io::Error>("speak to the monitor");
    let port = port.try_clone().map_err(failed())?;
    let mut port = File::from(port);
    port.write_all(WAITING).map_err(failed())?;
    // All that follows happens in copies.
    let Awakening { seed, interfaces } = Awakening::read(&mut port).map_err(failed())?;
    let random = format!("{DEVICES}/urandom");
    let device = openat(CWD, &random, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(StartFailure::os(format_args!("open {random}")))?;
    sys::reseed(device.as_fd(), seed).map_err(StartFailure::os("seed random numbers"))?;
    set_clock(&mut port)?;
    modules.load(purposes, |name| LATE_MODULES.contains(&name))?;
    if interfaces.is_empty() {
        return Ok(());
    }
    place(&mount_detached("proc", &[], MountAttrFlags::empty())?, PROC)?;
    let network_failed = |error: cni_glue::NetworkError| StartFailure::other(error.to_string());
    let mut network = Netns::of_this_thread().map_err(network_failed)?;
    for (old, new) in interfaces {
        network.change_mac(old, new).map_err(network_failed)?;
    }
    // Pod init mounts its own.
    unmount(PROC, UnmountFlags::DETACH).map_err(StartFailure::os(format_args!("unmount {PROC}")))
}

/// Sets the clock to the host's time.
fn set_clock(port: &mut File) -> Result<(), StartFailure> {
    let answers = (0..ASKED).map(|_| {
        let asked = Instant::now();
        port.write_all(AWAKE)?;
        let HostTime(time) = HostTime::read(port)?;
        Ok((asked.elapsed(), asked, time))
    });
    let answers = answers
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(StartFailure::os("ask the monitor for the time"))?;
    let best = answers.into_iter().min_by_key(|(taken, ..)| *taken);
    let Some((taken, asked, time)) = best else {
        return Ok(());
    };
    // It was so late half way between question and answer.
    let now = time + asked.elapsed().saturating_sub(taken / 2);
    let now = Timespec {
        tv_sec: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: now.subsec_nanos().into(),
    };
    clock_settime(ClockId::Realtime, now).map_err(StartFailure::os("set the clock"))
}

/// So that neither its stack nor what guards it is that of other copies.
fn execute(port: &OwnedFd, program: &OwnedFd) -> StartFailure {
    let arguments = CStringArray::new(["pod-init", "machine"]);
    let (Ok(arguments), Ok(environment)) = (arguments, CStringArray::new([])) else {
        return StartFailure::other("pod init can't be named");
    };
    if let Err(error) = rustix::stdio::dup2_stdin(port) {
        return StartFailure::os("hand the port over")(error);
    }
    let error = sys::execveat(program.as_fd(), &arguments, &environment);
    StartFailure::os("execute pod init again")(error)
}
