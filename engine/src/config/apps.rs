//! The table `[apps]`: what each app may use of what all of the machine share. What it can say is in README.

use std::num::NonZeroU32;

use pod::manifest::{Bounds, Limit};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// What the table says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Apps {
    max_pids: Option<MaxPids>,
    max_terminals: Option<NonZeroU32>,
    max_memory_files: Option<NonZeroU32>,
}

impl Apps {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            max_pids: later.max_pids.or(self.max_pids),
            max_terminals: later.max_terminals.or(self.max_terminals),
            max_memory_files: later.max_memory_files.or(self.max_memory_files),
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        let default = Bounds::default();
        let number = |said: Option<NonZeroU32>, default| said.map_or(default, NonZeroU32::get);
        Bounds {
            pids: self.max_pids.as_ref().map_or(default.pids, |said| said.0),
            terminals: number(self.max_terminals, default.terminals),
            memory_files: number(self.max_memory_files, default.memory_files),
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
                "max-pids is a positive integer, or -1 for no limit",
            )),
            Ok(limit) => Ok(Self(limit)),
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
        ] {
            bounds(bad).unwrap_err();
        }
    }
}
