//! Pairs of categories for pods.
//!
//! A process with two categories reads and writes files with none, and those with the same two: so no two pods that have
//! different pairs can do anything with each other's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::PodUuid;

/// How many categories policies have.
const CATEGORIES: u32 = 1024;
/// How many pairs of different ones there are.
const PAIRS: u32 = CATEGORIES * (CATEGORIES - 1) / 2;

/// Two categories that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CategoryPair {
    low: u32,
    high: u32,
}

/// A text that does not name two categories.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a pair of categories, such as c1,c2")]
pub struct NotAPair(pub String);

impl CategoryPair {
    /// The pair of this number, which is below [`PAIRS`]: those whose higher category is `c1` come first, then `c2`.
    fn numbered(number: u32) -> Self {
        let mut high = 1;
        let mut rest = number % PAIRS;
        while rest >= high {
            rest -= high;
            high += 1;
        }
        Self { low: rest, high }
    }

    /// All pairs, beginning with the one that this pod tries first.
    pub(crate) fn all(uuid: PodUuid) -> impl Iterator<Item = Self> {
        let start = uuid.spread(PAIRS);
        (start..PAIRS).chain(0..start).map(Self::numbered)
    }
}

impl FromStr for CategoryPair {
    type Err = NotAPair;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let category = |text: &str| {
            let digits = text.strip_prefix('c')?;
            let number: u32 = digits.parse().ok()?;
            (number < CATEGORIES && digits == number.to_string()).then_some(number)
        };
        let pair = text
            .split_once(',')
            .and_then(|(low, high)| Some((category(low)?, category(high)?)));
        match pair {
            Some((low, high)) if low < high => Ok(Self { low, high }),
            _ => Err(NotAPair(text.to_owned())),
        }
    }
}

impl fmt::Display for CategoryPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{},c{}", self.low, self.high)
    }
}

impl TryFrom<String> for CategoryPair {
    type Error = NotAPair;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CategoryPair> for String {
    fn from(pair: CategoryPair) -> Self {
        pair.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_number_is_another_pair() {
        let mut seen = BTreeSet::new();
        for number in 0..PAIRS {
            let CategoryPair { low, high } = CategoryPair::numbered(number);
            assert!(low < high && high < CATEGORIES, "{number}: {low} {high}");
            seen.insert((low, high));
        }
        assert_eq!(seen.len(), usize::try_from(PAIRS).unwrap());
    }

    #[test]
    fn pairs_are_read_as_they_are_written() {
        for text in ["c0,c1", "c12,c907", "c1022,c1023"] {
            assert_eq!(text.parse::<CategoryPair>().unwrap().to_string(), text);
        }
        for text in [
            "", "c1", "c1,c1", "c2,c1", "c1,c1024", "c01,c2", "c1,c2,c3", "1,2", "c1,c+2",
        ] {
            assert!(text.parse::<CategoryPair>().is_err(), "{text}");
        }
    }
}
