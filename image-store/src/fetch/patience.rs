//! How long another command's work is waited for.

use std::time::{Duration, Instant};

use crate::store::Holder;

/// How long one is waited for that gets its bytes from where this command doesn't: a stranger may be slow for
/// as long as it likes.
const MOMENT: Duration = Duration::from_secs(2);

/// How long one is waited for that gets them from the same place, and gets nowhere: that may be its
/// connection alone. A registry may well take seconds to begin.
const STANDSTILL: Duration = Duration::from_secs(5);

/// Bytes that are fair within that time.
const FAIR: u64 = 128 << 10;

/// Those that a fetch waits for, one after the other. Who was given up once isn't waited for again,
/// however many layers it has.
#[derive(Debug)]
pub(super) struct Patience {
    /// Where this fetch gets its bytes from, as in [`Holder::place`].
    place: String,
    given_up: Vec<Option<Holder>>,
    current: Option<Wait>,
}

#[derive(Debug)]
struct Wait {
    holder: Option<Holder>,
    since: Instant,
    /// Bytes that had come then.
    bytes: u64,
}

impl Patience {
    pub(super) fn new(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            given_up: Vec::new(),
            current: None,
        }
    }

    /// Whether to go on waiting for `holder`, which isn't known while it says nothing, and of which
    /// `bytes` have come; `u64::MAX` when all have.
    pub(super) fn lasts(
        &mut self,
        holder: Option<Holder>,
        bytes: Option<u64>,
        now: Instant,
    ) -> bool {
        if self.given_up.contains(&holder) {
            return false;
        }
        let bytes = bytes.unwrap_or_default();
        let is_same = |wait: &Wait| wait.holder == holder;
        let Some(wait) = self.current.as_mut().filter(|wait| is_same(wait)) else {
            let since = now;
            self.current = Some(Wait {
                holder,
                since,
                bytes,
            });
            return true;
        };
        let is_neighbour = holder
            .as_ref()
            .is_some_and(|holder| holder.place == self.place);
        let is_fair = is_neighbour && bytes >= wait.bytes.saturating_add(FAIR);
        // What is left then, no registry can draw out.
        if is_fair || bytes == u64::MAX {
            (wait.since, wait.bytes) = (now, bytes);
            return true;
        }
        let moment = if is_neighbour { STANDSTILL } else { MOMENT };
        if now.duration_since(wait.since) < moment {
            return true;
        }
        self.given_up.push(holder);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(name: &str, place: &str) -> Option<Holder> {
        let (staging, place) = (name.to_owned(), place.to_owned());
        Some(Holder { staging, place })
    }

    /// Seconds for which `patience` lasts with one that gets so many bytes in each, at most 1000.
    fn seconds(patience: &mut Patience, holder: &Option<Holder>, bytes: u64) -> u64 {
        let begun = Instant::now();
        let lasts = |second: &u64| {
            let now = begun + Duration::from_secs(*second);
            patience.lasts(holder.clone(), Some(second * bytes), now)
        };
        (0..1000).take_while(lasts).count() as u64
    }

    #[test]
    fn a_neighbour_is_waited_for_while_it_gets_its_bytes() {
        let mut patience = Patience::new("a.io");
        for (name, bytes, lasted) in [
            ("fast", FAIR, 1000),
            ("fair", FAIR / 4, 1000),
            ("slow", FAIR / 6, 5),
            ("drips", 1, 5),
            ("stands", 0, 5),
        ] {
            let found = seconds(&mut patience, &holder(name, "a.io"), bytes);
            assert_eq!(found, lasted, "{name}");
        }
    }

    #[test]
    fn a_stranger_is_waited_for_a_moment_however_fast_it_is() {
        let mut patience = Patience::new("");
        assert_eq!(seconds(&mut patience, &holder("fast", "a.io"), FAIR), 2);
        assert_eq!(seconds(&mut patience, &None, FAIR), 2);
    }

    #[test]
    fn one_that_has_all_its_bytes_is_waited_for() {
        let mut patience = Patience::new("");
        let begun = Instant::now();
        let last = |second| begun + Duration::from_secs(second);
        let stranger = || holder("stranger", "a.io");
        for second in 0..100 {
            assert!(patience.lasts(stranger(), Some(u64::MAX), last(second)));
        }
        // It may have more to get, for its next layer.
        assert!(patience.lasts(stranger(), Some(1), last(100)));
        assert!(!patience.lasts(stranger(), Some(2), last(101)));
    }

    #[test]
    fn who_was_given_up_is_not_waited_for_again() {
        let mut patience = Patience::new("");
        let (one, other) = (holder("one", "a.io"), holder("other", "a.io"));
        assert_eq!(seconds(&mut patience, &one, 0), 2);
        assert_eq!(seconds(&mut patience, &one, 0), 0);
        assert_eq!(seconds(&mut patience, &other, 0), 2);
        assert_eq!(seconds(&mut patience, &one, 0), 0);
    }
}
