//! Limits as the OCI runtime specification writes them.

use serde::{Deserialize, Serialize};

/// Most of something. Written as a number; -1 says that there is no limit, which unlike an absent one takes away
/// what was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub enum Limit {
    /// No limit.
    Unlimited,
    /// So much.
    At(u64),
}

/// A number that is not a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a limit: it is a number from 0 on, or -1 for none")]
pub struct NotALimit(i64);

impl Limit {
    /// The number, if there is a limit.
    pub fn value(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::At(value) => Some(value),
        }
    }
}

impl TryFrom<i64> for Limit {
    type Error = NotALimit;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        match (number, u64::try_from(number)) {
            (-1, _) => Ok(Self::Unlimited),
            (_, Ok(value)) => Ok(Self::At(value)),
            (_, Err(_)) => Err(NotALimit(number)),
        }
    }
}

impl From<Limit> for i64 {
    /// What is beyond the range is as good as its end.
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Unlimited => -1,
            Limit::At(value) => i64::try_from(value).unwrap_or(i64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_one_is_no_limit_and_nothing_else_is_negative() {
        assert_eq!(Limit::try_from(-1), Ok(Limit::Unlimited));
        assert_eq!(Limit::try_from(0), Ok(Limit::At(0)));
        assert_eq!(Limit::try_from(i64::MAX), Ok(Limit::At(i64::MAX as u64)));
        assert_eq!(Limit::try_from(-2), Err(NotALimit(-2)));
        assert_eq!(i64::from(Limit::Unlimited), -1);
        assert_eq!(i64::from(Limit::At(u64::MAX)), i64::MAX);
        assert_eq!(
            (Limit::At(7).value(), Limit::Unlimited.value()),
            (Some(7), None)
        );
    }
}
