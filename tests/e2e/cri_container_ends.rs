//! Ends of containers over the CRI: as they are told while somebody removes them, and where nobody has written them down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use cri_shim::api::{ListContainersRequest, RemoveContainerRequest};
use harness::wait_until;

use crate::cri_containers::{EXITED, Ground, SOON, idle, script};
use crate::cri_sandbox;

#[test]
fn a_container_that_is_being_removed_is_told_as_it_was_or_not_at_all() {
    let ground = Ground::new();
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(ground.run(&script(&format!("job-{number}"), "exit 3")));
    }
    for id in &ids {
        ground.wait_end(id);
    }
    let (cri, done) = (&ground.cri, AtomicBool::new(false));
    let mut runtime = cri.runtime();
    let (tokio, mut remover) = (tokio::runtime::Runtime::new().unwrap(), cri.runtime());
    thread::scope(|scope| {
        scope.spawn(|| {
            for id in &ids {
                let container_id = id.clone();
                let request = RemoveContainerRequest { container_id };
                tokio.block_on(remover.remove_container(request)).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        while !done.load(Ordering::Relaxed) {
            let all = runtime.list_containers(ListContainersRequest { filter: None });
            for container in cri.call(all).unwrap().containers {
                assert_eq!(container.state, EXITED, "{}", container.id);
                // It may have gone since.
                if let Ok(status) = ground.try_status(&container.id) {
                    assert_eq!((status.state, status.exit_code), (EXITED, 3));
                    assert!(0 < status.started_at && status.started_at <= status.finished_at);
                }
            }
        }
    });
    let all = runtime.list_containers(ListContainersRequest { filter: None });
    assert_eq!(cri.call(all).unwrap().containers, []);
}

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
