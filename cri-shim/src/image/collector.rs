//! Takes from the disk what no name and no pod needs any more, after images were removed: in the background, since it waits
//! for those who pick an image.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use engine::Engine;
use engine::images::collection::collect;

use crate::journal::{self, Journal, Priority};

/// Collects, one collection at a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collector(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_at_work: bool,
    /// Whether there is more since the collection at work began.
    is_asked_again: bool,
}

impl Collector {
    /// Has what is not needed any more collected soon. What a shim that is killed leaves, the next collection takes.
    pub(crate) fn ask(&self, engine: &Engine) {
        let mut state = self.lock();
        state.is_asked_again = true;
        if state.is_at_work {
            return;
        }
        let (this, engine) = (self.clone(), engine.clone());
        let thread = thread::Builder::new().name("collect".to_owned());
        state.is_at_work = thread.spawn(move || this.work(&engine)).is_ok();
    }

    fn work(&self, engine: &Engine) {
        while self.is_wanted() {
            if let Err(error) = collect(engine, None, false, &Journal) {
                journal::line(
                    Priority::Warning,
                    &format!("images are not collected: {error}"),
                );
            }
        }
    }

    fn is_wanted(&self) -> bool {
        let mut state = self.lock();
        state.is_at_work = std::mem::take(&mut state.is_asked_again);
        state.is_at_work
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Two flags, of which each is right by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
