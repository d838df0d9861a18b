//! Pod init: pid 1 inside of the pod.
//!
//! It starts the apps, reaps whatever ends, decides when the pod ends ([`supervisor`]), and serves what the
//! monitor asks. Its root is a small filesystem of its own: of the host it sees nothing once the apps' root
//! filesystems are mounted.

mod event_loop;
mod pod_root;
mod supervisor;

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use pod::seqpacket::SeqPacket;

use crate::app::launch::PreparedApp;
use crate::app::rootfs::Storage;
use crate::failure::StartFailure;
use crate::protocol::{AppSpec, FromInit, INIT_SOCKET_FD, Setup, ToInit};
use crate::sys;

/// Runs pod init to its end. The exit code says only whether the pod could be started: all else goes to
/// the monitor.
pub fn run() -> ExitCode {
    let monitor = SeqPacket::from_fd(sys::adopt_fd(INIT_SOCKET_FD));
    match start(&monitor) {
        Ok(mut pod) => pod.run(&monitor),
        Err(failure) => {
            // If the monitor is gone, so is the pod.
            let _ = monitor.send(&FromInit::Failed(failure), &[]);
            ExitCode::FAILURE
        }
    }
}

fn start(monitor: &SeqPacket) -> Result<event_loop::Pod, StartFailure> {
    sys::die_with_parent_and_hide().map_err(StartFailure::os("prepare pod init"))?;
    sys::close_on_exec_from(INIT_SOCKET_FD as u32).map_err(StartFailure::os("prepare pod init"))?;
    // Children end while they are being started: their signal waits for the event loop.
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&children), None)
        .map_err(StartFailure::os("block SIGCHLD"))?;
    rustix::process::umask(rustix::fs::Mode::empty());

    let (setup, specs) = receive_pod(monitor)?;
    nix::unistd::sethostname(&setup.hostname)
        .map_err(StartFailure::os(format_args!("set the host name {}", setup.hostname)))?;
    pod_root::make_private()?;
    let storage = Storage::open(&setup.layers_dir, &setup.pod_dir, setup.discard_changes)?;
    let mut prepared = Vec::with_capacity(specs.len());
    for (spec, fds) in specs {
        prepared.push(PreparedApp::new(spec, fds, &storage)?);
    }
    drop(storage);
    pod_root::enter(&setup)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));

    let mut pod = event_loop::Pod::new(setup.grace_period_ms);
    for app in prepared {
        let (running, terminal) = app.start(&setup.hostname)?;
        pod.add(monitor, running, terminal)?;
    }
    pod.started(monitor)?;
    Ok(pod)
}

type AppWithFds = (AppSpec, Vec<OwnedFd>);

/// What the monitor sends before it waits for an answer.
fn receive_pod(monitor: &SeqPacket) -> Result<(Setup, Vec<AppWithFds>), StartFailure> {
    let mut setup = None;
    let mut specs = Vec::new();
    loop {
        let (message, fds) =
            monitor.recv()?.ok_or_else(|| StartFailure::other("the monitor is gone"))?;
        match message {
            ToInit::Setup(received) => setup = Some(received),
            ToInit::App(spec) => specs.push((*spec, fds)),
            ToInit::Start => {
                let setup = setup.ok_or_else(|| StartFailure::other("no setup came"))?;
                return Ok((setup, specs));
            }
            other => return Err(StartFailure::other(format!("{other:?} came before the start"))),
        }
    }
}
