//! Apps that start again.

use pod::manifest::{AppFailure, RestartPolicy};
use supervisor::{Condition, Event};

use crate::stage::{Planned, Stage, app, name, plan};

#[test]
fn the_policy_decides_by_the_exit_code() {
    use RestartPolicy::{Always, Never, OnFailure};
    for (policy, code, again) in [
        (Never, 0, false),
        (Never, 1, false),
        (OnFailure, 0, false),
        (OnFailure, 1, true),
        (Always, 0, true),
        (Always, 1, true),
    ] {
        let mut stage = Stage::running(plan([app("a").restart(policy), app("b")]));
        let done = stage.exited("a", code);
        let starts = done.contains(&"start a".to_owned());
        assert_eq!(starts, again, "{policy:?} {code}");
    }
}

#[test]
fn starts_in_a_row_wait_longer_and_longer() {
    let mut stage = Stage::running(plan([app("a").restart(RestartPolicy::Always)]));
    let mut waits = Vec::new();
    for _ in 0..8 {
        let done = stage.exited("a", 1);
        waits.extend(done.into_iter().filter(|line| line.contains("waits")));
        stage.wait(300);
        stage.started("a");
    }
    let seconds = [10, 20, 40, 80, 160, 300, 300];
    assert_eq!(waits, seconds.map(|seconds| format!("a waits {seconds}")));
    let restarts = |stage: &Stage| stage.supervisor().apps().next().unwrap().restarts;
    assert_eq!(restarts(&stage), 8);
    // Ten minutes without an end make up for all of it.
    stage.wait(600);
    assert_eq!(stage.exited("a", 1), ["start a", "a ready: false"]);
}

#[test]
fn an_app_starts_again_so_many_times_and_no_more() {
    let mut limited = app("a").restart(RestartPolicy::OnFailure);
    limited.restart.max_retries = Some(2);
    let mut stage = Stage::running(plan([limited]));
    for _ in 0..2 {
        stage.exited("a", 7);
        stage.wait(10);
        stage.started("a");
    }
    let done = stage.exited("a", 7);
    assert_eq!(
        done,
        ["ending: done", "a ready: false", "ready: false", "over 7"]
    );
}

#[test]
fn the_failure_of_an_app_that_starts_again_is_no_end_of_the_pod() {
    let mut plan = plan([app("a").restart(RestartPolicy::OnFailure), app("b")]);
    plan.on_app_failure = AppFailure::StopPod;
    let mut stage = Stage::running(plan);
    assert_eq!(stage.exited("a", 1), ["start a", "a ready: false"]);
    stage.started("a");
    let done = stage.exited("b", 4);
    let expected = ["ending: b failed", "stop a 30", "b ready: false"];
    assert_eq!(done, expected);
    assert_eq!(stage.exited("a", 143).last().unwrap(), "over 4");
}

#[test]
fn an_app_that_somebody_stops_stays_ended_until_somebody_starts_it() {
    let mut stage = Stage::running(plan([app("a").restart(RestartPolicy::Always), app("b")]));
    assert_eq!(stage.stop_app("a", 5), ["stop a 5"]);
    assert_eq!(stage.exited("a", 143), ["a ready: false"]);
    assert!(stage.wait(1000).is_empty());
    assert!(stage.happens(Event::Starting(name("a"))).is_empty());
    assert_eq!(stage.started("a"), ["a ready: true"]);
    assert_eq!(stage.exited("a", 0), ["start a", "a ready: false"]);
}

#[test]
fn an_app_that_waits_for_its_start_can_be_stopped() {
    let mut stage = Stage::running(plan([app("a").restart(RestartPolicy::Always), app("b")]));
    stage.exited("a", 1);
    stage.started("a");
    stage.exited("a", 1);
    assert!(stage.stop_app("a", 5).is_empty());
    assert!(stage.wait(1000).is_empty());
    let first = stage.supervisor().apps().next().unwrap();
    assert_eq!(first.condition, Condition::Ended);
}
