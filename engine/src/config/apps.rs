//! The table `[apps]`: what each app may use of what all of the machine share. What it can say is in README.

use std::num::NonZeroU32;

use pod::manifest::{Bounds, Limit, LogDriver};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::amount::Bytes;

/// What the table says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Apps {
    max_pids: Option<MaxPids>,
    max_terminals: Option<NonZeroU32>,
    max_memory_files: Option<NonZeroU32>,
    max_log_size: Option<AtLeast<{ Bounds::LOG_SIZE_MIN }>>,
    max_log_rate: Option<AtLeast<{ Bounds::LOG_RATE_MIN }>>,
    log_driver: Option<LogDriver>,
}

impl Apps {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            max_pids: later.max_pids.or(self.max_pids),
            max_terminals: later.max_terminals.or(self.max_terminals),
            max_memory_files: later.max_memory_files.or(self.max_memory_files),
            max_log_size: later.max_log_size.or(self.max_log_size),
            max_log_rate: later.max_log_rate.or(self.max_log_rate),
            log_driver: later.log_driver.or(self.log_driver),
        }
    }

    /// The files are what is usual: who says so changes nothing of pods in the foreground.
    pub(super) fn log_driver(&self) -> Option<LogDriver> {
        self.log_driver
            .filter(|driver| *driver != LogDriver::K8sFile)
    }

    pub(super) fn bounds(&self) -> Bounds {
        let default = Bounds::default();
        let number = |said: Option<NonZeroU32>, default| said.map_or(default, NonZeroU32::get);
        Bounds {
            pids: self.max_pids.as_ref().map_or(default.pids, |said| said.0),
            terminals: number(self.max_terminals, default.terminals),
            memory_files: number(self.max_memory_files, default.memory_files),
            log_size: self.max_log_size.map_or(default.log_size, |said| said.0),
            log_rate: self.max_log_rate.map_or(default.log_rate, |said| said.0),
        }
    }
}

/// A number of processes that is not zero, or -1 for any.
#[derive(Debug)]
struct MaxPids(Limit);

impl<'de> Deserialize<'de> for MaxPids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Limit::try_from(i64::deserialize(deserializer)?) {
            Ok(Limit::At(0)) | Err(_) => Err(D::Error::custom(
                "it is a positive integer, or -1 for no limit",
            )),
            Ok(limit) => Ok(Self(limit)),
        }
    }
}

/// A number of bytes, perhaps with a unit, that is not too small.
#[derive(Debug, Clone, Copy)]
struct AtLeast<const LEAST: u64>(u64);

impl<'de, const LEAST: u64> Deserialize<'de> for AtLeast<LEAST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Bytes::deserialize(deserializer)?.0 {
            bytes if bytes < LEAST => Err(D::Error::custom(format_args!(
                "{bytes} bytes are too few: {}k at least",
                LEAST >> 10
            ))),
            bytes => Ok(Self(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(text: &str) -> Result<Bounds, String> {
        let apps = toml::from_str::<Apps>(text);
        apps.map(|apps| apps.bounds()).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        assert_eq!(bounds("").unwrap(), Bounds::default());
        let some = bounds("max-terminals = 8\nmax-memory-files = 100").unwrap();
        let expected = Bounds {
            terminals: 8,
            memory_files: 100,
            ..Bounds::default()
        };
        assert_eq!(some, expected);
        let logs = bounds("max-log-size = \"4M\"\nmax-log-rate = 65536").unwrap();
        assert_eq!((logs.log_size, logs.log_rate), (4 << 20, 64 << 10));
        let driver = |text: &str| toml::from_str::<Apps>(text).unwrap().log_driver();
        assert_eq!(driver(""), None);
        assert_eq!(driver("log-driver = \"k8s-file\""), None);
        assert_eq!(
            driver("log-driver = \"journald\""),
            Some(LogDriver::Journald)
        );
        assert_eq!(bounds("max-pids = 77").unwrap().pids, Limit::At(77));
        assert_eq!(bounds("max-pids = -1").unwrap().pids, Limit::Unlimited);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in [
            "max-pids = 0",
            "max-pids = -2",
            "max-terminals = 0",
            "max-memory-files = -1",
            "max-processes = 1",
            "max-log-size = \"255k\"",
            "log-driver = \"syslog\"",
            "max-log-rate = \"63k\"",
            "max-log-rate = \"fast\"",
        ] {
            bounds(bad).unwrap_err();
        }
    }
}
