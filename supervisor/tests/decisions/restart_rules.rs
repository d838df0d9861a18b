//! Apps that start again after some exit codes, alone or with all others.

use pod::manifest::RestartAction::{Restart, RestartAllApps};
use pod::manifest::{AppFailure, ExitCodeOperator, ExitCodes, RestartPolicy, RestartRule, Role};
use supervisor::CheckKind::{Liveness, PreStop};
use supervisor::Event;

use crate::stage::{Planned, Stage, app, name, plan};

/// Whether an app with these rules starts again that ends with this code, and by its policy alone never does.
fn starts_again(rules: &[(bool, &[i32])], code: i32) -> bool {
    let mut ruled = app("a");
    ruled.restart_rules = rules
        .iter()
        .map(|(is_in, codes)| RestartRule {
            action: Restart,
            exit_codes: ExitCodes {
                operator: match is_in {
                    true => ExitCodeOperator::In,
                    false => ExitCodeOperator::NotIn,
                },
                values: codes.to_vec(),
            },
        })
        .collect();
    let mut stage = Stage::running(plan([ruled, app("b")]));
    stage.exited("a", code).contains(&"start a".to_owned())
}

#[test]
fn the_first_rule_that_fits_counts_and_else_the_policy() {
    for (rules, code, again) in [
        (&[(true, &[3, 4][..])][..], 4, true),
        (&[(true, &[3, 4])], 5, false),
        (&[(true, &[3, 4])], 0, false),
        (&[(true, &[0])], 0, true),
        (&[(false, &[0, 3])], 3, false),
        (&[(false, &[0, 3])], 4, true),
        (&[(true, &[9]), (false, &[4])], 9, true),
        (&[], 1, false),
    ] {
        assert_eq!(starts_again(rules, code), again, "{rules:?} {code}");
    }
}

#[test]
fn what_starts_again_by_a_rule_waits_longer_and_longer() {
    let mut stage = Stage::running(plan([app("a").rule(Restart, 7), app("b")]));
    assert_eq!(stage.exited("a", 7), ["start a", "a ready: false"]);
    stage.started("a");
    assert_eq!(stage.exited("a", 7), ["a waits 10", "a ready: false"]);
    stage.wait(10);
    stage.started("a");
    // Nothing is said of this one.
    assert_eq!(stage.exited("a", 8), ["a ready: false"]);
}

#[test]
fn all_apps_are_killed_and_start_again_in_their_order() {
    let mut stage = Stage::running(plan([
        app("main")
            .rule(RestartAllApps, 88)
            .probe(Liveness, "")
            .hooks(r#"{"pre-stop": {"type": "exec", "args": ["y"]}}"#),
        app("other").hooks(r#"{"pre-stop": {"type": "exec", "args": ["y"]}}"#),
        app("side").role(Role::Sidecar),
        app("done"),
    ]));
    stage.exited("done", 0);
    // No hooks, and no time.
    let mut done = stage.exited("main", 88);
    done.sort();
    let mut expected = [
        "no Liveness main",
        "all again by main",
        "main waits 0",
        "done waits 0",
        "kill side",
        "kill other",
        "main ready: false",
        "other ready: false",
        "side ready: false",
        "ready: false",
    ];
    expected.sort_unstable();
    assert_eq!(done, expected);
    // Whoever looks sees that they are to start again.
    assert_eq!(stage.exited("side", 137), ["side waits 0"]);
    assert_eq!(stage.exited("other", 137), ["other waits 0", "start side"]);
    assert_eq!(stage.started("side"), ["start main", "side ready: true"]);
    let done = stage.started("main");
    assert_eq!(done, ["Liveness main", "start other", "main ready: true"]);
    assert_eq!(stage.started("other"), ["start done", "other ready: true"]);
    let done = stage.started("done");
    assert_eq!(done, ["done ready: true", "ready: true"]);
    let restarts: Vec<u32> = stage.supervisor().apps().map(|app| app.restarts).collect();
    assert_eq!(restarts, [1, 1, 1, 1]);
}

#[test]
fn init_apps_run_again_and_one_that_fails_then_ends_the_pod() {
    let mut stage = Stage::begin(plan([
        app("prepare").role(Role::Init),
        app("main").rule(RestartAllApps, 88),
    ]))
    .0;
    stage.started("prepare");
    assert_eq!(stage.exited("prepare", 0)[0], "start main");
    stage.started("main");
    assert!(
        stage
            .exited("main", 88)
            .contains(&"start prepare".to_owned())
    );
    stage.started("prepare");
    let done = stage.exited("prepare", 5);
    assert_eq!(done[0], "ending: prepare failed");
    assert_eq!(done.last().unwrap(), "over 5");
}

#[test]
fn all_of_them_wait_longer_and_longer_too() {
    let mut stage = Stage::running(plan([app("a").rule(RestartAllApps, 1), app("b")]));
    stage.exited("a", 1);
    assert_eq!(stage.exited("b", 137), ["b waits 0", "start a"]);
    stage.started("a");
    stage.started("b");
    let done = stage.exited("a", 1);
    assert_eq!(done[..3], ["all again by a", "kill b", "a waits 10"]);
    assert_eq!(stage.exited("b", 137), ["b waits 10"]);
    assert_eq!(stage.wait(20), ["10: start a"]);
}

#[test]
fn an_app_that_is_on_its_way_when_all_are_to_start_again_is_killed_and_has_its_turn() {
    let mut stage = Stage::begin(plan([
        app("a").role(Role::Sidecar).rule(RestartAllApps, 1),
        app("b"),
    ]))
    .0;
    assert_eq!(stage.started("a"), ["start b", "a ready: true"]);
    let done = stage.exited("a", 1);
    let expected = ["all again by a", "kill b", "a waits 0", "a ready: false"];
    assert_eq!(done, expected);
    // It was faster.
    assert_eq!(stage.started("b"), ["kill b"]);
    assert_eq!(stage.exited("b", 137), ["b waits 0", "start a"]);
    stage.started("a");
    stage.exited("a", 1);
    assert_eq!(stage.not_started("b"), ["b waits 10"]);
    assert_eq!(stage.wait(20), ["10: start a"]);
}

#[test]
fn what_somebody_has_stopped_stays_so_when_all_start_again() {
    let mut stage = Stage::running(plan([app("a").rule(RestartAllApps, 1), app("b"), app("c")]));
    stage.stop_app("b", 5);
    stage.exited("b", 143);
    stage.exited("a", 1);
    // While the others end, too.
    stage.stop_app("c", 5);
    assert_eq!(stage.exited("c", 137), ["start a"]);
    let done = stage.started("a");
    assert_eq!(done, ["a ready: true", "ready: true"]);
}

#[test]
fn a_pod_can_be_stopped_while_all_start_again() {
    let mut stage = Stage::running(plan([
        app("a").rule(RestartAllApps, 1),
        app("b").hooks(r#"{"pre-stop": {"type": "exec", "args": ["y"]}}"#),
    ]));
    stage.exited("a", 1);
    let done = stage.stop(30);
    assert!(
        !done
            .iter()
            .any(|line| line.contains(&format!("{PreStop:?}")))
    );
    assert_eq!(stage.exited("b", 137).last().unwrap(), "over 137");
}

#[test]
fn an_app_that_has_joined_and_never_ran_does_not_start_with_all_others() {
    let mut stage = Stage::running(plan([app("a").rule(RestartAllApps, 1)]));
    stage.happens(Event::Added(Box::new(app("late"))));
    assert!(stage.exited("a", 1).contains(&"start a".to_owned()));
    let done = stage.started("a");
    assert_eq!(done, ["a ready: true", "ready: true"]);
    stage.happens(Event::Starting(name("late")));
    stage.started("late");
    stage.exited("a", 1);
    stage.exited("late", 137);
    assert_eq!(stage.wait(10), ["10: start a"]);
    assert_eq!(stage.started("a"), ["start late", "a ready: true"]);
}

#[test]
fn an_app_whose_start_by_hand_fails_ends_nothing_else() {
    let mut plan = plan([app("a").restart(RestartPolicy::Always)]);
    plan.on_app_failure = AppFailure::Continue;
    let mut stage = Stage::running(plan);
    stage.happens(Event::Added(Box::new(app("late"))));
    stage.happens(Event::Starting(name("late")));
    assert!(stage.not_started("late").is_empty());
}

#[test]
fn no_rule_starts_an_app_more_often_than_it_may() {
    let mut limited = app("a").rule(RestartAllApps, 1);
    limited.restart.max_retries = Some(1);
    let mut stage = Stage::running(plan([limited]));
    stage.exited("a", 1);
    stage.started("a");
    assert_eq!(stage.exited("a", 1)[0], "ending: done");
}
