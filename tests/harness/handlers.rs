//! Threads that answer clients, and whether one of them has failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The threads of one server. A panic in one of them is the test's failure, not only its client's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handlers(Arc<AtomicBool>);

impl Handlers {
    pub(crate) fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        let failed = Arc::clone(&self.0);
        std::thread::spawn(move || {
            // The panic's message has been printed; here only that there was one.
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                failed.store(true, Ordering::Release);
            }
        });
    }

    pub(crate) fn have_failed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// At the end of the server: fails the test, unless it fails anyway.
    pub(crate) fn expect_no_failure(&self) {
        assert!(
            !self.have_failed() || std::thread::panicking(),
            "a thread of a test's server panicked"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait_until;
    use std::time::Duration;

    #[test]
    fn a_server_with_a_thread_that_panicked_fails_its_test() {
        let handlers = Handlers::default();
        handlers.spawn(|| ());
        handlers.expect_no_failure();
        handlers.spawn(|| panic!("an answer that is not expected"));
        wait_until("the panic", Duration::from_secs(10), || {
            handlers.have_failed().then_some(())
        });
        let failure = catch_unwind(|| handlers.expect_no_failure()).unwrap_err();
        let message = failure.downcast_ref::<&str>();
        assert_eq!(message, Some(&"a thread of a test's server panicked"));
    }
}
