//! Names of byte streams.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// A byte stream between the monitor and pod init. The monitor names all of them, each once: pod init can
/// open none by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamId(NonZeroU32);

impl StreamId {
    /// The name with this number.
    pub fn new(number: NonZeroU32) -> Self {
        Self(number)
    }

    /// Its number. 0 is no stream's.
    pub fn number(self) -> u32 {
        self.0.get()
    }
}

/// Which way the bytes of a stream go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    /// From the monitor to the pod: standard input.
    ToPod,
    /// From the pod to the monitor: standard output or error.
    FromPod,
    /// Both ways: a terminal, which pod init makes.
    Terminal,
}

/// Gives out names.
#[derive(Debug, Default)]
pub struct StreamIds(u32);

impl StreamIds {
    /// The next name; `None` after four thousand million of them.
    pub fn next_id(&mut self) -> Option<StreamId> {
        self.0 = self.0.checked_add(1)?;
        NonZeroU32::new(self.0).map(StreamId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_given_once_and_there_is_a_last_one() {
        let mut ids = StreamIds::default();
        let first = [(); 3].map(|()| ids.next_id().unwrap().number());
        assert_eq!(first, [1, 2, 3]);
        let mut last = StreamIds(u32::MAX - 1);
        assert_eq!(last.next_id().map(StreamId::number), Some(u32::MAX));
        assert_eq!((last.next_id(), last.next_id()), (None, None));
        let one = StreamId::new(NonZeroU32::MIN);
        assert_eq!(serde_json::to_string(&one).unwrap(), "1");
        assert!(serde_json::from_str::<StreamId>("0").is_err());
    }
}
