//! Containers that are started or ended by several at once, or ended while they begin.

use std::time::{Duration, Instant};

use cri_shim::api::{StartContainerRequest, StopContainerRequest};
use tonic::{Code, Status};

use crate::cri_containers::{CREATED, EXITED, Ground, RUNNING, idle, script};

/// Longer than any test waits.
const LONG: i64 = 3600;

fn request(id: &str, timeout: i64) -> StopContainerRequest {
    StopContainerRequest {
        container_id: id.to_owned(),
        timeout,
    }
}

/// Stops a container several times at once, once it has said that the first of these has reached it.
fn stop_at_once(
    ground: &Ground,
    name: &str,
    id: &str,
    timeouts: &[i64],
) -> Vec<Result<(), Status>> {
    let calls: Vec<_> = timeouts
        .iter()
        .enumerate()
        .map(|(number, timeout)| {
            let (mut client, request) = (ground.cri.runtime(), request(id, *timeout));
            let call = ground
                .cri
                .spawn(async move { client.stop_container(request).await.map(drop) });
            if number == 0 {
                ground.wait_logged(name, "asked to end");
            }
            call
        })
        .collect();
    calls
        .into_iter()
        .map(|call| ground.cri.wait(call).unwrap())
        .collect()
}

#[test]
fn of_several_who_stop_a_container_the_least_patient_counts_and_all_succeed() {
    let ground = Ground::new();
    let text = "trap 'echo asked to end' TERM; echo up; while :; do usleep 5000; done";
    for (name, timeouts) in [
        ("a", &[LONG, 1][..]),
        ("b", &[1, LONG]),
        ("c", &[LONG, LONG, 0, LONG]),
        ("d", &[LONG, i64::MAX, 2]),
    ] {
        let id = ground.run(&script(name, text));
        ground.wait_logged(name, "up");
        let begun = Instant::now();
        for stopped in stop_at_once(&ground, name, &id, timeouts) {
            stopped.unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}");
        let status = ground.status(&id);
        assert_eq!((status.state, status.exit_code), (EXITED, 137), "{name}");
        // However many ask, it is told once.
        assert_eq!(ground.logged(name), "up\nasked to end", "{name}");
        ground.stop(&id, LONG).unwrap();
    }
}

#[test]
fn who_waits_for_an_end_that_comes_by_itself_is_answered_then() {
    let ground = Ground::new();
    let text = "trap 'echo asked to end; usleep 300000; exit 9' TERM; echo up; \
         while :; do usleep 5000; done";
    let id = ground.run(&script("a", text));
    ground.wait_logged("a", "up");
    for stopped in stop_at_once(&ground, "a", &id, &[LONG, LONG, LONG]) {
        stopped.unwrap();
    }
    assert_eq!(ground.status(&id).exit_code, 9);
}

#[test]
fn a_container_that_begins_is_stopped_or_has_not_been_heard_of() {
    let ground = Ground::new();
    for attempt in 0..12 {
        let mut config = idle("web");
        config.metadata.as_mut().unwrap().attempt = attempt;
        let id = ground.create(&config);
        let (mut starts, mut stops) = (ground.cri.runtime(), ground.cri.runtime());
        let (start, stop) = (
            StartContainerRequest {
                container_id: id.clone(),
            },
            request(&id, LONG),
        );
        let started = ground
            .cri
            .spawn(async move { starts.start_container(start).await.map(drop) });
        // Sooner each time.
        let pause = Duration::from_micros(u64::from(12 - attempt) * 700);
        let stopped = ground.cri.spawn(async move {
            tokio::time::sleep(pause).await;
            stops.stop_container(stop).await.map(drop)
        });
        let started = ground.cri.wait(started).unwrap();
        ground.cri.wait(stopped).unwrap().unwrap();
        let status = ground.status(&id);
        match (started, status.state) {
            // The stop came first, when there was nothing to stop.
            (Ok(()), RUNNING) => ground.stop(&id, LONG).unwrap(),
            (Ok(()) | Err(_), EXITED) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(ground.status(&id).state, EXITED);
    }
    let id = ground.create(&idle("other"));
    ground.stop(&id, 0).unwrap();
    assert_eq!(ground.status(&id).state, CREATED);
    ground.try_start(&id).unwrap();
}

#[test]
fn of_several_who_start_a_container_one_does_and_it_runs_once() {
    let ground = Ground::new();
    for attempt in 0..8 {
        let mut config = script("web", &format!("echo ran {attempt}"));
        config.metadata.as_mut().unwrap().attempt = attempt;
        config.log_path = format!("web-{attempt}");
        let id = ground.create(&config);
        let calls: Vec<_> = (0..4)
            .map(|_| {
                let (mut client, container_id) = (ground.cri.runtime(), id.clone());
                let request = StartContainerRequest { container_id };
                ground
                    .cri
                    .spawn(async move { client.start_container(request).await.map(drop) })
            })
            .collect();
        let mut started = 0;
        for call in calls {
            match ground.cri.wait(call).unwrap() {
                Ok(()) => started += 1,
                Err(error) => assert_eq!(error.code(), Code::FailedPrecondition, "{error}"),
            }
        }
        assert_eq!(started, 1);
        ground.wait_end(&id);
        let log = format!("web-{attempt}");
        ground.wait_logged(&log, "ran");
        assert_eq!(ground.logged(&log), format!("ran {attempt}"));
    }
}
