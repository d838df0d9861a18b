//! Durations in whole seconds, as pods note them.

use std::num::NonZeroU32;
use std::time::Duration;

/// As many seconds, rounded up; `None` for no time, or for more than anybody waits.
pub(crate) fn whole_seconds(duration: Duration) -> Option<NonZeroU32> {
    let more = u64::from(duration.subsec_nanos() > 0);
    let seconds = duration.as_secs().saturating_add(more);
    NonZeroU32::new(u32::try_from(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_is_one() {
        let of = |millis| whole_seconds(Duration::from_millis(millis)).map(NonZeroU32::get);
        assert_eq!(of(0), None);
        assert_eq!(of(1), Some(1));
        assert_eq!(of(2000), Some(2));
        assert_eq!(of(2001), Some(3));
        assert_eq!(whole_seconds(Duration::MAX), None);
    }
}
