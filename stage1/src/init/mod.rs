//! Pod init: pid 1 inside of the pod, or where a pod is not kept apart from the host, one of its processes.
//!
//! It starts the apps, reaps whatever ends, decides when the pod ends (`supervisor`), and serves what the
//! monitor asks. Its root is a small filesystem of its own: of the host it sees nothing once the apps' root
//! filesystems are mounted.

mod abandoned;
mod cgroups;
mod commands;
mod ending;
mod event_loop;
mod first_program;
mod ground;
mod hosts_file;
mod leftovers;
mod machine;
mod memory_kills;
mod overdue;
mod pod_memory;
mod pod_root;
mod privileges;
mod probes;
mod reach;
mod shared_files;
mod starting;
mod starts;
mod supervisor;
mod sysctl;
mod template;
mod timer;
mod verity;

use std::os::fd::OwnedFd;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::unistd::Pid;
use pod::manifest::{HostNamespace, Lifetime};
use pod::stage1::adopt_fd;
use rustix::system::RebootCommand;

#[cfg(any(test, feature = "fuzzing"))]
pub use self::probes::fuzzing;

use self::event_loop::Pod;
use self::ground::{Ground, Inherited};
use self::hosts_file::HostsFile;
use self::machine::Machine;
use self::pod_memory::PodMemory;
use self::pod_root::PodRoot;
use self::reach::Reach;
use crate::app::devices::DeviceBounds;
use crate::app::launch::{PodSetup, PreparedApp};
use crate::failure::StartFailure;
use crate::first_root::FirstWords;
use crate::link::descriptors::{INIT_SOCKET_FD, ToParent};
use crate::link::framed::ToHost;
use crate::link::{Enclosed, InitRequest, MonitorLink};
use crate::protocol::{FromInit, Setup, ToInit};
use crate::sys;

/// Runs pod init as a child of the monitor, to its end. The exit code says only whether the pod could be started: all
/// else goes to the monitor.
pub fn run() -> i32 {
    let mut link = match adopt_fd(INIT_SOCKET_FD) {
        Ok(socket) => ToParent::new(socket),
        // Nobody has started this who could be told.
        Err(_) => return 1,
    };
    match bind_to_monitor(&link).and_then(|()| privileges::leave_session()) {
        Ok(()) => {
            let code = serve(&mut link, &mut Inherited);
            // At once: the kernel closes everything faster than destructors do.
            std::process::exit(code)
        }
        Err(failure) => {
            // If the monitor is gone, so is the pod.
            let _ = link.send(&FromInit::Failed(failure), Enclosed::default());
            1
        }
    }
}

/// Runs pod init as pid 1 of a machine of its own, which it powers off at the end. `port` leads to the monitor: a port of
/// the machine, or a stream socket. Returns only if the machine can't be powered off.
///
/// # Errors
/// [`StartFailure`] if nobody can be talked to, or this is not pid 1.
pub fn run_machine(port: OwnedFd) -> Result<i32, StartFailure> {
    if std::process::id() != 1 {
        return Err(StartFailure::other(
            "pod init powers off its machine, and so runs as pid 1 alone",
        ));
    }
    sys::close_on_exec_from(3).map_err(StartFailure::os("prepare pod init"))?;
    // The kernel called it by its place in the first root.
    let _ = rustix::thread::set_name(c"pod-init");
    let mut link = ToHost::new(port)?;
    match Machine::new() {
        Ok(mut machine) => {
            serve(&mut link, &mut machine);
        }
        Err(failure) => {
            // If the monitor is gone, nobody wants to know.
            let _ = link.send(&FromInit::Failed(failure), Enclosed::default());
        }
    }
    // Everything in this pid namespace but pid 1: their output ends, and can be sent to its end.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    // Whatever failed, the machine ends.
    let _ = link.drain();
    rustix::fs::sync();
    let failed = rustix::system::reboot(RebootCommand::PowerOff);
    failed.map_err(StartFailure::os("power off"))?;
    Ok(0)
}

/// The same for the first program of a machine, which has nothing yet: modules of the kernel are loaded, and the port is
/// found. One that is a template waits then, and goes on in its copies.
///
/// # Errors
/// What failed before there was a port to tell of it.
pub fn run_first(words: &FirstWords) -> Result<i32, StartFailure> {
    if std::process::id() != 1 {
        return Err(StartFailure::other(
            "only the first program of a machine makes it ready",
        ));
    }
    match words.is_template {
        true => Err(template::begin(&words.purposes)),
        false => run_machine(first_program::begin(&words.purposes)?),
    }
}

/// Makes sure that this process ends with the monitor.
fn bind_to_monitor(link: &ToParent) -> Result<(), StartFailure> {
    sys::die_with_parent_and_hide().map_err(StartFailure::os("prepare pod init"))?;
    if link.monitor_is_gone()? {
        return Err(StartFailure::other("the monitor is gone"));
    }
    Reach::own().secure()?;
    sys::close_on_exec_from(INIT_SOCKET_FD as u32).map_err(StartFailure::os("prepare pod init"))
}

/// Runs the pod that the monitor describes, on this ground. Returns 0 if it was started and ran to its end.
pub(crate) fn serve(link: &mut dyn MonitorLink, ground: &mut dyn Ground) -> i32 {
    let ended = begin(link, ground).and_then(|mut pod| {
        let ended = pod.run(link, ground);
        pod.leave_nothing();
        ended
    });
    let last_word = match ended {
        Ok(exit_code) => FromInit::Finished { exit_code },
        Err(failure) => FromInit::Failed(failure),
    };
    // If the monitor is gone, so is the reason to go on.
    let _ = link.send(&last_word, Enclosed::default());
    i32::from(matches!(last_word, FromInit::Failed(_)))
}

fn begin(link: &mut dyn MonitorLink, ground: &mut dyn Ground) -> Result<Pod, StartFailure> {
    sys::default_signals();
    // Children end while they are being started: their signal waits for the event loop.
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&children), None)
        .map_err(StartFailure::os("block SIGCHLD"))?;
    // Modes of devices and mount points are meant as they are written; each app gets the usual mask.
    rustix::process::umask(rustix::fs::Mode::empty());
    privileges::keep_limits()?;

    let (setup, hosts, apps) = prepare(link, ground)?;
    let wanted = apps.iter().map(PreparedApp::wanted_capabilities);
    let held = match ground.needs_all_capabilities() || setup.lifetime == Lifetime::UntilStopped {
        // An app that comes later may be given all there is.
        true => u64::MAX,
        false => wanted.fold(privileges::kept(), |all, some| all | some),
    };
    if held != u64::MAX {
        privileges::give_up_capabilities(held)?;
    }
    let memory = ground.cgroups().and_then(PodMemory::of);
    Ok(Pod::new(setup, hosts, apps, held, memory))
}

/// Takes what the monitor sends, up to the start: by then pod init is in its own root.
fn prepare(
    link: &mut dyn MonitorLink,
    ground: &mut dyn Ground,
) -> Result<(Setup, HostsFile, Vec<PreparedApp>), StartFailure> {
    let setup = match link.wait()?.message {
        ToInit::Setup(setup) => *setup,
        other => {
            return Err(StartFailure::other(format!(
                "{other:?} came before the setup"
            )));
        }
    };
    if !setup.new_privileges {
        privileges::forgo_new()?;
    }
    if !setup.host_namespaces.contains(&HostNamespace::Uts) {
        nix::unistd::sethostname(&setup.hostname).map_err(StartFailure::os(format_args!(
            "set the host name {}",
            setup.hostname
        )))?;
    }
    if let (Some(cgroups), Some(resources)) = (ground.cgroups(), &setup.resources) {
        cgroups.limit_pod(resources)?;
    }
    let root = PodRoot::attach(&setup)?;
    let mut prepared = Vec::new();
    loop {
        let InitRequest {
            message,
            streams,
            handed_over,
        } = link.wait()?;
        match message {
            ToInit::App(spec) => {
                let ground = ground.app(&spec, handed_over)?;
                let pod = PodSetup {
                    bounds: DeviceBounds::of(&setup),
                    user_namespace: setup.user_namespace.as_ref(),
                    queue_label: setup.queue_label(),
                };
                prepared.push(PreparedApp::new(*spec, streams, ground, pod)?);
            }
            ToInit::Start(names) => {
                let hosts = root.write_names(&names)?;
                ground.network(handed_over)?;
                sysctl::set(&setup.sysctl)?;
                ground.enter(root)?;
                return Ok((setup, hosts, prepared));
            }
            other => {
                return Err(StartFailure::other(format!(
                    "{other:?} came before the start"
                )));
            }
        }
    }
}
