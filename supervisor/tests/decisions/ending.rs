//! The end of a pod.

use std::time::Duration;

use pod::manifest::{Lifetime, RestartPolicy, Role};
use supervisor::Answer::{Failed, Passed};
use supervisor::CheckKind::{Liveness, PreStop, Readiness};

use crate::stage::{Planned, Stage, app, plan};

fn with_sidecars() -> Stage {
    Stage::running(plan([
        app("one").role(Role::Sidecar),
        app("two").role(Role::Sidecar),
        app("main"),
    ]))
}

#[test]
fn sidecars_end_after_all_main_apps_the_last_that_started_first() {
    let mut stage = with_sidecars();
    assert_eq!(stage.stop(30), ["ending: asked", "stop main 30"]);
    stage.wait(10);
    let done = stage.exited("main", 143);
    assert_eq!(done, ["stop two 20", "main ready: false"]);
    stage.wait(5);
    let done = stage.exited("two", 143);
    assert_eq!(done, ["stop one 15", "two ready: false"]);
    assert_eq!(stage.exited("one", 143).last().unwrap(), "over 143");
}

#[test]
fn when_the_time_is_up_all_that_are_left_have_two_seconds() {
    let mut stage = with_sidecars();
    stage.stop(30);
    assert_eq!(stage.wait(60), ["30: stop one 2", "30: stop two 2"]);
}

#[test]
fn a_sidecar_that_main_apps_still_need_starts_again_and_then_does_not() {
    let mut stage = with_sidecars();
    stage.stop(30);
    assert_eq!(stage.exited("one", 1)[0], "start one");
    stage.started("one");
    stage.exited("main", 0);
    let done = stage.exited("one", 1);
    assert_eq!(done, ["one ready: false"]);
    assert_eq!(stage.exited("two", 0).last().unwrap(), "over 0");
}

#[test]
fn hooks_of_sidecars_begin_with_the_others() {
    let hook = r#"{"pre-stop": {"type": "exec", "args": ["x"]}}"#;
    let mut stage = Stage::running(plan([
        app("proxy").role(Role::Sidecar).hooks(hook),
        app("main"),
    ]));
    let done = stage.stop(30);
    assert_eq!(done, ["ending: asked", "PreStop proxy", "stop main 30"]);
    stage.exited("main", 0);
    assert_eq!(stage.answer("proxy", PreStop, Passed), ["stop proxy 30"]);
}

#[test]
fn a_second_request_can_only_shorten_the_time() {
    let mut stage = Stage::running(plan([app("a")]));
    stage.stop(30);
    assert_eq!(stage.stop(60), ["stop a 60"]);
    assert_eq!(stage.stop(5), ["stop a 5"]);
    assert_eq!(stage.stop(0), ["kill a"]);
}

#[test]
fn who_waits_to_start_again_ends_with_the_pod() {
    let mut stage = Stage::running(plan([app("a").restart(RestartPolicy::Always)]));
    stage.exited("a", 5);
    stage.started("a");
    stage.exited("a", 5);
    assert_eq!(stage.stop(30), ["ending: asked", "ready: false", "over 5"]);
}

#[test]
fn an_app_that_is_being_started_is_killed() {
    let (mut stage, _) = Stage::begin(plan([app("a"), app("b")]));
    assert_eq!(stage.stop(30), ["ending: asked", "kill a"]);
    assert_eq!(stage.not_started("a"), ["over 127"]);
}

#[test]
fn liveness_is_asked_no_more_while_the_pod_ends_and_readiness_is() {
    let probed = app("a").probe(Liveness, "").probe(Readiness, "");
    let mut stage = Stage::running(plan([probed]));
    stage.answer("a", Liveness, Passed);
    stage.answer("a", Readiness, Passed);
    stage.stop(30);
    assert_eq!(stage.wait(15), ["10: Readiness a"]);
}

#[test]
fn a_pod_that_stays_is_not_over_without_apps() {
    let mut plan = plan([app("a")]);
    plan.lifetime = Lifetime::UntilStopped;
    let mut stage = Stage::running(plan);
    assert_eq!(stage.exited("a", 1), ["a ready: false"]);
    assert_eq!(stage.stop(30).last().unwrap(), "over 1");
}

#[test]
fn a_pod_that_has_run_for_as_long_as_it_may_has_failed() {
    let mut plan = plan([app("a")]);
    plan.deadline = Some(Duration::from_secs(60));
    let mut stage = Stage::running(plan);
    assert_eq!(stage.wait(100), ["60: ending: deadline", "60: stop a 30"]);
    assert_eq!(stage.exited("a", 0).last().unwrap(), "over 124");
}

#[test]
fn an_app_that_is_being_ended_has_no_more_time_than_the_pod() {
    let times = r#""failure-threshold": 1"#;
    let mut stage = Stage::running(plan([app("a").probe(Liveness, times)]));
    let done = stage.answer("a", Liveness, Failed);
    assert_eq!(done, ["a is unwell by Liveness", "stop a 30"]);
    assert_eq!(stage.stop(5), ["ending: asked", "stop a 5"]);
}
