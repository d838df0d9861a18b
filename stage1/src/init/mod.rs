//! Pod init: pid 1 inside of the pod.
//!
//! It starts the apps, reaps whatever ends, decides when the pod ends (`supervisor`), and serves what the
//! monitor asks. Its root is a small filesystem of its own: of the host it sees nothing once the apps' root
//! filesystems are mounted.

mod event_loop;
mod hosts_file;
mod pod_root;
mod supervisor;

use std::os::fd::AsFd;
use std::process::ExitCode;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use pod::seqpacket::SeqPacket;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use self::hosts_file::HostsFile;
use self::pod_root::PodRoot;
use crate::app::confinement::Confinement;
use crate::app::launch::PreparedApp;
use crate::app::rootfs::Storage;
use crate::failure::StartFailure;
use crate::protocol::{FromInit, INIT_SOCKET_FD, Setup, ToInit};
use crate::sys;

/// Runs pod init to its end. The exit code says only whether the pod could be started: all else goes to
/// the monitor.
pub fn run() -> ExitCode {
    let monitor = SeqPacket::from_fd(sys::adopt_fd(INIT_SOCKET_FD));
    match start(&monitor) {
        Ok(mut pod) => {
            let code = pod.run(&monitor);
            // At once: the kernel closes everything faster than destructors do.
            std::process::exit(code)
        }
        Err(failure) => {
            // If the monitor is gone, so is the pod.
            let _ = monitor.send(&FromInit::Failed(failure), &[]);
            ExitCode::FAILURE
        }
    }
}

fn start(monitor: &SeqPacket) -> Result<event_loop::Pod, StartFailure> {
    sys::die_with_parent_and_hide().map_err(StartFailure::os("prepare pod init"))?;
    if monitor_is_gone(monitor)? {
        return Err(StartFailure::other("the monitor is gone"));
    }
    sys::close_on_exec_from(INIT_SOCKET_FD as u32).map_err(StartFailure::os("prepare pod init"))?;
    sys::default_signals();
    // Children end while they are being started: their signal waits for the event loop.
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&children), None)
        .map_err(StartFailure::os("block SIGCHLD"))?;
    // Modes of devices and mount points are meant as they are written; each app gets the usual mask.
    rustix::process::umask(rustix::fs::Mode::empty());

    let (setup, hosts, prepared) = prepare(monitor)?;
    let mut pod = event_loop::Pod::new(setup.grace_period_ms, hosts);
    let confinement = Confinement::without(&setup.insecure_options)?;
    for app in prepared {
        let (running, terminal) = app.start(&setup.hostname, confinement)?;
        pod.add(monitor, running, terminal)?;
    }
    pod.started(monitor)?;
    Ok(pod)
}

/// Takes what the monitor sends, up to the start: by then every app's root filesystem stands, and
/// pod init is in its own root.
fn prepare(monitor: &SeqPacket) -> Result<(Setup, HostsFile, Vec<PreparedApp>), StartFailure> {
    let next = || {
        monitor
            .recv()?
            .ok_or_else(|| StartFailure::other("the monitor is gone"))
    };
    let setup = match next()? {
        (ToInit::Setup(setup), _) => setup,
        (other, _) => {
            return Err(StartFailure::other(format!(
                "{other:?} came before the setup"
            )));
        }
    };
    nix::unistd::sethostname(&setup.hostname).map_err(StartFailure::os(format_args!(
        "set the host name {}",
        setup.hostname
    )))?;
    let root = PodRoot::attach(&setup)?;
    let storage = Storage::open(&setup.layers_dir, &setup.pod_dir, setup.discard_changes)?;
    let mut prepared = Vec::new();
    loop {
        match next()? {
            (ToInit::App(spec), fds) => {
                let mut sockets = Vec::new();
                while sockets.len() < spec.sockets.len() {
                    match next()? {
                        (ToInit::Sockets, some) if !some.is_empty() => sockets.extend(some),
                        (other, _) => {
                            return Err(StartFailure::other(format!(
                                "{other:?} came before the sockets of app {}",
                                spec.app.name
                            )));
                        }
                    }
                }
                prepared.push(PreparedApp::new(*spec, fds, sockets, &storage)?);
            }
            (ToInit::Start(names), fds) => {
                let hosts = root.write_names(&names)?;
                if let Some(network) = fds.first() {
                    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
                        .map_err(StartFailure::os("enter the pod's network namespace"))?;
                }
                drop(storage);
                root.enter()?;
                return Ok((setup, hosts, prepared));
            }
            (other, _) => {
                return Err(StartFailure::other(format!(
                    "{other:?} came before the start"
                )));
            }
        }
    }
}

/// Whether the monitor died before this process had asked to be told: what it sent is still there to be
/// read, but nobody would end the pod.
fn monitor_is_gone(monitor: &SeqPacket) -> Result<bool, StartFailure> {
    let mut fds = [PollFd::new(monitor.as_fd(), PollFlags::empty())];
    poll(&mut fds, PollTimeout::ZERO).map_err(StartFailure::os("look for the monitor"))?;
    let [fd] = fds;
    Ok(fd
        .revents()
        .is_some_and(|events| events.contains(PollFlags::POLLHUP)))
}
