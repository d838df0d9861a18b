//! One stream as one side sees it: how much it may send and take, and what it holds.

use std::collections::VecDeque;

/// What goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// The other side takes this many bytes more.
    Open { credit: usize },
    /// Nothing is ever sent. The end says that all that came was taken.
    Silent,
    /// The other side takes no more.
    Stopped,
    /// All has been sent.
    Finished,
}

/// What comes in.
#[derive(Debug)]
pub(super) struct Incoming {
    state: State,
    /// What came and was not taken yet.
    held: VecDeque<u8>,
    /// Bytes that were taken, for which no credit was given yet.
    taken: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The other side may send this many bytes more.
    Open { allowed: usize },
    /// Nobody here wants more. What is on the way is dropped.
    Stopped { allowed: usize },
    /// No more comes.
    Finished,
}

/// The other side has sent more than it may, or what it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    BeyondWindow,
    AfterFinish,
}

impl Outgoing {
    /// The other side takes more. `None` if that is more than `window` in all.
    pub(super) fn grant(self, bytes: usize, window: usize) -> Option<Self> {
        match self {
            Self::Open { credit } => {
                let credit = credit.checked_add(bytes)?;
                (credit <= window).then_some(Self::Open { credit })
            }
            Self::Silent => None,
            // It was on the way when all had been said.
            Self::Stopped | Self::Finished => Some(self),
        }
    }

    pub(super) fn credit(self) -> usize {
        match self {
            Self::Open { credit } => credit,
            Self::Silent | Self::Stopped | Self::Finished => 0,
        }
    }
}

impl Incoming {
    /// The other side may send so much at first; nothing in a direction where it only says that it has ended.
    pub(super) fn new(window: usize) -> Self {
        Self {
            state: State::Open { allowed: window },
            held: VecDeque::new(),
            taken: 0,
        }
    }

    /// Data came.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), Excess> {
        match &mut self.state {
            State::Open { allowed } | State::Stopped { allowed } => {
                *allowed = allowed
                    .checked_sub(bytes.len())
                    .ok_or(Excess::BeyondWindow)?;
            }
            State::Finished => return Err(Excess::AfterFinish),
        }
        if let State::Open { .. } = self.state {
            self.held.extend(bytes);
        }
        Ok(())
    }

    /// The other side sends no more.
    pub(super) fn finish(&mut self) -> Result<(), Excess> {
        match self.state {
            State::Finished => return Err(Excess::AfterFinish),
            State::Open { .. } | State::Stopped { .. } => self.state = State::Finished,
        }
        Ok(())
    }

    /// The front of what is held.
    pub(super) fn held(&self) -> &[u8] {
        self.held.as_slices().0
    }

    /// Takes bytes from the front.
    pub(super) fn take(&mut self, count: usize) {
        let count = count.min(self.held.len());
        self.held.drain(..count);
        self.taken += count;
        if self.held.is_empty() {
            // Gives the memory back: most streams are quiet most of the time.
            self.held = VecDeque::new();
        }
    }

    /// Whether it is time to tell the other side of what was taken: half a window at a time, so that it is never without
    /// credit while this side takes what comes.
    pub(super) fn owes_credit(&self, window: usize) -> bool {
        matches!(self.state, State::Open { .. }) && self.taken >= window.div_ceil(2)
    }

    /// The credit that the other side is told of now.
    pub(super) fn grant(&mut self) -> usize {
        match &mut self.state {
            State::Open { allowed } => {
                let credit = std::mem::take(&mut self.taken);
                *allowed += credit;
                credit
            }
            State::Stopped { .. } | State::Finished => 0,
        }
    }

    /// The other side is gone: nothing more comes, whether it has said so or not.
    pub(super) fn cut_off(&mut self) {
        self.state = State::Finished;
    }

    /// Wants no more, not even what is held. `false` if there was no more to come, or this was said before.
    pub(super) fn stop(&mut self) -> bool {
        self.held = VecDeque::new();
        match self.state {
            State::Open { allowed } => {
                self.state = State::Stopped { allowed };
                true
            }
            State::Stopped { .. } | State::Finished => false,
        }
    }

    /// How many bytes are held.
    pub(super) fn bytes_held(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing is held and nothing more comes.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Finished && self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: usize = 10;

    #[test]
    fn no_more_is_taken_than_was_allowed() {
        let mut incoming = Incoming::new(WINDOW);
        incoming.receive(&[1; 7]).unwrap();
        incoming.receive(&[2; 3]).unwrap();
        assert_eq!(incoming.receive(&[3]), Err(Excess::BeyondWindow));
        incoming.take(4);
        assert!(!incoming.owes_credit(WINDOW));
        assert_eq!(incoming.receive(&[3]), Err(Excess::BeyondWindow));
        incoming.take(1);
        assert!(incoming.owes_credit(WINDOW));
        assert_eq!(incoming.grant(), 5);
        assert!(!incoming.owes_credit(WINDOW));
        incoming.receive(&[3; 5]).unwrap();
        assert_eq!(incoming.receive(&[3]), Err(Excess::BeyondWindow));
    }

    #[test]
    fn bytes_are_held_in_order_until_they_are_taken() {
        let mut incoming = Incoming::new(WINDOW);
        incoming.receive(b"abc").unwrap();
        incoming.receive(b"def").unwrap();
        incoming.finish().unwrap();
        assert!(!incoming.is_over());
        let mut all = Vec::new();
        while !incoming.held().is_empty() {
            all.push(incoming.held()[0]);
            incoming.take(1);
        }
        assert!(!incoming.owes_credit(WINDOW), "no credit after the end");
        assert_eq!(incoming.grant(), 0);
        assert_eq!(all, b"abcdef");
        assert!(incoming.is_over());
        assert_eq!(incoming.receive(b"x"), Err(Excess::AfterFinish));
        assert_eq!(incoming.finish(), Err(Excess::AfterFinish));
    }

    #[test]
    fn what_nobody_wants_is_dropped_and_still_counted() {
        let mut incoming = Incoming::new(WINDOW);
        incoming.receive(b"abc").unwrap();
        assert!(incoming.stop());
        assert!(!incoming.stop(), "said once");
        assert_eq!(incoming.held(), b"");
        incoming.receive(b"defghij").unwrap();
        assert_eq!(incoming.held(), b"");
        assert_eq!(incoming.receive(b"k"), Err(Excess::BeyondWindow));
        assert!(!incoming.is_over());
        assert!(!incoming.owes_credit(0), "no credit for what nobody wants");
        incoming.finish().unwrap();
        assert!(incoming.is_over());
        assert!(!incoming.stop(), "there is nothing to stop");
    }

    #[test]
    fn what_came_before_the_other_side_was_gone_can_be_taken() {
        let mut incoming = Incoming::new(WINDOW);
        incoming.receive(b"abc").unwrap();
        incoming.cut_off();
        assert!(!incoming.is_over());
        assert_eq!(
            (incoming.held(), incoming.bytes_held()),
            (b"abc".as_slice(), 3)
        );
        incoming.take(100);
        assert!(incoming.is_over());
    }

    #[test]
    fn credit_never_exceeds_a_window() {
        let open = Outgoing::Open { credit: 4 };
        assert_eq!(open.grant(6, WINDOW), Some(Outgoing::Open { credit: 10 }));
        assert_eq!(open.grant(7, WINDOW), None);
        assert_eq!(open.grant(usize::MAX, WINDOW), None);
        assert_eq!(open.credit(), 4);
        assert_eq!(Outgoing::Silent.grant(1, WINDOW), None);
        assert_eq!(Outgoing::Silent.credit(), 0);
        for over in [Outgoing::Stopped, Outgoing::Finished] {
            assert_eq!(over.grant(7, WINDOW), Some(over));
            assert_eq!(over.credit(), 0);
        }
    }
}
