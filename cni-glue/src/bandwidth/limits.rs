//! Limits of a pod.

use serde::{Deserialize, Serialize};

use super::quantity::{Burst, Rate};

/// The capability by which a network takes limits.
pub const CAPABILITY: &str = "bandwidth";

/// The limit of one direction: a bucket that fills at a rate and holds a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RateLimit {
    /// How much passes on average, in bits per second.
    pub rate: Rate,
    /// How much may pass at once, after a pause, in bytes.
    pub burst: Burst,
}

impl RateLimit {
    /// That rate, with a burst that suits it.
    pub fn new(rate: Rate, burst: Option<Burst>) -> Self {
        Self {
            rate,
            burst: burst.unwrap_or_else(|| Burst::suited_to(rate)),
        }
    }
}

/// The limits of a pod, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Directions", into = "Directions")]
pub struct Bandwidth(Directions);

/// The two directions, as they are kept in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Directions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ingress: Option<RateLimit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    egress: Option<RateLimit>,
}

impl Bandwidth {
    /// These limits; `None` if there are none.
    pub fn new(ingress: Option<RateLimit>, egress: Option<RateLimit>) -> Option<Self> {
        (ingress.is_some() || egress.is_some()).then_some(Self(Directions { ingress, egress }))
    }

    /// Towards the pod.
    pub fn ingress(&self) -> Option<RateLimit> {
        self.0.ingress
    }

    /// From the pod.
    pub fn egress(&self) -> Option<RateLimit> {
        self.0.egress
    }
}

impl TryFrom<Directions> for Bandwidth {
    type Error = &'static str;

    fn try_from(Directions { ingress, egress }: Directions) -> Result<Self, Self::Error> {
        Self::new(ingress, egress).ok_or("it limits neither ingress nor egress")
    }
}

impl From<Bandwidth> for Directions {
    fn from(bandwidth: Bandwidth) -> Self {
        bandwidth.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandwidth::BandwidthSpec;
    use serde_json::json;

    #[test]
    fn records_hold_bits_a_second_and_bytes_and_are_checked() {
        let bandwidth: Bandwidth = "in=10mbit,in-burst=64KiB"
            .parse::<BandwidthSpec>()
            .unwrap()
            .0;
        let value = json!({"ingress": {"rate": 10_000_000, "burst": 65_536}});
        assert_eq!(json!(bandwidth), value);
        assert_eq!(
            serde_json::from_value::<Bandwidth>(value).unwrap(),
            bandwidth
        );
        for bad in [
            json!({}),
            json!({"ingress": {"rate": 0, "burst": 65_536}}),
            json!({"ingress": {"rate": 10, "burst": 65_536}}),
            json!({"ingress": {"rate": 10_000, "burst": 0}}),
            json!({"ingress": {"rate": 10_000, "burst": 1_u64 << 32}}),
            json!({"ingress": {"rate": 10_000}}),
            json!({"ingress": {"rate": -1, "burst": 1500}}),
            json!({"both": {"rate": 10_000, "burst": 1500}}),
        ] {
            assert!(
                serde_json::from_value::<Bandwidth>(bad.clone()).is_err(),
                "{bad}"
            );
        }
    }
}
