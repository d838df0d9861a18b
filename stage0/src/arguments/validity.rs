//! From when to when something counts: times, or days in UTC.

use trust::{Timestamp, TimestampError};

/// The first moment: of a day, its beginning.
pub(crate) fn first_moment(text: &str) -> Result<Timestamp, TimestampError> {
    at(text, "T00:00:00Z")
}

/// The last moment: of a day, its end.
pub(crate) fn last_moment(text: &str) -> Result<Timestamp, TimestampError> {
    at(text, "T23:59:59Z")
}

fn at(text: &str, time: &str) -> Result<Timestamp, TimestampError> {
    match text.len() {
        10 => Timestamp::parse(&format!("{text}{time}")).or_else(|_| Timestamp::parse(text)),
        _ => Timestamp::parse(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_and_ends() {
        let parsed = |text: &str| Timestamp::parse(text).unwrap();
        assert_eq!(
            first_moment("2027-01-01").unwrap(),
            parsed("2027-01-01T00:00:00Z")
        );
        assert_eq!(
            last_moment("2027-01-01").unwrap(),
            parsed("2027-01-01T23:59:59Z")
        );
        let exact = "2027-01-01T10:00:00Z";
        assert_eq!(last_moment(exact).unwrap(), parsed(exact));
        for bad in ["", "2027", "2027-02-30", "2027-1-1", "tomorrow!!"] {
            assert!(first_moment(bad).is_err(), "{bad}");
        }
    }
}
