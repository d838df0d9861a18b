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

/// A number of seconds, or a duration such as `1m30s`; without end if it is negative.
pub(crate) fn grace(text: &str) -> Result<Duration, String> {
    match text.parse::<i64>() {
        Ok(seconds) => Ok(u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs)),
        Err(_) => duration(text).map_err(|_| {
            "write a number of seconds such as 10, or a duration such as 1m30s".to_owned()
        }),
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
        let error = grace("x").unwrap_err();
        assert!(error.starts_with("write a number of seconds"), "{error}");
    }
}
