//! Signals by number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of a signal of Linux, real-time signals included: 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct SignalNumber(u8);

/// A number that no signal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not the number of a signal: they go from 1 to 64")]
pub struct NotASignal(i32);

impl SignalNumber {
    /// SIGTERM.
    pub const TERM: Self = Self(15);
    /// SIGKILL.
    pub const KILL: Self = Self(9);
    /// The highest number.
    const MAX: u8 = 64;

    /// The number.
    pub fn number(self) -> i32 {
        self.0.into()
    }
}

impl TryFrom<i32> for SignalNumber {
    type Error = NotASignal;

    fn try_from(number: i32) -> Result<Self, Self::Error> {
        match u8::try_from(number) {
            Ok(small) if (1..=Self::MAX).contains(&small) => Ok(Self(small)),
            _ => Err(NotASignal(number)),
        }
    }
}

impl From<SignalNumber> for i32 {
    fn from(signal: SignalNumber) -> Self {
        signal.number()
    }
}

impl fmt::Display for SignalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_signals_are_taken() {
        for number in [1, 9, 15, 34, 64] {
            assert_eq!(SignalNumber::try_from(number).unwrap().number(), number);
            assert_eq!(
                serde_json::from_str::<SignalNumber>(&number.to_string())
                    .unwrap()
                    .number(),
                number
            );
        }
        for number in [i32::MIN, -1, 0, 65, 256 + 9, i32::MAX] {
            assert_eq!(SignalNumber::try_from(number), Err(NotASignal(number)));
        }
        assert_eq!(
            (SignalNumber::TERM.number(), SignalNumber::KILL.number()),
            (15, 9)
        );
        assert_eq!(SignalNumber::KILL.to_string(), "9");
    }
}
