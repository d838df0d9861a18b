//! Whether a machine that boots is stuck: the program that runs it does nothing, and wants to do nothing.
//!
//! A machine that boots is busy, and where it isn't, its program waits for a processor or a disk. One that is stuck has
//! neither: all threads sleep.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long it does nothing until it is stuck.
const LONG_ENOUGH: Duration = Duration::from_secs(3);
/// Of so much time it may have used one part, or have wanted to: what is stuck may still count its ticks.
const PARTS: u32 = 20;

/// What the threads of a process do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Activity {
    /// Whether all sleep, and nobody has stopped them.
    asleep: bool,
    /// How long they have run, or waited for a processor, all together.
    busy: Duration,
}

/// A process that is looked at again and again.
#[derive(Debug, Default)]
pub(crate) struct Stillness {
    last: Option<(Instant, Activity)>,
    since: Option<Instant>,
}

impl Stillness {
    /// Whether it has done nothing for long enough.
    pub(crate) fn is_stuck(&mut self, pid: i32, now: Instant) -> bool {
        let tasks = format!("/proc/{pid}/task");
        match activity(Path::new(&tasks)) {
            Some(activity) => self.look(activity, now),
            // It has ended, which others notice.
            None => false,
        }
    }

    fn look(&mut self, activity: Activity, now: Instant) -> bool {
        let last = self.last.replace((now, activity));
        let is_still = last.is_some_and(|(then, before)| {
            let used = activity.busy.checked_sub(before.busy);
            let most = now.saturating_duration_since(then) / PARTS;
            // One that uses less than before has lost a thread.
            activity.asleep && before.asleep && used.is_some_and(|used| used <= most)
        });
        self.since = match (is_still, self.since) {
            (true, since) => since.or(last.map(|(then, _)| then)),
            (false, _) => None,
        };
        let length = self.since.map(|since| now.saturating_duration_since(since));
        length.is_some_and(|length| length >= LONG_ENOUGH)
    }
}

/// What threads do, by their directories; `None` where that can't be told.
fn activity(tasks: &Path) -> Option<Activity> {
    let mut all = Activity {
        asleep: true,
        busy: Duration::ZERO,
    };
    for task in fs::read_dir(tasks).ok()? {
        let task = task.ok()?.path();
        let stat = fs::read_to_string(task.join("stat")).ok()?;
        all.asleep &= state(&stat)? == 'S';
        let times = fs::read_to_string(task.join("schedstat")).ok()?;
        all.busy += busy(&times)?;
    }
    Some(all)
}

/// The state in a line of `stat`, behind a name that may hold anything.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Nanoseconds of running, and of waiting for that.
fn busy(schedstat: &str) -> Option<Duration> {
    let mut figures = schedstat.split_whitespace().map(str::parse::<u64>);
    let (ran, waited) = (figures.next()?.ok()?, figures.next()?.ok()?);
    Some(Duration::from_nanos(ran.checked_add(waited)?))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Looks once a second at threads that sleep or not and have been busy for so many milliseconds.
    fn stuck_after(looks: &[(bool, u64)]) -> Option<usize> {
        let begun = Instant::now();
        let mut stillness = Stillness::default();
        looks
            .iter()
            .enumerate()
            .position(|(second, (asleep, busy))| {
                let activity = Activity {
                    asleep: *asleep,
                    busy: Duration::from_millis(*busy),
                };
                stillness.look(activity, begun + Duration::from_secs(second as u64))
            })
    }

    #[test]
    fn only_one_that_neither_works_nor_waits_for_a_processor_or_a_disk_is_stuck() {
        let still = (true, 700);
        assert_eq!(stuck_after(&[still; 9]), Some(3));
        // It counts ticks.
        let ticks: Vec<_> = (0..9).map(|second| (true, 700 + 40 * second)).collect();
        assert_eq!(stuck_after(&ticks), Some(3));
        let works: Vec<_> = (0..20).map(|second| (true, 100 * second)).collect();
        assert_eq!(stuck_after(&works), None);
        let (at_disk, stopped) = ((false, 700), (false, 700));
        assert_eq!(stuck_after(&[at_disk; 20]), None);
        let mut looks = [still; 12];
        looks[2] = stopped;
        assert_eq!(stuck_after(&looks), Some(6));
        // A thread has ended.
        let mut looks = [still; 12];
        looks[..3].fill((true, 900));
        assert_eq!(stuck_after(&looks), Some(6));
    }

    #[test]
    fn a_process_that_sleeps_is_told_from_one_that_works() {
        let comes_to = |program: &str, is_so: &dyn Fn(Activity) -> bool| {
            let mut child = Command::new("sh").args(["-c", program]).spawn().unwrap();
            let tasks = format!("/proc/{}/task", child.id());
            let begun = Instant::now();
            let comes = loop {
                let so = activity(Path::new(&tasks)).is_some_and(is_so);
                if so || begun.elapsed() > Duration::from_secs(30) {
                    break so;
                }
            };
            child.kill().unwrap();
            child.wait().unwrap();
            comes
        };
        assert!(comes_to("exec sleep 100", &|one| one.asleep));
        let works = |one: Activity| one.busy > Duration::from_millis(50) && !one.asleep;
        assert!(comes_to("while :; do :; done", &works));
        assert_eq!(activity(Path::new("/no/such")), None);
        assert_eq!(state("1 (a) b) S 1"), Some('S'));
    }
}
