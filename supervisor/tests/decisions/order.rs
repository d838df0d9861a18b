//! Init apps, sidecars, main apps.

use pod::manifest::{AppFailure, RestartPolicy, Role};
use supervisor::CheckKind::{PostStart, Startup};
use supervisor::{Answer, AppPlan};

use crate::stage::{Planned, Stage, app, plan};

fn init(name: &str) -> AppPlan {
    app(name).role(Role::Init)
}

fn sidecar(name: &str) -> AppPlan {
    app(name).role(Role::Sidecar)
}

#[test]
fn main_apps_start_one_after_the_other_without_waiting_for_more_than_the_start() {
    let (mut stage, done) = Stage::begin(plan([app("a"), app("b")]));
    assert_eq!(done, ["start a"]);
    assert_eq!(stage.started("a"), ["start b", "a ready: true"]);
    assert_eq!(stage.started("b"), ["b ready: true", "ready: true"]);
}

#[test]
fn an_init_app_has_to_end_well_before_the_next_one_starts() {
    let (mut stage, done) = Stage::begin(plan([app("main"), init("one"), init("two")]));
    assert_eq!(done, ["start one"]);
    assert_eq!(stage.started("one"), ["one ready: true"]);
    assert_eq!(stage.exited("one", 0), ["start two", "one ready: false"]);
    stage.started("two");
    assert_eq!(stage.exited("two", 0), ["start main", "two ready: false"]);
    assert_eq!(stage.started("main"), ["main ready: true", "ready: true"]);
}

#[test]
fn an_init_app_that_fails_ends_a_pod_that_never_starts_anything_again() {
    for failure in [AppFailure::Continue, AppFailure::StopPod] {
        let mut plan = plan([init("one"), app("main")]);
        plan.on_app_failure = failure;
        let mut stage = Stage::running(plan);
        let done = stage.exited("one", 3);
        assert_eq!(done, ["ending: one failed", "one ready: false", "over 3"]);
    }
}

#[test]
fn an_init_app_is_tried_again_where_the_policy_says_so() {
    for policy in [RestartPolicy::OnFailure, RestartPolicy::Always] {
        let mut stage = Stage::running(plan([init("one").restart(policy), app("main")]));
        assert_eq!(stage.exited("one", 3), ["start one", "one ready: false"]);
        stage.started("one");
        assert_eq!(stage.exited("one", 3), ["one waits 10", "one ready: false"]);
        assert_eq!(stage.wait(20), ["10: start one"]);
        stage.started("one");
        assert_eq!(stage.exited("one", 0), ["start main", "one ready: false"]);
    }
}

#[test]
fn a_sidecar_has_to_have_come_up_before_the_next_app_starts() {
    let mut proxy = sidecar("proxy").probe(Startup, "");
    proxy = proxy.hooks(r#"{"post-start": {"type": "exec", "args": ["x"]}}"#);
    let (mut stage, done) = Stage::begin(plan([app("main"), proxy]));
    assert_eq!(done, ["start proxy"]);
    assert_eq!(stage.started("proxy"), ["PostStart proxy"]);
    let done = stage.answer("proxy", PostStart, Answer::Passed);
    assert_eq!(done, ["Startup proxy"]);
    let done = stage.answer("proxy", Startup, Answer::Passed);
    assert_eq!(done, ["start main", "proxy ready: true"]);
}

#[test]
fn a_sidecar_starts_again_whatever_the_policy_is_and_keeps_no_pod_alive() {
    let mut stage = Stage::running(plan([sidecar("proxy"), app("main")]));
    let done = stage.exited("proxy", 0);
    assert_eq!(done, ["start proxy", "proxy ready: false"]);
    stage.started("proxy");
    let done = stage.exited("main", 0);
    assert_eq!(done, ["ending: done", "stop proxy 30", "main ready: false"]);
    let done = stage.exited("proxy", 143);
    assert_eq!(done, ["proxy ready: false", "ready: false", "over 0"]);
}

#[test]
fn an_app_that_can_not_be_started_even_once_ends_the_pod() {
    let (mut stage, _) = Stage::begin(plan([app("a").restart(RestartPolicy::Always), app("b")]));
    let done = stage.not_started("a");
    assert_eq!(done, ["ending: a not started", "over 127"]);
}

#[test]
fn an_app_that_has_run_before_waits_where_it_can_not_be_started_again() {
    let mut stage = Stage::running(plan([app("a").restart(RestartPolicy::Always)]));
    assert_eq!(stage.exited("a", 0), ["start a", "a ready: false"]);
    assert_eq!(stage.not_started("a"), ["a waits 10"]);
    assert_eq!(stage.wait(10), ["10: start a"]);
}
