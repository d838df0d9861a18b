//! Probes: when they are asked, and what comes of the answers.

use pod::manifest::RestartPolicy::{Always, Never, OnFailure};
use supervisor::Answer::{Failed, Passed, Unknown};
use supervisor::CheckKind::{Liveness, Readiness, Startup};

use crate::stage::{Planned, Stage, app, plan};

#[test]
fn a_probe_is_asked_at_once_and_then_every_ten_seconds() {
    let (mut stage, _) = Stage::begin(plan([app("a").probe(Liveness, "")]));
    let done = stage.started("a");
    assert_eq!(done, ["Liveness a", "a ready: true", "ready: true"]);
    assert!(stage.answer("a", Liveness, Passed).is_empty());
    assert_eq!(stage.wait(10), ["10: Liveness a"]);
    // No second question while the first is on its way, and none is missed for that.
    assert!(stage.wait(15).is_empty());
    assert_eq!(stage.answer("a", Liveness, Passed), ["Liveness a"]);
}

#[test]
fn the_first_question_waits_from_the_start_of_the_app() {
    let times = r#""initial-delay-seconds": 7, "period-seconds": 2"#;
    let mut stage = Stage::running(plan([app("a").probe(Liveness, times)]));
    assert_eq!(stage.wait(8), ["7: Liveness a"]);
    stage.answer("a", Liveness, Passed);
    assert_eq!(stage.wait(3), ["1: Liveness a"]);
}

#[test]
fn three_bad_answers_in_a_row_end_an_app_and_it_starts_again_where_the_policy_says_so() {
    for (policy, end) in [
        (Always, "start a"),
        // It has failed, although it ends with 0.
        (OnFailure, "start a"),
        (Never, "ending: done"),
    ] {
        let mut stage = Stage::running(plan([app("a").restart(policy).probe(Liveness, "")]));
        for answer in [Failed, Failed, Passed, Failed, Failed] {
            assert!(stage.answer("a", Liveness, answer).is_empty());
            assert_eq!(stage.wait(10), ["10: Liveness a"]);
        }
        let done = stage.answer("a", Liveness, Failed);
        assert_eq!(done, ["a is unwell by Liveness", "stop a 30"]);
        assert!(stage.wait(60).is_empty(), "it is asked no more");
        let done = stage.exited("a", 0);
        assert_eq!(done.first().unwrap(), end);
        if policy == Never {
            assert_eq!(done.last().unwrap(), "over 1");
        }
    }
}

#[test]
fn a_probe_has_a_grace_period_of_its_own() {
    let times = r#""failure-threshold": 1, "termination-grace-period-seconds": 4"#;
    let mut stage = Stage::running(plan([app("a").probe(Liveness, times)]));
    let done = stage.answer("a", Liveness, Failed);
    assert_eq!(done, ["a is unwell by Liveness", "stop a 4"]);
}

#[test]
fn the_others_wait_until_the_startup_probe_has_passed_and_it_rests_then() {
    let slow = app("a")
        .probe(Startup, r#""period-seconds": 1, "failure-threshold": 30"#)
        .probe(Readiness, "")
        .probe(Liveness, "");
    let (mut stage, _) = Stage::begin(plan([slow]));
    assert_eq!(stage.started("a"), ["Startup a", "ready: true"]);
    for _ in 0..20 {
        assert!(stage.answer("a", Startup, Failed).is_empty());
        assert_eq!(stage.wait(1), ["1: Startup a"]);
    }
    let done = stage.answer("a", Startup, Passed);
    assert_eq!(done, ["Readiness a", "Liveness a"]);
    stage.answer("a", Readiness, Passed);
    stage.answer("a", Liveness, Passed);
    assert_eq!(stage.wait(10), ["10: Readiness a", "10: Liveness a"]);
}

#[test]
fn a_startup_probe_that_fails_ends_the_app() {
    let times = r#""period-seconds": 1, "failure-threshold": 2"#;
    let slow = app("a").restart(Always).probe(Startup, times);
    let mut stage = Stage::running(plan([slow]));
    stage.answer("a", Startup, Failed);
    stage.wait(1);
    let done = stage.answer("a", Startup, Failed);
    assert_eq!(done, ["a is unwell by Startup", "stop a 30"]);
    assert_eq!(stage.exited("a", 143), ["start a"]);
    // Of the new process nothing is known.
    assert_eq!(stage.started("a"), ["Startup a"]);
}

#[test]
fn readiness_comes_and_goes_and_ends_nobody() {
    let times = r#""success-threshold": 2, "failure-threshold": 2"#;
    let mut stage = Stage::running(plan([app("a").probe(Readiness, times)]));
    let mut told = Vec::new();
    for answer in [Passed, Passed, Failed, Passed, Failed, Failed, Failed] {
        told.push(stage.answer("a", Readiness, answer).join(" "));
        stage.wait(10);
    }
    let expected = ["", "a ready: true", "", "", "", "a ready: false", ""];
    assert_eq!(told, expected);
}

#[test]
fn a_question_that_can_not_be_asked_is_tried_three_times_and_counts_for_nothing() {
    let times = r#""failure-threshold": 1"#;
    let mut stage = Stage::running(plan([app("a").probe(Liveness, times)]));
    assert_eq!(stage.answer("a", Liveness, Unknown), ["Liveness a"]);
    assert_eq!(stage.answer("a", Liveness, Unknown), ["Liveness a"]);
    assert!(stage.answer("a", Liveness, Unknown).is_empty());
    assert_eq!(stage.wait(10), ["10: Liveness a"]);
}

#[test]
fn nobody_waits_for_answers_about_an_app_that_has_ended() {
    let mut stage = Stage::running(plan([app("a").restart(Always).probe(Liveness, "")]));
    let done = stage.exited("a", 1);
    assert_eq!(done, ["no Liveness a", "start a", "a ready: false"]);
}
