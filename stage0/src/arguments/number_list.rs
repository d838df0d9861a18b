//! Lists of processors and memory nodes, as the kernel writes them: `0-3,7`.

use std::collections::BTreeSet;
use std::fmt;

/// The highest number that a list may have: more than the kernel has.
const MOST: u32 = 65_535;

/// Numbers, and what was typed for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NumberList {
    text: String,
    numbers: BTreeSet<u32>,
}

/// Parses a list.
pub(crate) fn number_list(text: &str) -> Result<NumberList, String> {
    let malformed = || "it must be a list such as 0-3,7".to_owned();
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let number = is_number.then(|| text.parse::<u32>().ok()).flatten();
        number.filter(|n| *n <= MOST).ok_or_else(malformed)
    };
    let mut numbers = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(malformed());
        }
        numbers.extend(first..=last);
    }
    Ok(NumberList {
        text: text.to_owned(),
        numbers,
    })
}

impl NumberList {
    /// Whether all of them are there.
    ///
    /// # Errors
    /// Which isn't.
    pub(crate) fn require(&self, there: &Self) -> Result<(), String> {
        match self.numbers.difference(&there.numbers).next() {
            Some(missing) => Err(format!("the host has no {missing}: it has {there}")),
            None => Ok(()),
        }
    }
}

impl fmt::Display for NumberList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_numbers_and_ranges() {
        let list = number_list("0-3,7").unwrap();
        assert_eq!(list.to_string(), "0-3,7");
        assert_eq!(list.numbers, BTreeSet::from([0, 1, 2, 3, 7]));
        for bad in [
            "", ",", "1,", "3-1", "-1", "1-", "a", "0-65536", "1 2", "+1",
        ] {
            let error = number_list(bad).unwrap_err();
            assert!(error.contains("a list such as"), "{bad}: {error}");
        }
    }

    #[test]
    fn what_the_host_lacks_is_named() {
        let there = number_list("0-1").unwrap();
        assert_eq!(number_list("1").unwrap().require(&there), Ok(()));
        let missing = number_list("0-2").unwrap().require(&there).unwrap_err();
        assert_eq!(missing, "the host has no 2: it has 0-1");
    }
}
