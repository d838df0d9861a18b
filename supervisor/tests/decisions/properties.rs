//! What holds for every pod, whatever happens to it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use pod::AppName;
use pod::manifest::{AppFailure, Lifetime, ReadyWhen, RestartAction, RestartPolicy, Role};
use proptest::prelude::*;
use supervisor::CheckKind::{Liveness, Readiness, Startup};
use supervisor::{Action, Answer, AppPlan, CheckId, Event, Plan, Supervisor};

use crate::stage::{Planned, app};

const HOOKS: &str = r#"{"post-start": {"type": "exec", "args": ["x"]}, "pre-stop": {"type": "exec", "args": ["y"]}}"#;

prop_compose! {
    fn any_app(number: usize)(
        role in prop_oneof![Just(Role::Main), Just(Role::Init), Just(Role::Sidecar)],
        policy in prop_oneof![
            Just(RestartPolicy::Never),
            Just(RestartPolicy::OnFailure),
            Just(RestartPolicy::Always),
        ],
        has in any::<[bool; 6]>(),
    ) -> AppPlan {
        let mut plan = app(&format!("app-{number}")).role(role).restart(policy);
        let times = r#""period-seconds": 3, "failure-threshold": 2"#;
        for (has, kind) in has.into_iter().zip([Startup, Readiness, Liveness]) {
            if has {
                plan = plan.probe(kind, times);
            }
        }
        if has[4] {
            plan = plan.rule(RestartAction::RestartAllApps, 2);
        }
        if has[5] {
            plan = plan.rule(RestartAction::Restart, 1);
        }
        if has[3] { plan.hooks(HOOKS) } else { plan }
    }
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let apps = (any_app(0), any_app(1), any_app(2), 1_usize..=3);
    (apps, any::<[bool; 2]>(), 0_u64..40).prop_map(|((a, b, c, count), [stays, stops], grace)| {
        Plan {
            apps: vec![a, b, c].into_iter().take(count).collect(),
            lifetime: if stays {
                Lifetime::UntilStopped
            } else {
                Lifetime::WithApps
            },
            on_app_failure: if stops {
                AppFailure::StopPod
            } else {
                AppFailure::Continue
            },
            ready_when: ReadyWhen::Healthy,
            grace: Duration::from_secs(grace),
            deadline: None,
        }
    })
}

/// A shell that does what it is told, sooner or later, and checks that what it is told makes sense.
struct Shell {
    supervisor: Supervisor,
    now: Instant,
    /// And whether they are to end at once.
    starting: BTreeMap<AppName, bool>,
    /// And when they are killed.
    running: BTreeMap<AppName, Option<Instant>>,
    checks: BTreeSet<CheckId>,
    is_over: bool,
    /// When the pod was told to end, and how long that may take.
    limit: Instant,
}

impl Shell {
    fn happens(&mut self, event: Event) {
        assert!(!self.is_over || matches!(event, Event::Time | Event::StopPod { .. }));
        for action in self.supervisor.handle(event, self.now) {
            assert!(!self.is_over, "{action:?}");
            match action {
                Action::Start(app) => {
                    assert!(!self.running.contains_key(&app), "{app} runs already");
                    assert!(self.starting.insert(app, false).is_none(), "it starts");
                }
                Action::Stop { app, grace } => {
                    let at = self.now + grace;
                    if let Some(killed) = self.running.get_mut(&app) {
                        *killed = Some(killed.map_or(at, |earlier| earlier.min(at)));
                    } else {
                        let start = self.starting.get_mut(&app);
                        *start.expect("it has a process") = true;
                    }
                }
                Action::Check { id, app, .. } => {
                    assert!(self.running.contains_key(&app), "{app} does not run");
                    assert!(self.checks.insert(id));
                }
                Action::Abandon(id) => assert!(self.checks.remove(&id), "nobody asked"),
                Action::Over { .. } => {
                    assert!(self.running.is_empty() && self.starting.is_empty());
                    assert!(self.checks.is_empty(), "somebody waits still");
                    self.is_over = true;
                }
                _ => {}
            }
        }
        let due = self.supervisor.due();
        assert!(!self.is_over || due.is_none());
    }

    fn do_something(&mut self, choice: u8, value: u8) {
        let pick = usize::from(value);
        match choice % 7 {
            0 | 1 => {
                let app = self.starting.keys().cycle().nth(pick).cloned();
                if let Some(app) = app {
                    self.come_up(app, !value.is_multiple_of(5));
                }
            }
            2 => {
                let app = self.running.keys().cycle().nth(pick).cloned();
                if let Some(app) = app {
                    self.running.remove(&app);
                    let code = i32::from(value % 3);
                    self.happens(Event::Exited { app, code });
                }
            }
            3 | 4 => {
                let id = self.checks.iter().cycle().nth(pick).copied();
                if let Some(id) = id {
                    self.checks.remove(&id);
                    let answer = [Answer::Passed, Answer::Failed, Answer::Unknown][pick % 3];
                    self.happens(Event::Answered { id, answer });
                }
            }
            _ => self.pass(Duration::from_secs(u64::from(value) / 8)),
        }
    }

    /// A start comes to something.
    fn come_up(&mut self, app: AppName, well: bool) {
        let is_to_end = self.starting.remove(&app).unwrap();
        if is_to_end || !well {
            self.happens(Event::NotStarted { app, code: 137 });
        } else {
            self.running.insert(app.clone(), None);
            self.happens(Event::Started(app));
        }
    }

    /// Time passes, and nothing else happens but that what is to start does, and that who doesn't end in time is killed.
    fn wait_for_end(&mut self) {
        for _ in 0..1000 {
            while let Some(app) = self.starting.keys().next().cloned() {
                self.come_up(app, true);
            }
            if self.is_over {
                return;
            }
            self.pass(Duration::from_millis(500));
            if self.now > self.limit {
                return;
            }
        }
    }

    /// Time passes. Who doesn't end in time is killed.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..10_000 {
            let due = self.supervisor.due();
            let killed = self.running.values().flatten().min().copied();
            let next = [due, killed].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            let now = self.now;
            let dead = |(app, at): (&AppName, &Option<Instant>)| {
                at.is_some_and(|at| at <= now).then(|| app.clone())
            };
            let dead: Vec<_> = self.running.iter().filter_map(dead).collect();
            for app in dead {
                self.running.remove(&app);
                self.happens(Event::Exited { app, code: 137 });
            }
            self.happens(Event::Time);
        }
        panic!("it never rests");
    }
}

proptest! {
    #[test]
    fn what_is_asked_for_makes_sense_and_every_pod_that_is_stopped_ends_in_time(
        plan in any_plan(),
        before in prop::collection::vec((any::<u8>(), any::<u8>()), 0..120),
        after in prop::collection::vec((any::<u8>(), any::<u8>()), 0..60),
        grace in 0_u64..60,
    ) {
        let mut shell = Shell {
            supervisor: Supervisor::new(plan),
            now: Instant::now(),
            starting: BTreeMap::new(),
            running: BTreeMap::new(),
            checks: BTreeSet::new(),
            is_over: false,
            limit: Instant::now(),
        };
        shell.happens(Event::Begun);
        for (choice, value) in before {
            if !shell.is_over {
                shell.do_something(choice, value);
            }
        }
        let grace = Duration::from_secs(grace);
        shell.happens(Event::StopPod { grace });
        let until = shell.now + grace;
        for (choice, value) in after {
            if !shell.is_over {
                shell.do_something(choice, value);
            }
        }
        // From now on nobody answers, and nobody ends by themselves.
        shell.limit = until.max(shell.now) + Duration::from_secs(5);
        shell.wait_for_end();
        prop_assert!(shell.is_over, "it has not ended");
    }
}
