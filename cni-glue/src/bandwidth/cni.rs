//! The capability `bandwidth` of CNI: rates in bits per second, bursts in bits, 0 for no limit.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::limits::{Bandwidth, RateLimit};
use super::quantity::{Burst, Rate};

/// What plugins are told. A key that isn't known might say to whom the limit applies.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct CapabilityArguments {
    ingress_rate: u64,
    ingress_burst: u64,
    egress_rate: u64,
    egress_burst: u64,
}

fn limit(rate: u64, burst: u64) -> Result<Option<RateLimit>, String> {
    match (rate, burst) {
        (0, 0) => Ok(None),
        (0, _) => Err("a burst needs a rate".into()),
        _ => {
            let rate = Rate::try_from(rate).map_err(|reason| format!("rate {rate}: {reason}"))?;
            let burst = (burst > 0)
                .then(|| Burst::try_from(burst / 8))
                .transpose()
                .map_err(|reason| format!("burst {burst}, in bits: {reason}"))?;
            Ok(Some(RateLimit::new(rate, burst)))
        }
    }
}

impl Bandwidth {
    /// As plugins are told.
    pub(crate) fn to_cni(self) -> Value {
        let rate = |limit: Option<RateLimit>| limit.map_or(0, |limit| limit.rate.bits());
        let burst = |limit: Option<RateLimit>| limit.map_or(0, |limit| limit.burst.bits());
        json!(CapabilityArguments {
            ingress_rate: rate(self.ingress()),
            ingress_burst: burst(self.ingress()),
            egress_rate: rate(self.egress()),
            egress_burst: burst(self.egress()),
        })
    }

    /// From what a plugin is told.
    pub(crate) fn from_cni(value: &Value) -> Result<Option<Self>, String> {
        let told = CapabilityArguments::deserialize(value).map_err(|error| error.to_string())?;
        let ingress = limit(told.ingress_rate, told.ingress_burst)
            .map_err(|reason| format!("ingress: {reason}"))?;
        let egress = limit(told.egress_rate, told.egress_burst)
            .map_err(|reason| format!("egress: {reason}"))?;
        Ok(Self::new(ingress, egress))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bandwidth::BandwidthSpec;

    #[test]
    fn plugins_are_told_bits() {
        let bandwidth = "in=10M,in-burst=64KiB".parse::<BandwidthSpec>().unwrap().0;
        let told = json!({"ingressRate": 10_000_000, "ingressBurst": 524_288, "egressRate": 0, "egressBurst": 0});
        assert_eq!(bandwidth.to_cni(), told);
        assert_eq!(Bandwidth::from_cni(&told), Ok(Some(bandwidth)));
    }

    #[test]
    fn what_a_runtime_says_is_checked() {
        assert_eq!(Bandwidth::from_cni(&json!({})), Ok(None));
        let told = json!({"egressRate": 8_000_000});
        let limits = Bandwidth::from_cni(&told).unwrap().unwrap();
        assert_eq!(limits.egress().unwrap().burst.bytes(), 72 << 10);
        for (bad, reason) in [
            (json!({"egressBurst": 8}), "egress: a burst needs a rate"),
            (json!({"ingressRate": 8}), "ingress: rate 8: it is from 1k"),
            (json!({"ingressRate": 8000, "ingressBurst": 7}), "in bits"),
            (
                json!({"ingressRate": 8000, "ingressBurst": 1_u64 << 35}),
                "in bits",
            ),
            (json!({"ingressRate": -1}), "-1"),
            (
                json!({"ingressRate": 8000, "shapedSubnets": []}),
                "shapedSubnets",
            ),
            (json!("10M"), "10M"),
        ] {
            let error = Bandwidth::from_cni(&bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
