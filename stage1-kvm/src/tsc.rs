//! How fast the processor's time stamp counter is.
//!
//! A translated machine counts by the host's. Its kernel measures that by a timer that runs only as often as the host lets
//! it, and where this fails it waits for ever. So it is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::sys::time_stamp;

/// Where the figure is kept until the next boot.
const FILE: &str = "kvm-tsc-khz";
/// How long is measured.
const LONG_ENOUGH: Duration = Duration::from_millis(10);

const ATTEMPTS: usize = 8;

/// A measurement that has begun, unless the figure is known.
#[derive(Debug)]
pub(crate) struct Measurement {
    file: PathBuf,
    known: Option<u64>,
    begun: Option<(Instant, u64)>,
}

impl Measurement {
    /// Begins. `run` is the directory of what lives until the next boot.
    pub(crate) fn begin(run: &Path) -> Self {
        let file = run.join(FILE);
        let known = fs::read_to_string(&file).ok();
        Self {
            known: known.and_then(|text| text.trim().parse().ok()),
            begun: sample(),
            file,
        }
    }

    /// The figure in kHz; `None` on a processor without such a counter.
    pub(crate) fn finish(self) -> Option<u64> {
        if self.known.is_some() {
            return self.known;
        }
        let (begun, first) = self.begun?;
        // What was done meanwhile took some of the time.
        sleep(LONG_ENOUGH.saturating_sub(begun.elapsed()));
        let (ended, last) = sample()?;
        let time = ended.saturating_duration_since(begun);
        let figure = kilohertz(last.checked_sub(first)?, time)?;
        // Who can't keep it measures again.
        let _ = fs::write(&self.file, figure.to_string());
        Some(figure)
    }
}

/// The counter at a time. Of some attempts the one counts between whose beginning and end the least time has passed: who
/// is interrupted there knows neither.
fn sample() -> Option<(Instant, u64)> {
    let attempts = (0..ATTEMPTS).map(|_| {
        let before = Instant::now();
        let stamp = time_stamp()?;
        let taken = before.elapsed();
        Some((taken, before + taken / 2, stamp))
    });
    let attempts = attempts.collect::<Option<Vec<_>>>()?;
    let best = attempts.into_iter().min_by_key(|(taken, ..)| *taken);
    best.map(|(_, time, stamp)| (time, stamp))
}

fn kilohertz(ticks: u64, time: Duration) -> Option<u64> {
    let figure = u128::from(ticks) * 1_000_000 / time.as_nanos().max(1);
    u64::try_from(figure).ok().filter(|figure| *figure > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_in_a_time_are_kilohertz() {
        let in_ten = |ticks| kilohertz(ticks, Duration::from_millis(10));
        assert_eq!(in_ten(26_000_000), Some(2_600_000));
        assert_eq!(in_ten(0), None);
    }

    #[test]
    fn it_is_measured_once_until_the_next_boot() {
        let run = tempfile::tempdir().unwrap();
        let first = Measurement::begin(run.path()).finish();
        let kept = fs::read_to_string(run.path().join(FILE)).unwrap();
        assert_eq!(kept, first.unwrap().to_string());
        fs::write(run.path().join(FILE), "7").unwrap();
        assert_eq!(Measurement::begin(run.path()).finish(), Some(7));
    }
}
