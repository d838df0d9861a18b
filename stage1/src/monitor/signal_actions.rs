//! What the monitor does when it gets a signal: it is the process that somebody has started.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use pod::manifest::Lifetime;

use super::event_loop::Monitor;
use super::interrupts::Escalation;
use super::isolator::Isolator;
use super::pump::Standard;
use super::signals::{self, Meaning};
use crate::failure::StartFailure;
use crate::protocol::ToInit;
use crate::timing::monotonic_microseconds;

const SIGHUP: i32 = Signal::SIGHUP as i32;

impl Monitor {
    /// Does what those signals ask for that have come.
    pub(super) fn take_signals(&mut self, isolator: &mut dyn Isolator) -> Result<(), StartFailure> {
        while let Ok(Some(info)) = self.signals.read_signal() {
            let (signal, meaning) = signals::meaning_of(&info);
            match meaning {
                Meaning::Nothing => {}
                Meaning::Peers => {
                    if let Some(peers) = &mut self.peers {
                        peers.changed(Instant::now());
                    }
                }
                Meaning::Suspend => signals::suspend(),
                meaning if self.init_is_dead => {
                    // Who asked for the end was heard after it: signals may reach the apps first.
                    self.stop_requested |= matches!(meaning, Meaning::End);
                    self.give_up_output |= signals::ends_by_default(signal);
                }
                Meaning::Size if self.streams.has_terminal() => self.resize()?,
                Meaning::Continue => {
                    // Whoever had the terminal meanwhile has left it as it likes it, and as large.
                    self.streams.take_terminal_again();
                    self.resize()?;
                    self.pass_on(signal)?;
                }
                Meaning::InterruptKey if self.escalates() => self.escalate(signal, isolator)?,
                Meaning::End => self.stop_by(info.ssi_signo, isolator)?,
                // A service manager's way to have a service read its configuration again.
                Meaning::Interrupt if self.is_service && signal == SIGHUP => self.reload()?,
                // Its apps are not what whoever sits before it has started.
                Meaning::Interrupt | Meaning::InterruptKey if self.stays() => {
                    self.stop_by(info.ssi_signo, isolator)?;
                }
                Meaning::Interrupt | Meaning::InterruptKey => {
                    self.passed_on = Some(signal);
                    self.pass_on(signal)?;
                }
                Meaning::Size | Meaning::Other => self.pass_on(signal)?,
            }
        }
        Ok(())
    }

    /// Whether the pod may outlive its apps.
    fn stays(&self) -> bool {
        self.manifest.lifetime == Lifetime::UntilStopped || self.supervision.is_some()
    }

    /// Whether the key for an interrupt means more each time: not where the terminal is an app's.
    fn escalates(&self) -> bool {
        !self.streams.has_terminal()
    }

    fn escalate(&mut self, signal: i32, isolator: &mut dyn Isolator) -> Result<(), StartFailure> {
        let (stays, stops) = (self.stays(), self.stop_requested);
        let escalation = self.interrupts.typed(Instant::now(), stays, stops);
        // Where it leads to a file or another program, nobody reads there what the next key does.
        if Standard::Error.is_terminal() {
            self.diagnostics.tell(escalation.told());
        }
        match escalation {
            Escalation::Interrupt => self.pass_on(signal),
            Escalation::Stop => self.stop(self.manifest.grace_period(), isolator),
            Escalation::Kill => self.stop(Duration::ZERO, isolator),
        }
    }

    fn resize(&mut self) -> Result<(), StartFailure> {
        match self.streams.new_size() {
            Some((terminal, size)) => self.tell_init(&ToInit::Resize { terminal, size }),
            None => Ok(()),
        }
    }

    fn pass_on(&mut self, signal: i32) -> Result<(), StartFailure> {
        self.tell_init(&ToInit::Signal { app: None, signal })
    }

    /// Has the apps read their configuration again.
    fn reload(&mut self) -> Result<(), StartFailure> {
        let (times, _) = self.reloads;
        self.reloads = (times.saturating_add(1), monotonic_microseconds());
        self.passed_on = Some(SIGHUP);
        self.app_notify.reload(Instant::now());
        self.pass_on(SIGHUP)
    }

    fn stop_by(&mut self, signal: u32, isolator: &mut dyn Isolator) -> Result<(), StartFailure> {
        self.stop_signal.get_or_insert(signal);
        self.stop(self.manifest.grace_period(), isolator)
    }
}
