//! Points in time, as policies write them and signers sign them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::one_line;
use crate::strict_json::Node;

/// How far ahead of this machine's clock a signer's may be, in seconds.
pub const CLOCK_SKEW: u64 = 5 * 60;

/// The last second of the year 9999, the last one that RFC 3339 can write.
const MAX: u64 = 253_402_300_799;

const DAY: u64 = 24 * 60 * 60;

/// A second since 1970, in UTC. Written and read as RFC 3339 (`2026-11-20T10:00:00Z`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

/// A text that is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not a time: write it as 2026-11-20T10:00:00Z")]
pub struct TimestampError {
    text: String,
}

impl Timestamp {
    /// Takes seconds since 1970; none after the year 9999.
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        (seconds <= MAX).then_some(Self(seconds))
    }

    /// The time that a clock shows, in whole seconds. A clock before 1970 shows 1970.
    pub fn from_clock(clock: SystemTime) -> Self {
        let since = clock.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since.as_secs().min(MAX))
    }

    /// Parses RFC 3339 with an offset or `Z`. Fractions of a second are dropped.
    ///
    /// # Errors
    /// [`TimestampError`] for any other text, and for times before 1970.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        parse(text).ok_or_else(|| TimestampError {
            text: one_line::quoted(text),
        })
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// Whether this is later than `now`, by more than clocks may differ.
    pub(crate) fn is_future(self, now: Self) -> bool {
        self.0 > now.0.saturating_add(CLOCK_SKEW)
    }

    /// This time less some seconds.
    pub(crate) fn minus(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }
}

/// `YYYY-MM-DDTHH:MM:SS[.F…](Z|±HH:MM)`.
fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + u64::from(digit - b'0'))
        })
    };
    let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let separated = is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":");
    if !separated {
        return None;
    }
    let days = days_since_1970(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // A leap second counts as the one before it.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    if is(at, b".") {
        let digits = bytes.get(20..)?.iter();
        let digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
        at = (digits > 0).then_some(20 + digits)?;
    }
    let local = days * DAY + hour * 3600 + minute * 60 + second.min(59);
    let seconds = if is(at, b"Zz") && bytes.len() == at + 1 {
        local
    } else {
        let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
        if !is(at + 3, b":") || bytes.len() != at + 6 || hours > 23 || minutes > 59 {
            return None;
        }
        let offset = hours * 3600 + minutes * 60;
        match bytes.get(at)? {
            b'+' => local.checked_sub(offset)?,
            b'-' => local + offset,
            _ => return None,
        }
    };
    Timestamp::from_seconds(seconds)
}

/// Days of the months before each month, in a year that is no leap year.
const DAYS_BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days from year 0 to the first day of a year, in the Gregorian calendar.
fn days_before_year(year: u64) -> u64 {
    let past = year.saturating_sub(1);
    // Year 0 is a leap year.
    year * 365 + past / 4 - past / 100 + past / 400 + u64::from(year > 0)
}

fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let month = usize::try_from(month.checked_sub(1)?).ok()?;
    let before = DAYS_BEFORE.get(month)?;
    let next = DAYS_BEFORE.get(month + 1).copied().unwrap_or(365);
    let leap = u64::from(is_leap(year));
    let length = next - before + if month == 1 { leap } else { 0 };
    if day == 0 || day > length {
        return None;
    }
    let days = days_before_year(year) + before + if month > 1 { leap } else { 0 } + day - 1;
    days.checked_sub(days_before_year(1970))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / DAY + days_before_year(1970), self.0 % DAY);
        // 366 days never make two years, so the guess is this year or the one after.
        let guess = days / 365;
        let year = (guess.saturating_sub(10)..=guess)
            .rev()
            .find(|year| days_before_year(*year) <= days)
            .unwrap_or(0);
        let day_of_year = days - days_before_year(year);
        let leap = u64::from(is_leap(year));
        let before = |month: usize| {
            DAYS_BEFORE.get(month).copied().unwrap_or(0) + if month > 1 { leap } else { 0 }
        };
        let month = (0..12).rev().find(|month| before(*month) <= day_of_year);
        let month = month.unwrap_or(0);
        let day = day_of_year - before(month) + 1;
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(
            f,
            "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z",
            month + 1,
            second % 60
        )
    }
}

impl std::str::FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The time that a signer signed with an image, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedTime {
    /// A time.
    At(Timestamp),
    /// Something else: it matters only where a rule asks for a time.
    Unreadable,
}

impl SignedTime {
    /// Reads whole seconds since 1970 as a number or in digits, or a text of RFC 3339.
    pub(crate) fn of(node: Node) -> Self {
        let time = match node {
            Node::Number(number) => number.as_u64().and_then(Timestamp::from_seconds),
            Node::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().and_then(Timestamp::from_seconds)
            }
            Node::Text(text) => parse(&text),
            _ => None,
        };
        time.map_or(Self::Unreadable, Self::At)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1972-02-29T00:00:00Z", 68_169_600),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2000-12-31T00:00:00Z", 978_220_800),
            ("2026-11-20T10:00:00Z", 1_795_168_800),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", MAX),
        ] {
            let time = Timestamp::from_seconds(seconds).unwrap();
            assert_eq!(Timestamp::parse(text), Ok(time));
            assert_eq!(time.to_string(), text);
        }
        for day in (0..2_932_896).step_by(31) {
            let time = Timestamp(day * DAY + 1);
            assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
        }
    }

    #[test]
    fn offsets_and_fractions_are_understood() {
        let time = Timestamp::parse("2026-11-20T10:00:00Z").unwrap();
        for text in [
            "2026-11-20T12:30:00+02:30",
            "2026-11-21T09:59:00+23:59",
            "2026-11-20t04:00:00.999-06:00",
            "2026-11-20 10:00:00.123456789z",
        ] {
            assert_eq!(Timestamp::parse(text), Ok(time), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_time() {
        for text in [
            "",
            "2026",
            "2026-11-20",
            "2026-11-20T10:00:00",
            "2026-11-20T10:00:00Zx",
            "2026-11-20T10:00:00.Z",
            "2026-13-01T10:00:00Z",
            "2026-00-01T10:00:00Z",
            "2026-02-29T10:00:00Z",
            "1900-02-29T10:00:00Z",
            "2026-11-31T10:00:00Z",
            "2026-11-00T10:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T10:60:00Z",
            "2026-11-20T10:00:61Z",
            "2026-11-20T10:00:00+24:00",
            "2026-11-20T10:00:00+00:60",
            "2026-11-20T10:00:00+0200",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "+026-11-20T10:00:00Z",
            "２０26-11-20T10:00:00Z",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
        assert_eq!(Timestamp::from_seconds(MAX + 1), None);
    }

    #[test]
    fn signed_times_come_as_numbers_and_as_texts() {
        let read = |json: &str| SignedTime::of(crate::strict_json::parse(json.as_bytes()).unwrap());
        let at = SignedTime::At(Timestamp::from_seconds(1_795_168_800).unwrap());
        for json in ["1795168800", "\"1795168800\"", "\"2026-11-20T10:00:00Z\""] {
            assert_eq!(read(json), at, "{json}");
        }
        for json in [
            "-1",
            "1.5",
            "null",
            "\"\"",
            "\"x\"",
            "[1]",
            "1e300",
            "\"99999999999999999999\"",
        ] {
            assert_eq!(read(json), SignedTime::Unreadable, "{json}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_is_read_and_written() {
        let first = Timestamp::parse("1999-12-31T00:00:00Z").unwrap().0 / DAY;
        let mut before = String::new();
        for day in first..first + 146_200 {
            let time = Timestamp(day * DAY + DAY - 1);
            let text = time.to_string();
            assert_eq!(Timestamp::parse(&text), Ok(time));
            assert!(
                text > before && text.ends_with("T23:59:59Z"),
                "{before} {text}"
            );
            before = text;
        }
        assert!(before.starts_with("2400-"), "{before}");
    }

    #[test]
    fn each_part_of_a_time_has_its_last_value() {
        for (good, bad) in [
            ("2026-12-31T10:00:00Z", "2026-12-32T10:00:00Z"),
            ("2024-02-29T10:00:00Z", "2024-02-30T10:00:00Z"),
            ("2026-04-30T10:00:00Z", "2026-04-31T10:00:00Z"),
            ("2026-11-20T23:59:59Z", "2026-11-20T25:00:00Z"),
            ("2026-11-20T10:00:00+23:59", "2026-11-20T10:00:00+23:60"),
            ("2026-11-20T10:00:00-23:59", "2026-11-20T10:00:00-24:00"),
            ("2026-11-20T10:00:00.1Z", "2026-11-20T10:00:00.1"),
            ("2026-11-20T10:00:00+00:00", "2026-11-20T10:00:00+00:000"),
            ("2026-11-20T10:00:00+00:00", "2026-11-20T10:00:00+00-00"),
            ("2026-11-20T10:00:00+00:00", "2026-11-20T10:00:00*00:00"),
        ] {
            assert!(Timestamp::parse(good).is_ok(), "{good}");
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
        for at in [4, 7, 10, 13, 16] {
            let mut text = "2026-11-20T10:00:00Z".to_owned();
            text.replace_range(at..=at, "x");
            assert!(Timestamp::parse(&text).is_err(), "{text}");
        }
        // A leap second is the one before it.
        let leap = Timestamp::parse("2016-12-31T23:59:60Z").unwrap();
        assert_eq!(leap.to_string(), "2016-12-31T23:59:59Z");
        let last = "9999-12-31T23:59:59-00:01";
        assert!(Timestamp::parse(last).is_err(), "after the last second");
    }

    #[test]
    fn a_signer_s_clock_may_be_ahead_by_some_minutes() {
        let now = Timestamp(1_000_000);
        assert!(!Timestamp(1_000_000 + CLOCK_SKEW).is_future(now));
        assert!(Timestamp(1_000_001 + CLOCK_SKEW).is_future(now));
        assert_eq!(CLOCK_SKEW, 300);
        assert_eq!(
            (now.minus(7).seconds(), now.minus(u64::MAX).seconds()),
            (999_993, 0)
        );
    }

    #[test]
    fn a_clock_shows_whole_seconds_of_known_years() {
        use std::time::Duration;
        let of = |clock| Timestamp::from_clock(clock).seconds();
        assert_eq!(of(UNIX_EPOCH + Duration::from_millis(7999)), 7);
        assert_eq!(of(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(of(UNIX_EPOCH + Duration::from_secs(MAX + 5)), MAX);
        let time: Timestamp = serde_json::from_str("\"1970-01-01T00:00:07Z\"").unwrap();
        assert_eq!(time, Timestamp(7));
        assert_eq!(
            serde_json::to_string(&time).unwrap(),
            "\"1970-01-01T00:00:07Z\""
        );
        assert!(serde_json::from_str::<Timestamp>("\"now\"").is_err());
        assert_eq!("1970-01-01T00:00:07Z".parse(), Ok(time));
    }
}
