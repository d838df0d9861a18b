//! Points in time, as people write them.

use std::time::{Duration, SystemTime};

use pod::timestamp::Timestamp;

/// A point in time: how long ago (`10m`), seconds since 1970, a date, or a date with a time. What names no zone is UTC;
/// a date is its beginning.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    let time = seconds(text)
        .or_else(|| humantime::parse_rfc3339_weak(&whole(text)).ok())
        .or_else(|| ago(text));
    time.map(Timestamp::from).ok_or_else(|| {
        "write, for example, 10m for ten minutes ago, 2026-12-31 or 2026-12-31T12:00:00Z".to_owned()
    })
}

/// A date with the time that it begins at.
fn whole(text: &str) -> String {
    match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        _ => text.to_owned(),
    }
}

fn seconds(text: &str) -> Option<SystemTime> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let since = Duration::new(whole.parse().ok()?, nanos.parse().ok()?);
    // The year 10000 and later can't be written.
    (since.as_secs() < 253_402_300_800)
        .then(|| SystemTime::UNIX_EPOCH.checked_add(since))
        .flatten()
}

fn ago(text: &str) -> Option<SystemTime> {
    let duration = humantime::parse_duration(text).ok()?;
    SystemTime::now()
        .checked_sub(duration)
        .filter(|time| *time >= SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_seconds_are_points_in_time() {
        for (text, time) in [
            ("2026-12-31", "2026-12-31T00:00:00.000000000Z"),
            ("2026-12-31T12:30", "2026-12-31T12:30:00.000000000Z"),
            ("2026-12-31 12:30:05", "2026-12-31T12:30:05.000000000Z"),
            ("2026-12-31T12:30:05.5Z", "2026-12-31T12:30:05.500000000Z"),
            ("1", "1970-01-01T00:00:01.000000000Z"),
            ("1.25", "1970-01-01T00:00:01.250000000Z"),
        ] {
            assert_eq!(moment(text).unwrap().to_string(), time, "{text}");
        }
        for bad in [
            "",
            "x",
            "2026",
            "2026-13-01",
            "-1",
            "1.",
            "1.x",
            "99999999999999",
        ] {
            // A year alone is a number of seconds.
            assert_eq!(moment(bad).is_ok(), bad == "2026", "{bad}");
        }
    }

    #[test]
    fn a_duration_is_so_long_ago() {
        let passed = moment("10m").unwrap().elapsed();
        assert!((600..660).contains(&passed.as_secs()), "{passed:?}");
    }
}
