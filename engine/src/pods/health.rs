//! How it is found out whether an app is well: by what is asked for, and by the `HEALTHCHECK` of its image. Words and
//! defaults are those of docker and podman.

use std::num::NonZeroU32;
use std::time::Duration;

use image_store::Healthcheck;
use pod::manifest::{ExecAction, Probe, ProbeAction, Probes};

/// What is asked about an app's health. What is not said is as the image says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthSpec {
    /// Whether the image's check counts, which pods of Kubernetes know nothing of.
    pub of_image: bool,
    /// What is asked.
    pub action: Option<ProbeAction>,
    /// Time between two checks, in seconds.
    pub interval: Option<NonZeroU32>,
    /// How long a check may take, in seconds.
    pub timeout: Option<NonZeroU32>,
    /// How many checks in a row have to fail.
    pub retries: Option<NonZeroU32>,
    /// How long the app may take to be well for the first time, in seconds.
    pub start_period: Option<NonZeroU32>,
    /// Time between two checks within that, in seconds.
    pub start_interval: Option<NonZeroU32>,
    /// What becomes of an app that is not well.
    pub on_failure: OnFailure,
    /// What is asked until the app is well for the first time.
    pub startup: Option<StartupSpec>,
}

/// What is asked of an app until it is well for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartupSpec {
    /// What is asked.
    pub action: ProbeAction,
    /// Time between two checks, in seconds.
    pub interval: NonZeroU32,
    /// How long a check may take, in seconds.
    pub timeout: NonZeroU32,
    /// How many checks in a row have to fail before the app is ended; it never is if absent.
    pub retries: Option<NonZeroU32>,
    /// How many have to pass.
    pub successes: NonZeroU32,
}

/// What becomes of an app that is not well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Nothing: it only counts as not ready.
    #[default]
    None,
    /// It gets its stop signal, SIGKILL a second later, and has failed.
    Kill,
    /// It is ended, and starts again.
    Restart,
    /// The same with the grace period in place of the second.
    Stop,
}

impl HealthSpec {
    /// Whether something is said that takes a check to mean anything.
    pub(super) fn says_how(&self) -> bool {
        self.interval.is_some()
            || self.timeout.is_some()
            || self.retries.is_some()
            || self.start_period.is_some()
            || self.start_interval.is_some()
            || self.on_failure != OnFailure::None
    }

    /// The same with what the image says, if that counts.
    pub(super) fn over(&self, image: Option<&Healthcheck>) -> Self {
        let image = image.filter(|image| self.of_image && !image.args.is_empty());
        let Some(image) = image else {
            return self.clone();
        };
        let action = || {
            let args = image.args.clone();
            ProbeAction::Exec(ExecAction { args })
        };
        Self {
            action: self.action.clone().or_else(|| Some(action())),
            interval: self.interval.or_else(|| seconds(image.interval)),
            timeout: self.timeout.or_else(|| seconds(image.timeout)),
            retries: self.retries.or_else(|| NonZeroU32::new(image.retries?)),
            start_period: self.start_period.or_else(|| seconds(image.start_period)),
            start_interval: self
                .start_interval
                .or_else(|| seconds(image.start_interval)),
            ..self.clone()
        }
    }

    /// The probes that ask for it, if anything is to be asked.
    pub(super) fn probes(&self) -> Option<Probes> {
        let readiness = self.action.clone().map(|action| Probe {
            action,
            initial_delay_seconds: 0,
            timeout_seconds: self.timeout.unwrap_or(USUAL),
            period_seconds: self.interval.unwrap_or(USUAL),
            success_threshold: NonZeroU32::MIN,
            failure_threshold: self.retries.unwrap_or(RETRIES),
            termination_grace_period_seconds: None,
        });
        if readiness.is_none() && self.startup.is_none() {
            return None;
        }
        let ends = self.on_failure != OnFailure::None;
        let grace = (self.on_failure == OnFailure::Kill).then_some(NonZeroU32::MIN);
        // Whether it is ready is asked at once. It is not ended for what it has had no time to be: as with docker, that is
        // asked for the first time after an interval.
        let liveness = readiness.clone().filter(|_| ends).map(|probe| Probe {
            initial_delay_seconds: probe.period_seconds.get(),
            termination_grace_period_seconds: grace,
            ..probe
        });
        let startup = match (&self.startup, &readiness) {
            (Some(startup), _) => Some(Probe {
                action: startup.action.clone(),
                initial_delay_seconds: 0,
                timeout_seconds: startup.timeout,
                period_seconds: startup.interval,
                success_threshold: startup.successes,
                failure_threshold: startup.retries.unwrap_or(NonZeroU32::MAX),
                termination_grace_period_seconds: grace,
            }),
            (None, Some(readiness)) => self.start_phase(readiness, ends, grace),
            (None, None) => None,
        };
        Some(Probes {
            startup,
            readiness,
            liveness,
        })
    }

    /// The time in which the app may be not well yet: it is asked more often, and its failures don't count. One that is not
    /// ended for its health is asked so until it is well.
    fn start_phase(&self, usual: &Probe, ends: bool, grace: Option<NonZeroU32>) -> Option<Probe> {
        let length = self.start_period?;
        let interval = usual.period_seconds;
        let period = self
            .start_interval
            .unwrap_or_else(|| interval.min(START_INTERVAL));
        let then = interval.get().saturating_mul(usual.failure_threshold.get());
        let all = length.saturating_add(then);
        let threshold = NonZeroU32::new(all.get().div_ceil(period.get()));
        Some(Probe {
            period_seconds: period,
            failure_threshold: threshold.filter(|_| ends).unwrap_or(NonZeroU32::MAX),
            termination_grace_period_seconds: grace,
            ..usual.clone()
        })
    }
}

const RETRIES: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);
const USUAL: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);
const START_INTERVAL: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);

/// As many seconds, rounded up.
fn seconds(time: Option<Duration>) -> Option<NonZeroU32> {
    let time = time?;
    let more = u64::from(time.subsec_nanos() > 0);
    let seconds = time.as_secs().saturating_add(more);
    NonZeroU32::new(u32::try_from(seconds).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(number)
    }

    fn image() -> Healthcheck {
        Healthcheck {
            args: vec!["ask".to_owned()],
            interval: Some(Duration::from_millis(1500)),
            timeout: None,
            start_period: None,
            start_interval: None,
            retries: Some(5),
        }
    }

    fn asked() -> HealthSpec {
        HealthSpec {
            of_image: true,
            ..HealthSpec::default()
        }
    }

    fn command(word: &str) -> ProbeAction {
        ProbeAction::Exec(ExecAction {
            args: vec![word.to_owned()],
        })
    }

    #[test]
    fn the_images_check_counts_where_nothing_else_is_said() {
        let probes = asked().over(Some(&image())).probes().unwrap();
        let readiness = probes.readiness.unwrap();
        assert_eq!(readiness.action, command("ask"));
        assert_eq!(readiness.period_seconds.get(), 2);
        assert_eq!(readiness.timeout_seconds.get(), 30);
        assert_eq!(readiness.failure_threshold.get(), 5);
        assert_eq!((probes.startup, probes.liveness), (None, None));
        assert_eq!(asked().over(None).probes(), None);
        let mut none = image();
        none.args.clear();
        assert_eq!(asked().over(Some(&none)).probes(), None);
        // Kubernetes knows nothing of it.
        assert_eq!(HealthSpec::default().over(Some(&image())).probes(), None);
    }

    #[test]
    fn each_part_can_be_said_otherwise() {
        let health = HealthSpec {
            action: Some(command("other")),
            retries: number(1),
            on_failure: OnFailure::Kill,
            ..asked()
        };
        let probes = health.over(Some(&image())).probes().unwrap();
        let liveness = probes.liveness.unwrap();
        assert_eq!(liveness.action, command("other"));
        assert_eq!(liveness.period_seconds.get(), 2);
        assert_eq!(liveness.failure_threshold.get(), 1);
        assert_eq!(liveness.termination_grace_period_seconds, number(1));
        // It has that long to be well.
        assert_eq!(liveness.initial_delay_seconds, 2);
        let readiness = probes.readiness.unwrap();
        assert_eq!(readiness.initial_delay_seconds, 0);
        assert_eq!(readiness.termination_grace_period_seconds, None);
    }

    #[test]
    fn in_the_start_period_an_app_is_asked_more_often_and_its_failures_do_not_count() {
        let mut health = HealthSpec {
            start_period: number(61),
            on_failure: OnFailure::Restart,
            ..asked()
        };
        let mut of_image = image();
        of_image.interval = None;
        of_image.retries = None;
        let startup = |health: &HealthSpec| {
            let probes = health.over(Some(&of_image)).probes().unwrap();
            let startup = probes.startup.unwrap();
            (
                startup.period_seconds.get(),
                startup.failure_threshold.get(),
            )
        };
        // 61 seconds, and three times 30.
        assert_eq!(startup(&health), (5, 31));
        health.start_interval = number(1);
        assert_eq!(startup(&health), (1, 151));
        health.on_failure = OnFailure::None;
        assert_eq!(startup(&health), (1, u32::MAX));
    }

    #[test]
    fn a_check_of_its_own_for_the_start_comes_before_all_others() {
        let health = HealthSpec {
            startup: Some(StartupSpec {
                action: command("up"),
                interval: NonZeroU32::MIN,
                timeout: NonZeroU32::MIN,
                retries: None,
                successes: RETRIES,
            }),
            ..asked()
        };
        let startup = health.over(Some(&image())).probes().unwrap().startup;
        let startup = startup.unwrap();
        assert_eq!(startup.action, command("up"));
        assert_eq!(startup.success_threshold, RETRIES);
        assert_eq!(startup.failure_threshold, NonZeroU32::MAX);
        assert!(health.probes().unwrap().readiness.is_none());
    }
}
