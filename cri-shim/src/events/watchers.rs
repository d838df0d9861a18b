//! Those who watch.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use prost::Message;
use tokio_stream::Stream;

use super::ring::{Next, Ring};
use crate::api::ContainerEventResponse;
use crate::error::CriError;

/// Those who watch.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    told: Mutex<Told>,
    is_looking: Mutex<bool>,
}

/// What they are told, and who waits for more.
#[derive(Debug, Default)]
struct Told {
    ring: Ring,
    /// Each that watches; those who wait have something that wakes them.
    all: BTreeMap<u64, Option<Waker>>,
    /// The number of the next one.
    next: u64,
}

/// One who watches: what happens from then on. Who falls behind is told so, and no more.
#[derive(Debug)]
pub(crate) struct Watching {
    watchers: Arc<Watchers>,
    own: u64,
    /// The event that it is told next.
    at: u64,
    is_over: bool,
    /// Whether it has been told something just now.
    is_paused: bool,
}

impl Watchers {
    /// What is told from now on; and whether nobody looks yet. Who is told so has to, and says so by the guard.
    pub(super) fn subscribe(self: &Arc<Self>) -> (Watching, MutexGuard<'_, bool>) {
        // A flag, which the thread that looks sets last.
        let is_looking = self.lock_looking();
        let mut told = self.lock();
        let own = told.next;
        told.next += 1;
        told.all.insert(own, None);
        let watching = Watching {
            watchers: Arc::clone(self),
            own,
            at: told.ring.end(),
            is_over: false,
            is_paused: false,
        };
        (watching, is_looking)
    }

    /// Tells all who watch.
    pub(crate) fn tell(&self, event: &ContainerEventResponse) {
        let mut told = self.lock();
        told.ring.push(event.encode_to_vec());
        let waiting: Vec<Waker> = told.all.values_mut().filter_map(Option::take).collect();
        drop(told);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether nobody watches any more; then the next one begins anew.
    pub(super) fn have_gone(&self) -> bool {
        let mut is_looking = self.lock_looking();
        let mut told = self.lock();
        *is_looking = !told.all.is_empty();
        if !*is_looking {
            told.ring.clear();
        }
        !*is_looking
    }

    fn lock_looking(&self) -> MutexGuard<'_, bool> {
        self.is_looking
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        // Each entry is whole.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Watching {
    type Item = Result<ContainerEventResponse, CriError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        // One event at a time: what is put into one piece of an answer is kept for each who doesn't read. And others have
        // their turn.
        if std::mem::take(&mut self.is_paused) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut told = self.watchers.lock();
        let next = told.ring.at(self.at);
        if next == Next::Nothing {
            told.all.insert(self.own, Some(context.waker().clone()));
            return Poll::Pending;
        }
        drop(told);
        let item = match next {
            Next::Event(event) => {
                self.at += 1;
                self.is_paused = true;
                ContainerEventResponse::decode(&*event)
                    .map_err(|error| CriError::Internal(format!("an event: {error}")))
            }
            Next::Gone(count) => Err(CriError::Exhausted(format!(
                "{count} events were not read in time: list anew"
            ))),
            Next::Nothing => return Poll::Pending,
        };
        self.is_over = item.is_err();
        Poll::Ready(Some(item))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watchers.lock().all.remove(&self.own);
    }
}
