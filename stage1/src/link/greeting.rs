//! The beginning of a connection: both sides find out that they hear each other and nobody else.
//!
//! A serial port may still carry what an earlier connection left, hellos among it. So each side names itself by a
//! number that nobody had before, and says whom it has heard. Whatever comes before a hello that answers one's own
//! is passed over. After that hello only frames of this connection follow: the other side sends none before it has
//! said whom it hears.

use super::frames::{Frame, HELLO_START, Hello, Nonce};

/// Most bytes of earlier connections that are passed over.
const SKIPPED_MAX: usize = 1 << 20;

/// Too much came, and no hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the other side doesn't say hello, or says it in another version")]
pub struct NoHello;

/// A connection that is beginning.
#[derive(Debug)]
pub struct Greeting {
    own: Nonce,
    /// Whom the last hello that was sent names as heard.
    answered: Nonce,
    /// Bytes that may be the beginning of a hello.
    held: Vec<u8>,
    skipped: usize,
}

impl Greeting {
    /// Begins: `own` must not have been used before. The hello is to be sent first of all.
    pub fn new(own: Nonce) -> (Self, Hello) {
        let answered = Nonce::default();
        let greeting = Self {
            own,
            answered,
            held: Vec::new(),
            skipped: 0,
        };
        let first = Hello {
            own,
            heard: answered,
        };
        (greeting, first)
    }

    /// Takes bytes from the front of `bytes`, and appends what is to be sent to `out`. `true` when the connection has
    /// begun: then the rest of `bytes` belongs to it.
    ///
    /// # Errors
    /// If too much came without a hello.
    pub fn receive(&mut self, bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, NoHello> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            self.held.push(*byte);
            self.skip_to_start();
            if self.skipped > SKIPPED_MAX {
                return Err(NoHello);
            }
            let Some(hello) = Hello::read(&self.held) else {
                continue;
            };
            if hello.own != self.answered {
                self.answered = hello.own;
                let answer = Hello {
                    own: self.own,
                    heard: hello.own,
                };
                Frame::Hello(answer).write(out);
            }
            if hello.heard == self.own {
                self.held = Vec::new();
                return Ok(true);
            }
            // It is of an earlier connection, or the other side's first; or it was cut off, and another one begins
            // within what looks like its rest.
            self.skip(1);
            self.skip_to_start();
        }
        Ok(false)
    }

    /// Drops bytes from the front until the rest may be a hello.
    fn skip_to_start(&mut self) {
        let may_be = |held: &[u8]| {
            let length = held.len().min(HELLO_START.len());
            held.get(..length) == HELLO_START.get(..length)
        };
        let tail = |at: usize| self.held.get(at..).unwrap_or_default();
        let start = (0..self.held.len()).find(|at| may_be(tail(*at)));
        self.skip(start.unwrap_or(self.held.len()));
    }

    fn skip(&mut self, count: usize) {
        self.held.drain(..count.min(self.held.len()));
        self.skipped += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hello: Hello) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame::Hello(hello).write(&mut bytes);
        bytes
    }

    /// Feeds bytes in pieces of this size. Gives what was answered, and what was left once the connection began.
    fn feed(
        greeting: &mut Greeting,
        bytes: &[u8],
        size: usize,
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), NoHello> {
        let mut out = Vec::new();
        for (number, piece) in bytes.chunks(size).enumerate() {
            let mut rest = piece;
            if greeting.receive(&mut rest, &mut out)? {
                let later = bytes.get((number + 1) * size..).unwrap_or_default();
                return Ok((out, Some([rest, later].concat())));
            }
            assert!(rest.is_empty());
        }
        Ok((out, None))
    }

    const A: Nonce = [1; 16];
    const B: Nonce = [2; 16];
    const OLD: Nonce = [9; 16];
    const NOBODY: Nonce = [0; 16];

    fn hello(own: Nonce, heard: Nonce) -> Vec<u8> {
        bytes(Hello { own, heard })
    }

    #[test]
    fn two_sides_that_start_at_once_hear_each_other() {
        let (mut a, first_of_a) = Greeting::new(A);
        let (mut b, first_of_b) = Greeting::new(B);
        let (answer_of_a, begun) = feed(&mut a, &bytes(first_of_b), 7).unwrap();
        assert_eq!((&answer_of_a, begun), (&hello(A, B), None));
        let both = [bytes(first_of_a), answer_of_a].concat();
        let (answer_of_b, begun) = feed(&mut b, &[both, b"rest".to_vec()].concat(), 7).unwrap();
        assert_eq!(answer_of_b, hello(B, A), "one answer, not two");
        assert_eq!(begun.unwrap(), b"rest");
        let (answer, begun) = feed(&mut a, &[answer_of_b, b"more".to_vec()].concat(), 1).unwrap();
        assert_eq!(answer, b"", "both have said all");
        assert_eq!(begun.unwrap(), b"more");
    }

    #[test]
    fn what_an_earlier_connection_left_is_passed_over() {
        let left = [
            b"\xf1fairing and the end of some data".to_vec(),
            hello(OLD, NOBODY),
            hello(OLD, OLD),
            HELLO_START[..11].to_vec(),
        ]
        .concat();
        for size in [1, 3, 16, 10_000] {
            let (mut a, _) = Greeting::new(A);
            let coming = [left.clone(), hello(B, NOBODY), hello(B, A), b"x".to_vec()].concat();
            let (answers, begun) = feed(&mut a, &coming, size).unwrap();
            assert_eq!(answers, [hello(A, OLD), hello(A, B)].concat());
            assert_eq!(begun.unwrap(), b"x");
        }
    }

    #[test]
    fn a_hello_is_found_wherever_an_earlier_one_was_cut_off() {
        let old = hello(OLD, OLD);
        for cut in 0..old.len() {
            let (mut a, _) = Greeting::new(A);
            let coming = [&old[..cut], &hello(B, NOBODY), &hello(B, A), b"x"].concat();
            let (answers, begun) = feed(&mut a, &coming, 4096).unwrap();
            assert!(answers.ends_with(&hello(A, B)), "{cut}");
            assert_eq!(begun.unwrap(), b"x", "{cut}");
        }
    }

    #[test]
    fn the_first_hello_may_be_lost() {
        let (mut a, _) = Greeting::new(A);
        let (answers, begun) = feed(&mut a, &hello(B, A), 5).unwrap();
        assert_eq!(answers, hello(A, B));
        assert_eq!(begun.unwrap(), b"");
    }

    #[test]
    fn one_who_never_says_hello_is_not_listened_to_for_ever() {
        let (mut a, _) = Greeting::new(A);
        let noise = vec![0xee; SKIPPED_MAX];
        assert_eq!(feed(&mut a, &noise, 4096).unwrap().1, None);
        assert_eq!(feed(&mut a, b"x", 1), Err(NoHello));
        // Nor one who says it to others for ever.
        let (mut a, _) = Greeting::new(A);
        let others = hello(OLD, OLD).repeat(SKIPPED_MAX / 50 + 2);
        assert_eq!(feed(&mut a, &others, 4096), Err(NoHello));
    }

    #[test]
    fn another_version_is_not_spoken() {
        let (mut a, _) = Greeting::new(A);
        let mut coming = hello(B, A);
        coming[HELLO_START.len() - 1] += 1;
        assert_eq!(feed(&mut a, &coming, 4096).unwrap(), (Vec::new(), None));
    }
}
