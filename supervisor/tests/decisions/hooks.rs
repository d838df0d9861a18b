//! Hooks after the start and before the end.

use pod::manifest::RestartPolicy;
use supervisor::Answer::{Failed, Passed};
use supervisor::CheckKind::{Liveness, PostStart, PreStop};

use crate::stage::{Planned, Stage, app, plan};

const BOTH: &str = r#"{"post-start": {"type": "exec", "args": ["x"]}, "pre-stop": {"type": "exec", "args": ["y"]}}"#;

#[test]
fn all_else_waits_for_the_hook_after_the_start() {
    let hooked = app("a").hooks(BOTH).probe(Liveness, "");
    let (mut stage, _) = Stage::begin(plan([hooked, app("b")]));
    assert_eq!(stage.started("a"), ["PostStart a"]);
    assert!(stage.wait(100).is_empty());
    let done = stage.answer("a", PostStart, Passed);
    assert_eq!(done, ["Liveness a", "start b", "a ready: true"]);
}

#[test]
fn an_app_whose_hook_after_the_start_fails_is_ended() {
    let hooked = app("a").hooks(BOTH).restart(RestartPolicy::OnFailure);
    let (mut stage, _) = Stage::begin(plan([hooked]));
    stage.started("a");
    let done = stage.answer("a", PostStart, Failed);
    assert_eq!(done[..2], ["a is unwell by PostStart", "PreStop a"]);
    assert_eq!(stage.answer("a", PreStop, Failed), ["stop a 30"]);
    assert_eq!(stage.exited("a", 0)[0], "start a");
}

#[test]
fn the_signal_comes_after_the_hook_and_what_is_left_of_the_time_is_the_apps() {
    let mut stage = Stage::running(plan([app("a").hooks(BOTH)]));
    stage.answer("a", PostStart, Passed);
    assert_eq!(stage.stop(30), ["ending: asked", "PreStop a"]);
    assert!(stage.wait(20).is_empty());
    assert_eq!(stage.answer("a", PreStop, Passed), ["stop a 10"]);
}

#[test]
fn a_hook_that_takes_all_the_time_is_cut_off_and_the_app_has_two_seconds() {
    let mut stage = Stage::running(plan([app("a").hooks(BOTH)]));
    stage.answer("a", PostStart, Passed);
    stage.stop(30);
    assert_eq!(stage.wait(40), ["30: no PreStop a", "30: stop a 2"]);
}

#[test]
fn an_app_that_ends_by_itself_has_no_hook_before_its_end() {
    let mut stage = Stage::running(plan([app("a").hooks(BOTH), app("b")]));
    stage.answer("a", PostStart, Passed);
    stage.started("b");
    assert_eq!(stage.exited("a", 0), ["a ready: false"]);
}

#[test]
fn who_has_no_time_has_no_hooks() {
    let mut stage = Stage::running(plan([app("a").hooks(BOTH)]));
    stage.answer("a", PostStart, Passed);
    assert_eq!(stage.stop(0), ["ending: asked", "kill a"]);
}

#[test]
fn a_hook_may_just_wait() {
    let sleeps = r#"{"pre-stop": {"type": "sleep", "seconds": 5}}"#;
    let mut stage = Stage::running(plan([app("a").hooks(sleeps)]));
    assert_eq!(stage.stop(30), ["ending: asked"]);
    assert_eq!(stage.wait(30), ["5: stop a 25"]);
}

#[test]
fn a_hook_after_the_start_that_hangs_keeps_no_pod_from_ending() {
    let (mut stage, _) = Stage::begin(plan([app("a").hooks(BOTH), app("b")]));
    stage.started("a");
    let done = stage.stop(30);
    assert_eq!(done, ["ending: asked", "no PostStart a", "PreStop a"]);
    stage.answer("a", PreStop, Passed);
    assert_eq!(stage.exited("a", 143).last().unwrap(), "over 143");
}
