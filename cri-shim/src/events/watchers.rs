//! Those who watch, and the thread that looks for them.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use engine::pods::watch::Watch;
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::compare::happened;
use super::snapshot::Snapshot;
use crate::api::ContainerEventResponse;
use crate::error::CriError;
use crate::journal;
use crate::shim::Shim;

/// Events that who reads slowly may be behind.
const BEHIND_MAX: usize = 1024;
/// How long at most before it is looked whether anybody still watches.
const ROUND: Duration = Duration::from_secs(10);
/// Between two looks, however much happens.
const PAUSE: Duration = Duration::from_millis(10);

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
    /// What happens from now on.
    ///
    /// # Errors
    /// If it can't be found out.
    pub(crate) fn watch(
        shim: &Arc<Shim>,
    ) -> Result<Receiver<Arc<ContainerEventResponse>>, CriError> {
        let watchers = &shim.watchers;
        let mut is_looking = watchers.lock();
        let receiver = watchers.sender.subscribe();
        if !*is_looking {
            let (begun, begins) = sync_channel(1);
            let shim = Arc::clone(shim);
            let thread = thread::Builder::new().name("events".to_owned());
            thread
                .spawn(move || look(&shim, &begun))
                .map_err(CriError::io("start a thread"))?;
            let begins = begins.recv();
            begins.map_err(|_| CriError::Internal("nobody looks for events".to_owned()))??;
            *is_looking = true;
        }
        Ok(receiver)
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
    fn have_gone(&self) -> bool {
        let mut is_looking = self.lock();
        *is_looking = self.sender.receiver_count() > 0;
        !*is_looking
    }
}

/// Looks for changes as long as anybody watches. `begun` is told when what happens from then on is noticed.
fn look(shim: &Shim, begun: &SyncSender<Result<(), CriError>>) {
    let start = || {
        let mut watch = Watch::new(&shim.engine)?;
        let snapshot = follow(shim, &mut watch)?;
        Ok((watch, snapshot))
    };
    let (mut watch, mut known) = match start() {
        Ok(started) => started,
        Err(error) => {
            // Who asked is there, and waits.
            let _ = begun.send(Err(error));
            return;
        }
    };
    let _ = begun.send(Ok(()));
    loop {
        thread::sleep(PAUSE);
        let waited = watch.wait(ROUND).map_err(CriError::from);
        // Only after those who watch have their events is it looked whether they are still there.
        match waited.and_then(|()| follow(shim, &mut watch)) {
            Ok(now) => {
                tell(shim, &known, &now);
                known = now;
            }
            Err(error) => {
                journal::line(&format!("events are looked for again: {error}"));
                thread::sleep(ROUND);
            }
        }
        if shim.watchers.have_gone() {
            return;
        }
    }
}

/// Looks what there is, having made sure to be told of what happens after that.
fn follow(shim: &Shim, watch: &mut Watch) -> Result<Snapshot, CriError> {
    watch.follow(&Snapshot::entries(shim)?)?;
    Snapshot::take(shim)
}

fn tell(shim: &Shim, before: &Snapshot, now: &Snapshot) {
    for (id, kind) in happened(&before.phases, &now.phases) {
        shim.watchers.tell(now.event(before, &id, kind));
    }
}
