//! What a registry makes people wait for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A registry that failed to answer is asked again after a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The registry, or the mirror of it.
    pub registry: String,
    /// Time until it is asked again.
    pub pause: Duration,
    /// Which attempt that will be.
    pub attempt: u32,
    /// How many there are at most.
    pub attempts: u32,
}

type Listener = dyn Fn(&Wait) + Send + Sync;

/// Is told of each [`Wait`] as it begins; by default nobody is.
#[derive(Clone, Default)]
pub struct WaitListener(Option<Arc<Listener>>);

impl WaitListener {
    /// Calls this.
    pub fn new(listener: impl Fn(&Wait) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    pub(super) fn tell(&self, wait: &Wait) {
        if let Some(listener) = &self.0 {
            listener(wait);
        }
    }
}

impl fmt::Debug for WaitListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaitListener")
            .field(&self.0.is_some())
            .finish()
    }
}
