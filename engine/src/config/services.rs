//! The table `[services]`: pods whose apps start again, or that a service manager looks after. What it can say is in docs/configuration.md.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What the table says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Services {
    max_restart_backoff: Option<BackOff>,
    machined: Option<bool>,
}

/// The longest wait before a start, in milliseconds: from a second to five minutes, as kubelets have it (KEP-5593).
#[derive(Debug, Clone, Copy)]
struct BackOff(u64);

impl Services {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            max_restart_backoff: later.max_restart_backoff.or(self.max_restart_backoff),
            machined: later.machined.or(self.machined),
        }
    }

    pub(super) fn machined(&self) -> bool {
        self.machined.unwrap_or(true)
    }

    pub(super) fn max_restart_back_off_ms(&self) -> Option<u64> {
        self.max_restart_backoff.map(|back_off| back_off.0)
    }
}

impl<'de> Deserialize<'de> for BackOff {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = match text.strip_suffix('m') {
            Some(minutes) => (minutes, 60),
            None => (text.strip_suffix('s').unwrap_or(&text), 1),
        };
        let seconds = parts.0.parse::<u64>().ok();
        let seconds = seconds.and_then(|number| number.checked_mul(parts.1));
        match seconds {
            Some(seconds @ 1..=300) => Ok(Self(seconds * 1000)),
            _ => Err(D::Error::custom(format_args!(
                "{text:?} is not a time from \"1s\" to \"300s\""
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<u64>, String> {
        let table = toml::from_str::<Services>(text);
        table
            .map(|table| table.max_restart_back_off_ms())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_time_is_within_what_kubelets_take() {
        assert_eq!(read(""), Ok(None));
        for (text, milliseconds) in [
            ("1s", 1000),
            ("300s", 300_000),
            ("5m", 300_000),
            ("7", 7000),
        ] {
            let table = format!("max-restart-backoff = \"{text}\"");
            assert_eq!(read(&table), Ok(Some(milliseconds)));
        }
        for bad in [
            "0s",
            "301s",
            "6m",
            "",
            "s",
            "1h",
            "-1s",
            "99999999999999999999m",
        ] {
            read(&format!("max-restart-backoff = \"{bad}\"")).unwrap_err();
        }
        read("max-restarts = 1").unwrap_err();
    }
}
