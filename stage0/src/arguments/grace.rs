//! How long what is to end may take.

use std::time::Duration;

use clap::Args;

use super::duration::duration;

/// The flag of commands that end something.
#[derive(Debug, Args)]
pub(crate) struct Grace {
    /// Seconds, or a duration, until SIGKILL [default: the pod's own]
    #[arg(short = 't', long, value_name = "TIME", value_parser = grace)]
    #[arg(
        visible_alias = "time",
        alias = "timeout",
        allow_negative_numbers = true
    )]
    pub(crate) grace_period: Option<Duration>,
}

/// A number of seconds, or a duration such as `1m30s`; -1 is without end.
pub(crate) fn grace(text: &str) -> Result<Duration, String> {
    match text.parse::<i64>() {
        Ok(-1) => Ok(Duration::MAX),
        Ok(seconds) => u64::try_from(seconds)
            .map(Duration::from_secs)
            .map_err(|_| "it can't be negative, except for -1: without end".to_owned()),
        Err(_) => duration(text).map_err(|_| {
            "write a number of seconds such as 10, or a duration such as 1m30s".to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_are_seconds_and_minus_one_has_no_end() {
        assert_eq!(grace("0"), Ok(Duration::ZERO));
        assert_eq!(grace("3"), Ok(Duration::from_secs(3)));
        assert_eq!(grace("1m"), Ok(Duration::from_secs(60)));
        assert_eq!(grace("-1"), Ok(Duration::MAX));
        for bad in ["-2", "-5", "-9223372036854775808"] {
            let error = grace(bad).unwrap_err();
            assert!(error.contains("except for -1"), "{bad}: {error}");
        }
        let error = grace("x").unwrap_err();
        assert!(error.starts_with("write a number of seconds"), "{error}");
    }
}
