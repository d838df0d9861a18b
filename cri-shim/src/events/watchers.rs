//! Those who watch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast::{self, Receiver, Sender};

use crate::api::ContainerEventResponse;

/// Events that who reads slowly may be behind.
const BEHIND_MAX: usize = 1024;
/// Those who watch.
#[derive(Debug)]
pub(crate) struct Watchers {
    sender: Sender<Arc<ContainerEventResponse>>,
    is_looking: Mutex<bool>,
}

impl Default for Watchers {
    fn default() -> Self {
        Self {
            sender: broadcast::channel(BEHIND_MAX).0,
            is_looking: Mutex::new(false),
        }
    }
}

impl Watchers {
    /// What is told from now on; and whether nobody looks yet. Who is told so has to, and says so by the guard.
    pub(super) fn subscribe(
        &self,
    ) -> (Receiver<Arc<ContainerEventResponse>>, MutexGuard<'_, bool>) {
        let is_looking = self.lock();
        (self.sender.subscribe(), is_looking)
    }

    /// Tells all who watch.
    pub(crate) fn tell(&self, event: ContainerEventResponse) {
        // Those who have gone need none.
        let _ = self.sender.send(Arc::new(event));
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // A flag, which the thread that looks sets last.
        self.is_looking
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody watches any more; then the next one begins anew.
    pub(super) fn have_gone(&self) -> bool {
        let mut is_looking = self.lock();
        *is_looking = self.sender.receiver_count() > 0;
        !*is_looking
    }
}
