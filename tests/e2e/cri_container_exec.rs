//! Commands in containers.

use std::time::{Duration, Instant};

use cri_shim::api::{ExecSyncRequest, PodSandboxState};
use harness::wait_until;
use tonic::Code;

use crate::cri_containers::{Ground, SOON, idle, security};
use crate::cri_sandbox;

#[test]
fn what_a_command_writes_and_how_it_ends_is_told() {
    let ground = Ground::new();
    let mut config = idle("web");
    config.working_dir = "/tmp".to_owned();
    security(&mut config).run_as_username = "app".to_owned();
    let id = ground.run(&config);
    let text = "pwd; id -u; echo err >&2; exit 7";
    let done = ground.try_exec(&id, &["/bin/sh", "-c", text], 20).unwrap();
    assert_eq!(
        (&*done.stdout, &*done.stderr),
        (&b"/tmp\n1000\n"[..], &b"err\n"[..])
    );
    assert_eq!(done.exit_code, 7);
    assert_eq!(ground.sh(&id, "cat; echo no input"), "no input");
    let missing = ground.try_exec(&id, &["/no/such"], 5).unwrap_err();
    assert!(missing.message().contains("/no/such"), "{missing}");
}

#[test]
fn a_command_whose_time_is_up_is_killed_with_all_that_it_has_started() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let begun = Instant::now();
    let text = "sleep 4321 & setsid sleep 4321 & sleep 4321";
    let late = ground
        .try_exec(&id, &["/bin/sh", "-c", text], 1)
        .unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert!(begun.elapsed().as_secs() < 10);
    assert_eq!(ground.sh(&id, "ps | grep -c '[s]leep 4321' || true"), "0");
}

#[test]
fn what_goes_on_in_the_background_keeps_nobody_waiting() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let begun = Instant::now();
    assert_eq!(ground.sh(&id, "sleep 30 & echo done"), "done");
    assert!(begun.elapsed().as_secs() < 10);
}

#[test]
fn of_what_a_command_writes_as_much_is_told_as_fits() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let text = "head -c 20000000 /dev/zero; echo ends >&2";
    let done = ground.try_exec(&id, &["/bin/sh", "-c", text], 60).unwrap();
    assert_eq!(done.stdout.len(), 16 << 20);
    assert_eq!((done.exit_code, &*done.stderr), (0, &b"ends\n"[..]));
}

#[test]
fn commands_run_in_what_runs() {
    let ground = Ground::new();
    let id = ground.create(&idle("web"));
    let created = ground.try_exec(&id, &["/bin/true"], 5).unwrap_err();
    assert_eq!(created.code(), Code::FailedPrecondition);
    ground.try_start(&id).unwrap();
    let nothing = ground.try_exec(&id, &[], 5).unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument);
    let negative = ground.try_exec(&id, &["/bin/true"], -1).unwrap_err();
    assert_eq!(negative.code(), Code::InvalidArgument);
    let unknown = ground.try_exec("unknown", &["/bin/true"], 5).unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    ground.stop(&id, 0).unwrap();
    let ended = ground.try_exec(&id, &["/bin/true"], 5).unwrap_err();
    assert_eq!(ended.code(), Code::FailedPrecondition);
}

#[test]
fn errors_are_bounded_by_themselves() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let text = "head -c 20000000 /dev/zero >&2; echo out";
    let done = ground.try_exec(&id, &["/bin/sh", "-c", text], 60).unwrap();
    assert_eq!(done.stderr.len(), 16 << 20);
    assert_eq!((done.exit_code, &*done.stdout), (0, &b"out\n"[..]));
}

#[test]
fn a_command_ends_with_its_container_and_its_caller_is_told() {
    let ground = Ground::new();
    let begin = |attempt: u32| {
        let mut config = idle("web");
        config.metadata.as_mut().unwrap().attempt = attempt;
        let id = ground.run(&config);
        let (mut client, request) = (
            ground.cri.runtime(),
            ExecSyncRequest {
                container_id: id.clone(),
                cmd: vec!["/bin/sleep".to_owned(), "4321".to_owned()],
                timeout: 0,
            },
        );
        let call = ground
            .cri
            .spawn(async move { client.exec_sync(request).await });
        wait_until("the command runs", SOON, || {
            let count = ground.sh(&id, "ps | grep -c '[s]leep 4321' || true");
            (count == "1").then_some(())
        });
        (id, call)
    };
    let (id, call) = begin(0);
    ground.stop(&id, 0).unwrap();
    let done = ground.cri.wait(call).unwrap().unwrap().into_inner();
    assert_eq!(done.exit_code, 137);
    let (id, call) = begin(1);
    ground.remove(&id).unwrap();
    let done = ground.cri.wait(call).unwrap().unwrap().into_inner();
    assert_eq!(done.exit_code, 137);
    let (_, call) = begin(2);
    cri_sandbox::stop(&ground.cri, &ground.sandbox).unwrap();
    // With its monitor gone, how it ended may be told, or that it did.
    match ground.cri.wait(call).unwrap() {
        Ok(done) => assert_eq!(done.into_inner().exit_code, 137),
        Err(error) => assert_eq!(error.code(), Code::FailedPrecondition, "{error}"),
    }
}

#[test]
fn many_commands_keep_nobody_from_an_answer_and_end_with_their_callers() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let calls = (0..600).map(|_| {
        let mut client = ground.cri.runtime();
        let request = ExecSyncRequest {
            container_id: id.clone(),
            cmd: vec!["/bin/sleep".to_owned(), "4321".to_owned()],
            timeout: 0,
        };
        ground
            .cri
            .spawn(async move { client.exec_sync(request).await })
    });
    let calls: Vec<_> = calls.collect();
    let running = || {
        let all = ground.host.processes_named("sleep").into_iter();
        all.filter(|process| process.command_line.contains("4321"))
            .count()
    };
    // The others wait until some of these have ended.
    wait_until("many commands run", SOON, || {
        (running() >= 250).then_some(())
    });
    let began = Instant::now();
    let status = cri_sandbox::status(&ground.cri, &ground.sandbox).unwrap();
    assert_eq!(status.state(), PodSandboxState::SandboxReady);
    assert!(began.elapsed() < Duration::from_secs(2));
    calls.iter().for_each(|call| call.abort());
    wait_until("they have ended", SOON, || (running() == 0).then_some(()));
    assert_eq!(ground.sh(&id, "echo well"), "well");
}
