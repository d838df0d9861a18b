//! The thread that looks what happens, for those who watch.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use engine::pods::watch::Watch;

use super::compare::happened;
use super::snapshot::Snapshot;
use super::watchers::Watching;
use crate::error::CriError;
use crate::journal::{self, Priority};
use crate::shim::Shim;

/// How long at most before it is looked whether anybody still watches.
const ROUND: Duration = Duration::from_secs(10);
/// Between two looks, however much happens.
const PAUSE: Duration = Duration::from_millis(10);

/// What happens from now on.
///
/// # Errors
/// If it can't be found out.
pub(crate) fn watch(shim: &Arc<Shim>) -> Result<Watching, CriError> {
    let (watching, mut is_looking) = shim.watchers.subscribe();
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
    Ok(watching)
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
                journal::line(
                    Priority::Warning,
                    &format!("events are looked for again: {error}"),
                );
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
        shim.watchers.tell(&now.event(before, &id, kind));
    }
}
