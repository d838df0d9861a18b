//! Points in time, as records and lists carry them.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time in UTC, written as RFC 3339 with nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(SystemTime);

impl Timestamp {
    /// The present.
    pub fn now() -> Self {
        Self(SystemTime::now())
    }

    /// How long ago this was; zero if it lies in the future (the clock may have been set back).
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed().unwrap_or_default()
    }

    /// How long it is until then; zero if that has passed.
    pub fn ahead(&self) -> Duration {
        self.0.duration_since(SystemTime::now()).unwrap_or_default()
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(time)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        time.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_nanos(self.0).fmt(f)
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
        humantime::parse_rfc3339(&text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_passed_is_not_ahead_and_what_is_ahead_has_not_passed() {
        const HOUR: Duration = Duration::from_secs(3600);
        let now = SystemTime::now();
        let (past, future) = (Timestamp::from(now - HOUR), Timestamp::from(now + HOUR));
        assert!(past.elapsed() >= HOUR && past.elapsed() < 2 * HOUR);
        assert_eq!(past.ahead(), Duration::ZERO);
        assert!(future.ahead() <= HOUR && future.ahead() > HOUR / 2);
        assert_eq!(future.elapsed(), Duration::ZERO);
        assert!(past < Timestamp::now() && Timestamp::now() < future);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in ["", "yesterday", "2026-11-28", "2026-13-01T00:00:00Z"] {
            let json = serde_json::to_string(bad).unwrap();
            assert!(serde_json::from_str::<Timestamp>(&json).is_err(), "{bad}");
        }
    }

    #[test]
    fn is_written_as_rfc_3339() {
        let time = Timestamp(SystemTime::UNIX_EPOCH + Duration::new(1, 5));
        assert_eq!(time.to_string(), "1970-01-01T00:00:01.000000005Z");
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
    }
}
