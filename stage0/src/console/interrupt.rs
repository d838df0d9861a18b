//! Signals that end a fetch or an export: it takes away what it has staged, and the exit code names the signal.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::{self, JoinHandle};

use image_store::Interrupt;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::report;
use crate::sys;
use crate::wording::failure::Failure;

/// Milliseconds that a fetch has to stop by itself. A registry that is silent may keep it longer.
const PATIENCE: u16 = 500;

/// While one of these lives, SIGINT, SIGTERM and SIGHUP ask the fetch to end. It blocks them, so it
/// has to be made before the fetch starts threads, and starts one itself.
#[derive(Debug)]
pub(crate) struct Interruptible {
    state: Arc<State>,
    /// The signals that were blocked before.
    before: SigSet,
    waker: UnixStream,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// The signal that came.
    caught: AtomicI32,
    /// Whether something is staged that should go.
    staging: AtomicBool,
    interrupt: Interrupt,
}

impl Interruptible {
    /// Watches for signals from now on.
    ///
    /// # Errors
    /// If the kernel gives no descriptor or thread for it.
    pub(crate) fn begin() -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::Other(format!("cannot watch for signals: {error}"));
        let mut wanted = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            // Who started this under nohup(1) or in the background meant it.
            if !sys::is_ignored(signal) {
                wanted.add(signal);
            }
        }
        let signals = SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC)
            .map_err(|errno| failed(errno.into()))?;
        let (waker, end) = UnixStream::pair().map_err(failed)?;
        let mut before = SigSet::empty();
        pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&wanted), Some(&mut before))
            .map_err(|errno| failed(errno.into()))?;
        let state = Arc::new(State::default());
        let mut watch = Self {
            state: Arc::clone(&state),
            before,
            waker,
            thread: None,
        };
        let spawned = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || state.watch(&signals, &end));
        watch.thread = Some(spawned.map_err(failed)?);
        Ok(watch)
    }

    /// What stops the fetch.
    pub(crate) fn interrupt(&self) -> Interrupt {
        self.state.interrupt.clone()
    }

    /// From now on there is something to take away.
    pub(crate) fn staging(&self) {
        self.state.staging.store(true, Ordering::Relaxed);
    }

    /// Signals do what they did before.
    ///
    /// # Errors
    /// [`Failure::Interrupted`] if one came.
    pub(crate) fn end(self) -> Result<(), Failure> {
        let state = Arc::clone(&self.state);
        drop(self);
        match Signal::try_from(state.caught.load(Ordering::Relaxed)) {
            Ok(signal) => Err(Failure::Interrupted { signal }),
            Err(_) => Ok(()),
        }
    }
}

/// Does `work`, which writes what nobody may find half written: a signal that ends it takes that away.
///
/// # Errors
/// What `work` says; [`Failure::Interrupted`] if a signal came.
pub(crate) fn until_signal<T>(
    work: impl FnOnce(&Interrupt) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let signals = Interruptible::begin()?;
    signals.staging();
    let done = work(&signals.interrupt());
    signals.end()?;
    done
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        // The other end is there until the thread has ended, which is all that is wanted.
        let _ = self.waker.write_all(b"!");
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        // What was blocked before can be blocked again.
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

impl State {
    fn watch(&self, signals: &SignalFd, end: &UnixStream) {
        if !ready(signals, end, PollTimeout::NONE) {
            return;
        }
        let Some(signal) = taken(signals) else { return };
        self.caught.store(signal as i32, Ordering::Relaxed);
        if self.staging.load(Ordering::Relaxed) {
            self.interrupt.set();
            // A second signal means that it shall end now.
            if !ready(signals, end, PollTimeout::from(PATIENCE)) && ended(end) {
                return;
            }
        }
        self.interrupt.abandon();
        let failure = Failure::Interrupted { signal };
        report::print(&failure);
        exit(i32::from(failure.exit_code()))
    }
}

/// Waits for a signal or the end; whether it is a signal that came.
fn ready(signals: &SignalFd, end: &UnixStream, timeout: PollTimeout) -> bool {
    let mut descriptors = [
        PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        PollFd::new(end.as_fd(), PollFlags::POLLIN),
    ];
    let polled = poll(&mut descriptors, timeout);
    let [signals, end] = descriptors;
    polled.is_ok() && end.any() != Some(true) && signals.any() == Some(true)
}

fn ended(end: &UnixStream) -> bool {
    let mut descriptors = [PollFd::new(end.as_fd(), PollFlags::POLLIN)];
    poll(&mut descriptors, PollTimeout::ZERO).is_ok_and(|count| count > 0)
}

fn taken(signals: &SignalFd) -> Option<Signal> {
    let information = signals.read_signal().ok()??;
    Signal::try_from(i32::try_from(information.ssi_signo).ok()?).ok()
}
