//! How much a sandbox may receive and send: Kubernetes says it by annotations.

use std::collections::BTreeMap;

use cni_glue::bandwidth::{Bandwidth, Rate, RateLimit};

use crate::error::CriError;

const INGRESS: &str = "kubernetes.io/ingress-bandwidth";
const EGRESS: &str = "kubernetes.io/egress-bandwidth";

/// The limits that annotations ask for, if any does.
///
/// # Errors
/// [`CriError::Invalid`] if one is no rate, or one that Kubernetes doesn't take.
pub(super) fn asked(annotations: &BTreeMap<String, String>) -> Result<Option<Bandwidth>, CriError> {
    let ingress = limit(annotations, INGRESS)?;
    Ok(Bandwidth::new(ingress, limit(annotations, EGRESS)?))
}

fn limit(
    annotations: &BTreeMap<String, String>,
    name: &str,
) -> Result<Option<RateLimit>, CriError> {
    let Some(text) = annotations.get(name) else {
        return Ok(None);
    };
    let rate: Result<Rate, _> = text.parse();
    let rate =
        rate.map_err(|error| CriError::invalid(format!("config.annotations[{name}]"), error))?;
    Ok(Some(RateLimit::new(rate, None)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Option<Bandwidth>, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        asked(&pairs.iter().map(own).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_direction_has_an_annotation() {
        assert_eq!(of(&[("kubernetes.io/other", "10M")]), Ok(None));
        let both = of(&[(INGRESS, "10M"), (EGRESS, "1e6")]).unwrap().unwrap();
        let bits = |limit: Option<RateLimit>| limit.map(|limit| limit.rate.bits());
        assert_eq!(bits(both.ingress()), Some(10_000_000));
        assert_eq!(bits(both.egress()), Some(1_000_000));
        let one = of(&[(EGRESS, "512Ki")]).unwrap().unwrap();
        assert_eq!((one.ingress(), bits(one.egress())), (None, Some(512 << 10)));
    }

    #[test]
    fn what_is_no_rate_is_refused_by_name() {
        for name in [INGRESS, EGRESS] {
            for bad in ["", "fast", "-1M", "10m", "999", "1.1P", "1E"] {
                let refused = of(&[(name, bad)]).unwrap_err();
                let field = format!("config.annotations[{name}]: {bad:?} is not a rate: ");
                assert!(refused.starts_with(&field), "{refused}");
            }
        }
    }
}
