//! The threads that carry calls out. Calls that may take long leave some of them to the others, so that a list or a status
//! never waits for a start, a stop or a command.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most commands at once that are waited for. What else takes long goes on beside them: it may be what ends them.
const COMMANDS_MAX: usize = 256;
/// Most calls at once that may take long otherwise: all containers of a full node may be stopped together.
const SLOW_MAX: usize = 1024;
/// Most pulls at once: they wait for registries, which may never answer, and each holds what it has read.
const PULLS_MAX: usize = 64;
/// What is left to calls that look at what there is.
const BRIEF_MAX: usize = 64;
/// Most threads that carry calls out.
pub(crate) const THREADS_MAX: usize = COMMANDS_MAX + SLOW_MAX + PULLS_MAX + BRIEF_MAX;

/// How long a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// It looks at what there is.
    Brief,
    /// It waits for a pod or a network.
    Slow,
    /// It waits for a registry.
    Pull,
    /// It waits for a command, and perhaps for ever.
    Command,
}

/// Who may have a thread.
#[derive(Debug, Clone)]
pub(super) struct Threads {
    slow: Arc<Semaphore>,
    pulls: Arc<Semaphore>,
    commands: Arc<Semaphore>,
}

impl Threads {
    pub(super) fn new() -> Self {
        Self {
            slow: Arc::new(Semaphore::new(SLOW_MAX)),
            pulls: Arc::new(Semaphore::new(PULLS_MAX)),
            commands: Arc::new(Semaphore::new(COMMANDS_MAX)),
        }
    }

    /// Waits until a call of this pace may have a thread: until what is given is dropped.
    pub(super) async fn one(&self, pace: Pace) -> Option<OwnedSemaphorePermit> {
        let among = match pace {
            Pace::Brief => return None,
            Pace::Slow => &self.slow,
            Pace::Pull => &self.pulls,
            Pace::Command => &self.commands,
        };
        // Nobody closes them.
        Arc::clone(among).acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// What is given at once; `None` to who has to wait.
    fn at_once(threads: &Threads, pace: Pace) -> Option<Option<OwnedSemaphorePermit>> {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(threads.one(pace)).poll(&mut context) {
            Poll::Ready(given) => Some(given),
            Poll::Pending => None,
        }
    }

    #[test]
    fn commands_leave_threads_to_what_may_end_them_and_both_to_what_looks() {
        let threads = Threads::new();
        let take = |pace: Pace| at_once(&threads, pace).and_then(|given| given);
        let mut commands: Vec<_> = std::iter::from_fn(|| take(Pace::Command)).collect();
        assert_eq!(commands.len(), COMMANDS_MAX);
        let pulls: Vec<_> = std::iter::from_fn(|| take(Pace::Pull)).collect();
        assert_eq!(pulls.len(), PULLS_MAX);
        let slow: Vec<_> = std::iter::from_fn(|| take(Pace::Slow)).collect();
        assert_eq!(slow.len(), SLOW_MAX);
        assert!(at_once(&threads, Pace::Brief).is_some());
        commands.pop();
        assert!(at_once(&threads, Pace::Command).is_some());
        assert!(at_once(&threads, Pace::Slow).is_none());
    }
}
