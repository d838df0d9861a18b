//! Waiting until a pod in the background is up. A signal that would end the command gives the start up: the pod is
//! nobody's yet.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use engine::Error;
use engine::pods::readiness::{READINESS_MAX, parse};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, read};
use pod::exit::FailureKind;

use super::background::Background;
use crate::console::output;
use crate::sys;
use crate::wording::failure::Failure;

/// Signals that wait, from before there is a monitor. It inherits that they are blocked, so that one that is passed on to
/// it is there when it looks.
#[derive(Debug)]
pub(crate) struct HeldSignals {
    held: SigSet,
    before: SigSet,
    descriptor: SignalFd,
}

impl HeldSignals {
    /// Holds the signals by which users end a command.
    ///
    /// # Errors
    /// If the kernel gives no descriptor for them.
    pub(crate) fn hold() -> Result<Self, Failure> {
        let failed = |errno| Failure::Other(format!("cannot watch for signals: {errno}"));
        let mut held = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            // Who started this under nohup(1) meant it.
            if !sys::is_ignored(signal) {
                held.add(signal);
            }
        }
        let descriptor = SignalFd::with_flags(&held, SfdFlags::SFD_CLOEXEC).map_err(failed)?;
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&held), Some(&mut before)).map_err(failed)?;
        Ok(Self {
            held,
            before,
            descriptor,
        })
    }

    /// What the monitor begins with.
    pub(crate) fn held(&self) -> SigSet {
        self.held
    }

    fn take(&self) -> Option<Signal> {
        let information = self.descriptor.read_signal().ok()??;
        Signal::try_from(i32::try_from(information.ssi_signo).ok()?).ok()
    }

    /// Signals do what they did before.
    pub(crate) fn release(self) {
        // What was blocked before can be blocked again.
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

/// How a start in the background ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The pod is up, and this is its monitor. Signals are still held.
    Up(HeldSignals, Pid),
    /// It did not come up, and its monitor has told why.
    Failed(Failure),
    /// It was given up, and its monitor has ended: by itself, unless it was killed, and all that it had begun.
    GivenUp { failure: Failure, killed: bool },
}

/// Waits for the report of a monitor. If a signal comes before it, that goes to the monitor,
/// and its end is waited for; with a second one it is killed.
pub(crate) fn await_readiness(
    monitor: Background,
    report: OwnedFd,
    signals: HeldSignals,
) -> Outcome {
    let mut given_up = None;
    let mut was_sent_kill = false;
    let readiness = read_report(report, &signals, |signal| match given_up {
        None => {
            given_up = Some(signal);
            monitor.send(signal);
        }
        Some(_) => {
            kill(&monitor);
            was_sent_kill = true;
        }
    });
    let readiness = readiness.and_then(|bytes| Ok(parse(&bytes)?));
    match (given_up, readiness) {
        (None, Ok(())) => Outcome::Up(signals, monitor.pid()),
        (None, Err(failure)) => Outcome::Failed(failure),
        (Some(signal), readiness) => {
            if readiness.is_ok() {
                // Apps that have begun meanwhile may do as they like about other signals.
                monitor.send(Signal::SIGTERM);
            }
            was_sent_kill |= await_end(&monitor, &signals);
            let killed = monitor.was_killed(was_sent_kill);
            signals.release();
            let failure = match readiness {
                Err(Failure::Engine(Error::Refusing {
                    kind: kind @ FailureKind::Interrupted { .. },
                    message,
                })) => Error::Refusing { kind, message }.into(),
                _ => Failure::Interrupted { signal },
            };
            Outcome::GivenUp { failure, killed }
        }
    }
}

/// Reads to the end. Signals that come meanwhile are told of.
fn read_report(
    report: OwnedFd,
    signals: &HeldSignals,
    mut interrupted: impl FnMut(Signal),
) -> Result<Vec<u8>, Failure> {
    let failed = |errno: nix::errno::Errno| {
        Failure::io("read", "the isolator's report")(io::Error::from(errno))
    };
    let mut bytes = Vec::new();
    let mut some = [0; 4096];
    while bytes.len() < READINESS_MAX {
        let (_, signaled) = wait(report.as_fd(), signals);
        // Who sent it had not been told that the pod is up.
        if let Some(signal) = signaled.then(|| signals.take()).flatten() {
            interrupted(signal);
            continue;
        }
        match read(&report, &mut some).map_err(failed)? {
            0 => break,
            count => bytes.extend(some.iter().take(count)),
        }
    }
    Ok(bytes)
}

/// Waits until a descriptor can be read or a signal has come; whether it is the one, the other, or both.
fn wait(descriptor: BorrowedFd<'_>, signals: &HeldSignals) -> (bool, bool) {
    let mut descriptors = [
        PollFd::new(descriptor, PollFlags::POLLIN),
        PollFd::new(signals.descriptor.as_fd(), PollFlags::POLLIN),
    ];
    // If that fails, the next operation waits.
    let _ = poll(&mut descriptors, PollTimeout::NONE);
    let [descriptor, signal] = descriptors;
    (descriptor.any() == Some(true), signal.any() == Some(true))
}

/// Waits for the end of a monitor. Whether it was sent SIGKILL meanwhile.
fn await_end(monitor: &Background, signals: &HeldSignals) -> bool {
    let mut was_sent_kill = false;
    while let (false, true) = wait(monitor.as_fd(), signals) {
        if signals.take().is_some() {
            kill(monitor);
            was_sent_kill = true;
        }
    }
    was_sent_kill
}

fn kill(monitor: &Background) {
    output::warn("the pod's monitor was killed; `fairing gc` clears what it left");
    monitor.send(Signal::SIGKILL);
}
