//! Numbers and sizes in tables.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::size;

/// A number that is not zero.
#[derive(Debug)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = Amount {
            expected: "a positive integer",
            units: false,
        };
        deserializer.deserialize_u64(amount).map(Self)
    }
}

/// A number of bytes, which may have a unit: `20G`.
#[derive(Debug)]
pub(super) struct Bytes(pub(super) u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let amount = Amount {
            expected: "a number of bytes, such as 1048576 or \"20G\"",
            units: true,
        };
        deserializer.deserialize_any(amount).map(Self)
    }
}

/// A number that is not zero, perhaps with a unit.
struct Amount {
    expected: &'static str,
    units: bool,
}

impl Visitor<'_> for Amount {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        match number {
            0 => Err(E::invalid_value(Unexpected::Unsigned(0), &self)),
            number => Ok(number),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        if !self.units {
            return Err(E::invalid_type(Unexpected::Str(text), &self));
        }
        let bytes = size::bytes(text).map_err(|reason| E::custom(format!("{text:?}: {reason}")))?;
        self.visit_u64(bytes)
    }
}
