//! What the user writes: `in=RATE,out=RATE,in-burst=SIZE,out-burst=SIZE`.

use std::fmt;
use std::str::FromStr;

use super::limits::{Bandwidth, RateLimit};
use super::quantity::{Burst, InvalidQuantity, Rate};

/// Limits as they were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BandwidthSpec(pub Bandwidth);

/// Why a text is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBandwidth {
    /// A rate or a burst.
    #[error("{key}: {source}")]
    Quantity {
        /// Of which key.
        key: &'static str,
        /// What is wrong with it.
        source: InvalidQuantity,
    },
    /// Something else.
    #[error(
        "{text:?}: {reason}; write in=RATE (towards the pod), out=RATE (from it) or both, as in=10mbit,out=5mbit, and in-burst=SIZE or out-burst=SIZE if need be"
    )]
    Form {
        /// The text.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
}

/// One direction, as far as it is read.
#[derive(Default)]
struct Direction {
    rate: Option<Rate>,
    burst: Option<Burst>,
}

impl Direction {
    fn limit(self) -> Result<Option<RateLimit>, &'static str> {
        match (self.rate, self.burst) {
            (Some(rate), burst) => Ok(Some(RateLimit::new(rate, burst))),
            (None, None) => Ok(None),
            (None, Some(_)) => Err("a burst needs the rate of its direction"),
        }
    }
}

fn set<T: FromStr<Err = InvalidQuantity>>(
    place: &mut Option<T>,
    key: &'static str,
    value: &str,
) -> Result<bool, InvalidBandwidth> {
    let value = value
        .parse()
        .map_err(|source| InvalidBandwidth::Quantity { key, source })?;
    Ok(place.replace(value).is_none())
}

impl FromStr for BandwidthSpec {
    type Err = InvalidBandwidth;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason| InvalidBandwidth::Form {
            text: text.into(),
            reason,
        };
        let (mut ingress, mut egress) = (Direction::default(), Direction::default());
        for part in text.split(',') {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| wrong("each part is KEY=VALUE"))?;
            let is_first = match key {
                "in" => set(&mut ingress.rate, "in", value)?,
                "out" => set(&mut egress.rate, "out", value)?,
                "in-burst" => set(&mut ingress.burst, "in-burst", value)?,
                "out-burst" => set(&mut egress.burst, "out-burst", value)?,
                _ => return Err(wrong("it has an unknown key")),
            };
            if !is_first {
                return Err(wrong("it has a key twice"));
            }
        }
        let (ingress, egress) = (
            ingress.limit().map_err(wrong)?,
            egress.limit().map_err(wrong)?,
        );
        // Each part is one of the four keys, so there is a rate.
        Bandwidth::new(ingress, egress)
            .map(Self)
            .ok_or_else(|| wrong("it limits nothing"))
    }
}

/// As it can be written, bursts named.
impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directions = [("in", self.ingress()), ("out", self.egress())];
        let mut separator = "";
        for (key, limit) in directions {
            if let Some(RateLimit { rate, burst }) = limit {
                write!(f, "{separator}{key}={rate},{key}-burst={burst}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bandwidth(text: &str) -> Bandwidth {
        text.parse::<BandwidthSpec>().unwrap().0
    }

    #[test]
    fn each_direction_has_its_limit() {
        let both = bandwidth("in=10mbit,out=5M,out-burst=128KiB");
        assert_eq!(both.ingress().unwrap().rate.bits(), 10_000_000);
        assert_eq!(
            both.ingress().unwrap().burst,
            Burst::suited_to("10M".parse().unwrap())
        );
        assert_eq!(both.egress().unwrap().rate.bits(), 5_000_000);
        assert_eq!(both.egress().unwrap().burst.bytes(), 128 << 10);
        assert_eq!(bandwidth("out=1M").ingress(), None);
    }

    #[test]
    fn what_is_shown_can_be_written() {
        let text = "in=10mbit,in-burst=72KiB,out=5mbit,out-burst=128KiB";
        assert_eq!(bandwidth(text).to_string(), text);
        assert_eq!(
            bandwidth(&bandwidth("out=1M").to_string()),
            bandwidth("out=1M")
        );
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (bad, reason) in [
            ("", "KEY=VALUE"),
            ("10mbit", "KEY=VALUE"),
            ("in=1M,", "KEY=VALUE"),
            ("ingress=1M", "unknown key"),
            ("in=1M,in=2M", "twice"),
            ("in-burst=64KiB", "needs the rate"),
            ("in=1M,out-burst=64KiB", "needs the rate"),
            ("in=10m", "in: \"10m\" is not a rate: m is a thousandth"),
            ("out=0", "out: \"0\" is not a rate: it is from 1k"),
            ("out=1M,out-burst=64k", "out-burst: \"64k\" is not a burst"),
        ] {
            let error = bad.parse::<BandwidthSpec>().unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
