//! Ends of containers over the CRI that nobody has written down.

use harness::wait_until;

use crate::cri_containers::{EXITED, Ground, SOON, idle};
use crate::cri_sandbox;

#[test]
fn one_that_was_lost_with_its_monitor_has_ended_after_it_began() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let running = ground.status(&id);
    for monitor in ground.host.processes_named("stage1-nspawn") {
        monitor.kill();
    }
    let lost = wait_until("its end is told", SOON, || {
        let status = ground.status(&id);
        (status.state == EXITED).then_some(status)
    });
    assert_eq!((lost.exit_code, &*lost.reason), (255, "Unknown"));
    assert_eq!(lost.started_at, running.started_at);
    let (created, started, finished) = (lost.created_at, lost.started_at, lost.finished_at);
    assert!(0 < created && created <= started && started <= finished);
    // It stays so.
    assert_eq!(ground.status(&id), lost);
    cri_sandbox::stop(&ground.cri, &ground.sandbox).unwrap();
    assert_eq!(ground.status(&id).finished_at, finished);
}
