//! How long what is to end may take.

use std::time::Duration;

use super::duration::duration;

/// A number of seconds, or a duration such as `1m30s`; without end if it is negative.
pub(crate) fn grace(text: &str) -> Result<Duration, String> {
    match text.parse::<i64>() {
        Ok(seconds) => Ok(u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs)),
        Err(_) => duration(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_are_seconds_and_negative_ones_have_no_end() {
        assert_eq!(grace("0"), Ok(Duration::ZERO));
        assert_eq!(grace("3"), Ok(Duration::from_secs(3)));
        assert_eq!(grace("1m"), Ok(Duration::from_secs(60)));
        assert_eq!(grace("-1"), Ok(Duration::MAX));
        assert!(grace("x").is_err());
    }
}
