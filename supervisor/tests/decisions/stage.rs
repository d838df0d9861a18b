//! A pod on a stage: time passes when the test says so.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pod::AppName;
use pod::manifest::{
    AppFailure, ExitCodeOperator, ExitCodes, Hooks, Lifetime, Probes, ReadyWhen, Restart,
    RestartAction, RestartPolicy, RestartRule, Role,
};
use supervisor::{Action, Answer, AppPlan, CheckId, CheckKind, EndCause, Event, Plan, Supervisor};

pub(crate) fn name(text: &str) -> AppName {
    text.parse().unwrap()
}

/// A main app that is not looked after.
pub(crate) fn app(called: &str) -> AppPlan {
    AppPlan {
        name: name(called),
        role: Role::Main,
        restart: Restart::default(),
        restart_rules: Vec::new(),
        probes: Probes::default(),
        hooks: Hooks::default(),
        notifies: false,
    }
}

/// Changes of a plan.
pub(crate) trait Planned: Sized {
    fn role(self, role: Role) -> Self;
    fn restart(self, policy: RestartPolicy) -> Self;
    /// A probe by connecting, with these times in its manifest.
    fn probe(self, kind: CheckKind, times: &str) -> Self;
    fn hooks(self, json: &str) -> Self;
    fn notifies(self) -> Self;
    /// What is done after an exit with this code.
    fn rule(self, action: RestartAction, code: i32) -> Self;
}

impl Planned for AppPlan {
    fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    fn restart(mut self, policy: RestartPolicy) -> Self {
        self.restart.policy = policy;
        self
    }

    fn probe(mut self, kind: CheckKind, times: &str) -> Self {
        let comma = if times.is_empty() { "" } else { ", " };
        let json = format!(r#"{{"action": {{"type": "tcp-socket", "port": 80}}{comma}{times}}}"#);
        let probe = Some(serde_json::from_str(&json).unwrap());
        match kind {
            CheckKind::Startup => self.probes.startup = probe,
            CheckKind::Readiness => self.probes.readiness = probe,
            CheckKind::Liveness => self.probes.liveness = probe,
            CheckKind::PostStart | CheckKind::PreStop => panic!("no probe"),
        }
        self
    }

    fn notifies(mut self) -> Self {
        self.notifies = true;
        self
    }

    fn hooks(mut self, json: &str) -> Self {
        self.hooks = serde_json::from_str(json).unwrap();
        self
    }

    fn rule(mut self, action: RestartAction, code: i32) -> Self {
        self.restart_rules.push(RestartRule {
            action,
            exit_codes: ExitCodes {
                operator: ExitCodeOperator::In,
                values: vec![code],
            },
        });
        self
    }
}

pub(crate) fn plan(apps: impl Into<Vec<AppPlan>>) -> Plan {
    Plan {
        apps: apps.into(),
        lifetime: Lifetime::WithApps,
        on_app_failure: AppFailure::Continue,
        ready_when: ReadyWhen::Started,
        grace: Duration::from_secs(30),
        deadline: None,
    }
}

pub(crate) struct Stage {
    supervisor: Supervisor,
    now: Instant,
    checks: BTreeMap<CheckId, (String, CheckKind)>,
}

impl Stage {
    /// A pod that has begun, and what is done at first.
    pub(crate) fn begin(plan: Plan) -> (Self, Vec<String>) {
        let mut stage = Self {
            supervisor: Supervisor::new(plan),
            now: Instant::now(),
            checks: BTreeMap::new(),
        };
        let done = stage.happens(Event::Begun);
        (stage, done)
    }

    /// A pod whose apps have all started when they were to.
    pub(crate) fn running(plan: Plan) -> Self {
        let (mut stage, mut done) = Self::begin(plan);
        while let Some(app) = done.iter().find_map(|line| line.strip_prefix("start ")) {
            let app = app.to_owned();
            done = stage.started(&app);
        }
        stage
    }

    pub(crate) fn happens(&mut self, event: Event) -> Vec<String> {
        let actions = self.supervisor.handle(event, self.now);
        actions
            .into_iter()
            .map(|action| self.told(action))
            .collect()
    }

    pub(crate) fn started(&mut self, app: &str) -> Vec<String> {
        self.happens(Event::Started(name(app)))
    }

    pub(crate) fn exited(&mut self, app: &str, code: i32) -> Vec<String> {
        self.happens(Event::Exited {
            app: name(app),
            code,
        })
    }

    pub(crate) fn not_started(&mut self, app: &str) -> Vec<String> {
        self.happens(Event::NotStarted {
            app: name(app),
            code: 127,
        })
    }

    pub(crate) fn stop(&mut self, seconds: u64) -> Vec<String> {
        let grace = Duration::from_secs(seconds);
        self.happens(Event::StopPod { grace })
    }

    pub(crate) fn stop_app(&mut self, app: &str, seconds: u64) -> Vec<String> {
        let grace = Duration::from_secs(seconds);
        let app = name(app);
        self.happens(Event::StopApp { app, grace })
    }

    /// The answer to the question of that kind that is on its way.
    pub(crate) fn answer(&mut self, app: &str, kind: CheckKind, answer: Answer) -> Vec<String> {
        let mut asked = self.checks.iter();
        let id = asked.find_map(|(id, of)| (*of == (app.to_owned(), kind)).then_some(*id));
        let id = id.expect("it was asked");
        self.checks.remove(&id);
        self.happens(Event::Answered { id, answer })
    }

    /// Time passes. What is done meanwhile, each with the second in which it is.
    pub(crate) fn wait(&mut self, seconds: u64) -> Vec<String> {
        let begun = self.now;
        let end = begun + Duration::from_secs(seconds);
        let mut all = Vec::new();
        while let Some(due) = self.supervisor.due().filter(|due| *due <= end) {
            assert!(
                due > self.now || all.len() < 1000,
                "it never rests: {all:?}"
            );
            self.now = self.now.max(due);
            let second = self.now.duration_since(begun).as_secs();
            let done = self.happens(Event::Time);
            all.extend(done.into_iter().map(|line| format!("{second}: {line}")));
        }
        self.now = end;
        all
    }

    pub(crate) fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    fn told(&mut self, action: Action) -> String {
        match action {
            Action::Start(app) => format!("start {app}"),
            Action::Stop { app, grace } if grace.is_zero() => format!("kill {app}"),
            Action::Stop { app, grace } => format!("stop {app} {}", grace.as_secs()),
            Action::Check { id, app, kind, .. } => {
                self.checks.insert(id, (app.to_string(), kind));
                format!("{kind:?} {app}")
            }
            Action::Abandon(id) => {
                let (app, kind) = self.checks.remove(&id).expect("it was asked");
                format!("no {kind:?} {app}")
            }
            Action::AppReady { app, ready } => format!("{app} ready: {ready}"),
            Action::PodReady(ready) => format!("ready: {ready}"),
            Action::Unhealthy { app, by } => format!("{app} is unwell by {by:?}"),
            Action::BackingOff { app, delay } => format!("{app} waits {}", delay.as_secs()),
            Action::RestartingAll(app) => format!("all again by {app}"),
            Action::Ending(cause) => match cause {
                EndCause::Asked => "ending: asked".to_owned(),
                EndCause::Done => "ending: done".to_owned(),
                EndCause::Failed(app) => format!("ending: {app} failed"),
                EndCause::NotStarted(app) => format!("ending: {app} not started"),
                EndCause::Deadline => "ending: deadline".to_owned(),
            },
            Action::Over { exit_code } => format!("over {exit_code}"),
        }
    }
}
