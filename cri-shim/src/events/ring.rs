//! The newest events, as they go over the wire: so many, and so many bytes, however many watch.

use std::collections::VecDeque;
use std::sync::Arc;

/// Most events that who reads slowly may be behind.
const EVENTS_MAX: usize = 1024;
/// Most bytes of them. One event may have more, since it tells of all of a sandbox; then it is the only one.
const BYTES_MAX: usize = 4 << 20;

/// The newest events. Each has a number, and these are in a row.
#[derive(Debug, Default)]
pub(super) struct Ring {
    events: VecDeque<Arc<[u8]>>,
    bytes: usize,
    /// The number of the oldest that is kept.
    first: u64,
}

/// What there is for who has read so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This event.
    Event(Arc<[u8]>),
    /// Nothing yet.
    Nothing,
    /// It is gone, and so many events with it.
    Gone(u64),
}

impl Ring {
    /// The number of the event that comes next.
    pub(super) fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// Takes another one; those that are too many go.
    pub(super) fn push(&mut self, event: Vec<u8>) {
        self.bytes += event.len();
        self.events.push_back(event.into());
        while self.events.len() > 1 && self.is_full() {
            let oldest = self.events.pop_front();
            self.bytes -= oldest.map_or(0, |event| event.len());
            self.first += 1;
        }
    }

    fn is_full(&self) -> bool {
        self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX
    }

    /// The event of this number.
    pub(super) fn at(&self, number: u64) -> Next {
        let Some(place) = number.checked_sub(self.first) else {
            return Next::Gone(self.first - number);
        };
        let event = usize::try_from(place).ok().and_then(|n| self.events.get(n));
        event.map_or(Next::Nothing, |event| Next::Event(Arc::clone(event)))
    }

    /// Forgets all: nobody watches.
    pub(super) fn clear(&mut self) {
        *self = Self {
            first: self.end(),
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_kept_and_so_many_bytes() {
        let mut ring = Ring::default();
        assert_eq!(ring.at(0), Next::Nothing);
        for number in 0..EVENTS_MAX + 10 {
            ring.push(vec![number as u8]);
        }
        assert_eq!(ring.events.len(), EVENTS_MAX);
        assert_eq!(ring.at(4), Next::Gone(6));
        assert_eq!(ring.at(10), Next::Event([10].into()));
        assert_eq!(ring.at(ring.end()), Next::Nothing);
        for _ in 0..3 * EVENTS_MAX {
            ring.push(vec![0; BYTES_MAX / 100]);
            let bytes: usize = ring.events.iter().map(|event| event.len()).sum();
            assert_eq!(bytes, ring.bytes);
            assert!(bytes <= BYTES_MAX);
        }
        assert_eq!(ring.events.len(), 100);
        let end = ring.end();
        ring.clear();
        assert_eq!((ring.end(), ring.bytes), (end, 0));
        assert_eq!(ring.at(end - 1), Next::Gone(1));
    }

    #[test]
    fn one_that_is_larger_than_all_is_told_too() {
        let mut ring = Ring::default();
        ring.push(vec![1]);
        ring.push(vec![0; BYTES_MAX + 1]);
        assert_eq!(ring.at(0), Next::Gone(1));
        assert!(matches!(ring.at(1), Next::Event(event) if event.len() > BYTES_MAX));
        ring.push(vec![2]);
        assert_eq!((ring.at(2), ring.bytes), (Next::Event([2].into()), 1));
    }
}
