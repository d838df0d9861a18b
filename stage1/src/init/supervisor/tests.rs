use super::*;

const GRACE: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

fn name(app: &str) -> AppName {
    app.parse().unwrap()
}

fn with_apps<const N: usize>(apps: [&str; N]) -> Supervisor {
    started(
        Supervisor::new(Lifetime::WithApps, AppFailure::StopPod, GRACE),
        &apps,
    )
}

fn until_stopped(on_app_failure: AppFailure, apps: &[&str]) -> Supervisor {
    started(
        Supervisor::new(Lifetime::UntilStopped, on_app_failure, GRACE),
        apps,
    )
}

fn started(mut pod: Supervisor, apps: &[&str]) -> Supervisor {
    for app in apps {
        start(&mut pod, app);
    }
    pod
}

fn start(pod: &mut Supervisor, app: &str) {
    pod.app_starting(name(app));
    pod.app_started(&name(app));
}

#[test]
fn a_pod_ends_with_zero_when_all_apps_did() {
    let now = Instant::now();
    let mut pod = with_apps(["a", "b"]);
    assert_eq!(pod.app_exited(&name("a"), 0, now), None);
    assert_eq!(pod.finished(), None);
    assert_eq!(pod.app_exited(&name("b"), 0, now), None);
    assert_eq!(pod.finished(), Some(0));
}

#[test]
fn the_first_failure_ends_the_others_and_is_the_pods_code() {
    let now = Instant::now();
    let mut pod = with_apps(["a", "b", "c"]);
    assert_eq!(pod.app_exited(&name("b"), 7, now), Some(Action::SignalApps));
    assert_eq!(pod.app_exited(&name("a"), 143, now), None);
    assert_eq!(pod.deadline(), Some(now + GRACE));
    assert_eq!(pod.tick(now), None);
    assert_eq!(pod.tick(now + GRACE), Some(Action::KillAll));
    assert_eq!(pod.tick(now + GRACE), None);
    assert_eq!(pod.app_exited(&name("c"), 137, now), None);
    assert_eq!(pod.finished(), Some(7));
}

#[test]
fn the_failure_of_the_last_app_needs_nothing_to_be_done() {
    let now = Instant::now();
    let mut pod = with_apps(["a"]);
    assert_eq!(pod.app_exited(&name("a"), 3, now), None);
    assert_eq!(pod.finished(), Some(3));
}

#[test]
fn a_stopped_app_keeps_its_own_code() {
    let now = Instant::now();
    for code in [0, 143] {
        let mut pod = with_apps(["a"]);
        assert_eq!(pod.stop(GRACE, now), Some(Action::SignalApps));
        assert_eq!(pod.app_exited(&name("a"), code, now), None);
        assert_eq!(pod.finished(), Some(code));
    }
}

#[test]
fn of_apps_that_were_stopped_the_first_in_order_that_failed_decides() {
    let now = Instant::now();
    for order in [["a", "b", "c"], ["c", "b", "a"]] {
        let mut pod = with_apps(["a", "b", "c"]);
        pod.stop(GRACE, now);
        for app in order {
            let code = match app {
                "a" => 0,
                "b" => 5,
                _ => 7,
            };
            assert_eq!(pod.app_exited(&name(app), code, now), None);
        }
        assert_eq!(pod.finished(), Some(5));
    }
}

#[test]
fn a_second_stop_only_shortens_and_force_kills_at_once() {
    let now = Instant::now();
    let mut one = with_apps(["a"]);
    one.stop(SECOND, now);
    one.stop(GRACE, now);
    assert_eq!(one.deadline(), Some(now + SECOND));
    assert_eq!(one.stop(Duration::ZERO, now), Some(Action::KillAll));
    assert_eq!((one.stop(GRACE, now), one.deadline()), (None, None));
    let mut long = with_apps(["a"]);
    assert_eq!(long.stop(Duration::MAX, now), Some(Action::SignalApps));
    assert!(
        long.deadline()
            .is_some_and(|deadline| deadline > now + GRACE)
    );
}

#[test]
fn a_pod_that_stays_until_it_is_stopped_lives_without_apps() {
    let now = Instant::now();
    let mut pod = until_stopped(AppFailure::Continue, &[]);
    assert_eq!((pod.finished(), pod.deadline()), (None, None));
    start(&mut pod, "a");
    assert_eq!(pod.app_exited(&name("a"), 0, now), None);
    assert_eq!(pod.finished(), None);
    assert_eq!(pod.stop(GRACE, now), Some(Action::SignalApps));
    assert_eq!(pod.finished(), Some(0));
}

#[test]
fn where_failures_are_nothing_to_others_the_pod_goes_on() {
    let now = Instant::now();
    let mut pod = until_stopped(AppFailure::Continue, &["a", "b"]);
    assert_eq!(pod.app_exited(&name("a"), 7, now), None);
    assert_eq!((pod.finished(), pod.deadline()), (None, None));
    assert!(pod.may_start(&name("a")));
    pod.stop(GRACE, now);
    assert_eq!(pod.finished(), None);
    pod.app_exited(&name("b"), 143, now);
    // It was stopped as it should be.
    assert_eq!(pod.finished(), Some(0));

    let continuing = Supervisor::new(Lifetime::WithApps, AppFailure::Continue, GRACE);
    let mut pod = started(continuing, &["a", "b"]);
    assert_eq!(pod.app_exited(&name("b"), 7, now), None);
    assert_eq!(pod.finished(), None);
    pod.app_exited(&name("a"), 0, now);
    assert_eq!(pod.finished(), Some(7));
}

#[test]
fn where_a_failure_is_the_pods_end_it_ends_one_that_would_stay() {
    let now = Instant::now();
    let mut pod = until_stopped(AppFailure::StopPod, &["a", "b"]);
    assert_eq!(pod.app_exited(&name("a"), 7, now), Some(Action::SignalApps));
    assert!(!pod.may_start(&name("a")) && !pod.may_start(&name("c")));
    assert_eq!(pod.app_exited(&name("b"), 0, now), None);
    assert_eq!(pod.finished(), Some(7));

    let mut alone = until_stopped(AppFailure::StopPod, &["a"]);
    assert_eq!(alone.app_exited(&name("a"), 9, now), None);
    assert_eq!(alone.finished(), Some(9));
}

#[test]
fn an_app_that_was_asked_to_end_has_not_failed() {
    let now = Instant::now();
    let mut pod = with_apps(["a", "b"]);
    let signal = Some(Action::SignalApp(name("a")));
    assert_eq!(pod.stop_app(&name("a"), GRACE, now), signal);
    assert_eq!(pod.app_exited(&name("a"), 143, now), None);
    assert_eq!((pod.finished(), pod.deadline()), (None, None));
    pod.app_exited(&name("b"), 0, now);
    assert_eq!(pod.finished(), Some(0));
}

#[test]
fn an_app_that_does_not_end_in_time_is_killed_alone() {
    let now = Instant::now();
    let mut pod = until_stopped(AppFailure::StopPod, &["a", "b", "c"]);
    pod.stop_app(&name("b"), SECOND, now);
    pod.stop_app(&name("c"), GRACE, now);
    assert_eq!(pod.deadline(), Some(now + SECOND));
    assert_eq!(pod.tick(now), None);
    assert_eq!(pod.tick(now + SECOND), Some(Action::KillApp(name("b"))));
    assert_eq!(pod.tick(now + SECOND), None);
    assert_eq!(pod.deadline(), Some(now + GRACE));
    assert_eq!(pod.app_exited(&name("b"), 137, now), None);
    // One that has ended in time is left alone.
    assert_eq!(pod.app_exited(&name("c"), 0, now), None);
    assert_eq!((pod.deadline(), pod.tick(now + GRACE)), (None, None));
    assert_eq!(pod.finished(), None);
}

#[test]
fn a_second_stop_of_an_app_only_shortens_too_and_sends_no_signal() {
    let now = Instant::now();
    let mut pod = with_apps(["a"]);
    let signal = Some(Action::SignalApp(name("a")));
    assert_eq!(pod.stop_app(&name("a"), GRACE, now), signal);
    assert_eq!(pod.stop_app(&name("a"), SECOND, now), None);
    assert_eq!(pod.deadline(), Some(now + SECOND));
    assert_eq!(
        pod.stop_app(&name("a"), Duration::ZERO, now),
        Some(Action::KillApp(name("a")))
    );
    assert_eq!(pod.stop_app(&name("a"), GRACE, now), None);
    // Nobody else is asked.
    assert_eq!(pod.stop_app(&name("b"), GRACE, now), None);
    pod.app_exited(&name("a"), 137, now);
    assert_eq!(pod.stop_app(&name("a"), Duration::ZERO, now), None);
}

#[test]
fn an_app_starts_again_with_a_clean_slate() {
    let now = Instant::now();
    let mut pod = until_stopped(AppFailure::StopPod, &["a"]);
    assert!(!pod.may_start(&name("a")) && pod.may_start(&name("b")));
    pod.stop_app(&name("a"), GRACE, now);
    pod.app_exited(&name("a"), 143, now);
    assert!(pod.may_start(&name("a")));
    start(&mut pod, "a");
    assert!(!pod.may_start(&name("a")));
    assert_eq!((pod.finished(), pod.deadline()), (None, None));
    // This time nobody has asked it.
    assert_eq!(pod.app_exited(&name("a"), 5, now), None);
    assert_eq!(pod.finished(), Some(5));
}

#[test]
fn an_app_that_has_left_counts_no_more() {
    let now = Instant::now();
    let continuing = Supervisor::new(Lifetime::WithApps, AppFailure::Continue, GRACE);
    let mut pod = started(continuing, &["a", "b"]);
    pod.app_exited(&name("a"), 7, now);
    pod.app_removed(&name("a"));
    assert_eq!(pod.finished(), None);
    pod.app_exited(&name("b"), 0, now);
    assert_eq!(pod.finished(), Some(0));
}

#[test]
fn an_app_that_runs_can_not_leave_and_takes_nobody_with_it() {
    let now = Instant::now();
    let continuing = Supervisor::new(Lifetime::WithApps, AppFailure::Continue, GRACE);
    let mut pod = started(continuing, &["a", "b"]);
    pod.app_exited(&name("a"), 7, now);
    pod.app_removed(&name("b"));
    assert_eq!(pod.finished(), None);
    pod.app_exited(&name("b"), 0, now);
    assert_eq!(pod.finished(), Some(7));
}

#[test]
fn the_end_of_a_stranger_is_nothing() {
    let now = Instant::now();
    let mut pod = with_apps(["a"]);
    assert_eq!(pod.app_exited(&name("b"), 1, now), None);
    assert_eq!(pod.finished(), None);
}

#[test]
fn an_app_that_is_stopped_while_it_is_being_started_is_killed() {
    let now = Instant::now();
    let mut pod = until_stopped(AppFailure::StopPod, &["a"]);
    pod.app_starting(name("b"));
    assert!(!pod.may_start(&name("b")));
    let kill = Some(Action::KillApp(name("b")));
    assert_eq!(pod.stop_app(&name("b"), GRACE, now), kill);
    assert_eq!(pod.stop_app(&name("b"), GRACE, now), None);
    assert_eq!(pod.deadline(), None);
    pod.app_not_started(&name("b"));
    assert!(pod.may_start(&name("b")));
    assert_eq!(pod.finished(), None);
}

#[test]
fn a_pod_does_not_end_while_an_app_is_being_started() {
    let now = Instant::now();
    let mut pod = with_apps(["a"]);
    pod.app_starting(name("b"));
    assert_eq!(pod.app_exited(&name("a"), 0, now), None);
    assert_eq!(pod.finished(), None);
    pod.app_not_started(&name("b"));
    assert_eq!(pod.finished(), Some(0));
}

#[test]
fn a_start_that_fails_leaves_an_apps_last_end_as_it_was() {
    let now = Instant::now();
    let continuing = Supervisor::new(Lifetime::WithApps, AppFailure::Continue, GRACE);
    let mut pod = started(continuing, &["a", "b", "c"]);
    pod.stop_app(&name("a"), GRACE, now);
    pod.app_exited(&name("a"), 143, now);
    pod.app_exited(&name("b"), 7, now);
    for app in ["a", "b"] {
        pod.app_starting(name(app));
        pod.app_not_started(&name(app));
    }
    pod.app_exited(&name("c"), 0, now);
    assert_eq!(pod.finished(), Some(7));
}
