//! Probes over the pod's network: connections that pod init opens, without ever waiting for one. It is in that network
//! on every isolator, and needs no other program.

mod connection;
mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod grpc;
mod http;
mod outcome;
mod redirect;
mod tls;

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use rustls::ClientConfig;

use self::exchange::Exchange;
use self::outcome::{failed, unknown};
use crate::protocol::{ProbeOutcome, ProbeSpec};

/// Most probes at once: what is beyond that is not asked.
const PROBES_MAX: usize = 256;

/// All probes on their way, by the monitor's number for each.
#[derive(Debug, Default)]
pub(super) struct Probes {
    exchanges: BTreeMap<u64, Exchange>,
    /// How connections over TLS are made, once one was.
    tls: Option<Arc<ClientConfig>>,
}

impl Probes {
    /// Begins to ask. The result is what it comes to, if that is known at once.
    pub(super) fn begin(&mut self, spec: &ProbeSpec, now: Instant) -> Option<ProbeOutcome> {
        if self.exchanges.len() >= PROBES_MAX {
            return Some(unknown("there are too many probes at once"));
        }
        let deadline = now.checked_add(Duration::from_millis(spec.timeout_ms));
        let deadline = deadline.unwrap_or(now);
        match Exchange::begin(&spec.action, &mut self.tls, deadline) {
            Ok(exchange) => {
                self.exchanges.insert(spec.id, exchange);
                None
            }
            Err(outcome) => Some(outcome),
        }
    }

    /// What to wait for, before [`Probes::advance`].
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        self.exchanges.values().map(Exchange::interest).collect()
    }

    /// When [`Probes::give_up_overdue`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.exchanges.values().map(|one| one.deadline).min()
    }

    /// Goes on with those that are ready: `ready` answers [`Probes::interests`] one by one. The result is what is over.
    pub(super) fn advance(&mut self, ready: &[bool]) -> Vec<(u64, ProbeOutcome)> {
        let ready = self.exchanges.iter_mut().zip(ready);
        let over: Vec<_> = ready
            .filter(|(_, ready)| **ready)
            .filter_map(|((id, exchange), _)| Some((*id, exchange.advance()?)))
            .collect();
        for (id, _) in &over {
            self.exchanges.remove(id);
        }
        over
    }

    /// Ends those whose time is up.
    pub(super) fn give_up_overdue(&mut self, now: Instant) -> Vec<(u64, ProbeOutcome)> {
        let overdue = self.exchanges.extract_if(.., |_, one| one.deadline <= now);
        overdue
            .map(|(id, _)| (id, failed("there was no answer in time")))
            .collect()
    }
}

#[cfg(test)]
mod tests;
