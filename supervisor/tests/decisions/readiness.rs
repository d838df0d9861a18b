//! When a pod is ready.

use pod::manifest::{ReadyWhen, RestartPolicy, Role};
use supervisor::Answer::{Failed, Passed};
use supervisor::CheckKind::Readiness;
use supervisor::Event;

use crate::stage::{Planned, Stage, app, name, plan};

#[test]
fn a_pod_is_healthy_when_each_app_is_ready_or_done() {
    let mut plan = plan([
        app("setup").role(Role::Init),
        app("job"),
        app("web").probe(Readiness, r#""failure-threshold": 1"#),
    ]);
    plan.ready_when = ReadyWhen::Healthy;
    let mut stage = Stage::running(plan);
    stage.exited("setup", 0);
    stage.started("job");
    stage.started("web");
    stage.exited("job", 0);
    let done = stage.answer("web", Readiness, Passed);
    assert_eq!(done, ["web ready: true", "ready: true"]);
    stage.wait(10);
    let done = stage.answer("web", Readiness, Failed);
    assert_eq!(done, ["web ready: false", "ready: false"]);
}

#[test]
fn a_pod_one_of_whose_apps_starts_again_is_not_healthy() {
    let mut plan = plan([app("a").restart(RestartPolicy::Always), app("b")]);
    plan.ready_when = ReadyWhen::Healthy;
    let mut stage = Stage::running(plan);
    assert!(stage.supervisor().is_ready());
    stage.exited("a", 1);
    assert!(!stage.supervisor().is_ready());
    stage.started("a");
    assert!(stage.supervisor().is_ready());
}

#[test]
fn a_pod_is_ready_when_all_its_apps_have_said_so_that_may() {
    let mut plan = plan([app("a").notifies(), app("b"), app("c").notifies()]);
    plan.ready_when = ReadyWhen::Notified;
    let (mut stage, _) = Stage::begin(plan);
    stage.started("a");
    // All others have to have started, too.
    let said = |stage: &mut Stage, app| stage.happens(Event::Notified(name(app)));
    assert_eq!(said(&mut stage, "a"), ["a ready: true"]);
    assert_eq!(stage.started("b"), ["start c", "b ready: true"]);
    assert!(stage.started("c").is_empty());
    assert!(said(&mut stage, "a").is_empty());
    assert_eq!(said(&mut stage, "c"), ["c ready: true", "ready: true"]);
}

#[test]
fn an_app_that_has_started_again_has_to_say_so_again() {
    let mut plan = plan([app("a").restart(RestartPolicy::Always).notifies()]);
    plan.ready_when = ReadyWhen::Notified;
    let mut stage = Stage::running(plan);
    stage.happens(Event::Notified(name("a")));
    assert!(stage.supervisor().is_ready());
    stage.exited("a", 1);
    stage.started("a");
    assert!(!stage.supervisor().is_ready());
    stage.happens(Event::Notified(name("a")));
    assert!(stage.supervisor().is_ready());
}

#[test]
fn nobody_speaks_for_an_app_that_does_not_run() {
    let mut plan = plan([app("a").notifies(), app("b").notifies()]);
    plan.ready_when = ReadyWhen::Notified;
    let mut stage = Stage::running(plan);
    stage.exited("a", 0);
    for unknown in ["a", "c"] {
        assert!(stage.happens(Event::Notified(name(unknown))).is_empty());
    }
}
