//! How many processors something has used lately: from what it had used by now and when it was asked before.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;
/// Between two samples; who asks more often gets the last rate.
const SPAN_MIN: i64 = SECOND;
/// After how long what nobody asked about is forgotten.
const FORGOTTEN: i64 = 600 * SECOND;

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Nanoseconds since 1970.
    at: i64,
    used_ns: u64,
    rate: Option<u64>,
}

/// The last samples, by id. Forgetting them costs a rate, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<BTreeMap<String, Sample>>);

impl Rates {
    /// Processors that were used lately, in billionths; none if there is no telling yet.
    pub(crate) fn nano_cores(&self, id: &str, at: i64, used_ns: Option<u64>) -> Option<u64> {
        let used_ns = used_ns?;
        // Each sample is whole.
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.retain(|_, sample| at.saturating_sub(sample.at) < FORGOTTEN);
        let last = samples.get(id).copied();
        let rate = match last {
            Some(last) if at.saturating_sub(last.at) < SPAN_MIN => return last.rate,
            Some(last) => rate(at.saturating_sub(last.at), last.used_ns, used_ns),
            None => None,
        };
        samples.insert(id.to_owned(), Sample { at, used_ns, rate });
        rate
    }
}

/// None if a count has begun anew.
fn rate(span: i64, before: u64, now: u64) -> Option<u64> {
    let used = u128::from(now.checked_sub(before)?);
    let span = u128::try_from(span).ok().filter(|span| *span != 0)?;
    u64::try_from(used.saturating_mul(SECOND.unsigned_abs().into()) / span).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_time_between_two_samples() {
        let rates = Rates::default();
        let at = |seconds: i64| 1_000 * SECOND + seconds * SECOND;
        assert_eq!(rates.nano_cores("a", at(0), None), None);
        assert_eq!(rates.nano_cores("a", at(0), Some(0)), None);
        assert_eq!(rates.nano_cores("a", at(0) + 5, Some(9)), None);
        assert_eq!(
            rates.nano_cores("a", at(2), Some(1_000_000_000)),
            Some(500_000_000)
        );
        // Too soon after the last one.
        assert_eq!(
            rates.nano_cores("a", at(2) + 9, Some(9_000_000_000)),
            Some(500_000_000)
        );
        assert_eq!(rates.nano_cores("b", at(2), Some(5)), None);
        // Counted anew.
        assert_eq!(rates.nano_cores("a", at(4), Some(1)), None);
        assert_eq!(rates.nano_cores("a", at(5), Some(3)), Some(2));
        // Forgotten.
        assert_eq!(rates.nano_cores("a", at(2000), Some(4)), None);
    }
}
