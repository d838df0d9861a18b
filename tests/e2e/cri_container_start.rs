//! Starts over the CRI that fail, and starts that nobody waits for any more.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use cri_shim::api::{ContainerConfig, Mount, StartContainerRequest};
use harness::{Process, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use tonic::{Code, Request};

use crate::cri_containers::{CREATED, EXITED, Ground, RUNNING, SOON, idle};

/// Asks for a container, makes its start fail, and looks how that is told, also by a shim that was not there.
#[track_caller]
fn fails(ground: &mut Ground, config: &ContainerConfig, spoil: fn(&Ground), reason: &str) {
    let id = ground.create(config);
    assert_eq!(ground.status(&id).state, CREATED);
    spoil(ground);
    let failed = ground.try_start(&id).unwrap_err();
    assert!(failed.message().contains(reason), "{failed}");
    let status = ground.status(&id);
    assert_eq!(
        (status.state, status.exit_code),
        (EXITED, 128),
        "{status:?}"
    );
    assert_eq!(
        (&*status.reason, &*status.message),
        ("StartError", failed.message())
    );
    assert_eq!(status.started_at, 0, "it has never run");
    assert!(status.finished_at >= status.created_at);
    // Nobody tries it a second time, though it may work by then.
    let again = ground.try_start(&id).unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition, "{again}");
    assert_eq!(ground.status(&id), status);
    ground.cri.restart();
    assert_eq!(ground.status(&id), status);
    ground.remove(&id).unwrap();
}

fn changed(change: impl FnOnce(&mut ContainerConfig)) -> ContainerConfig {
    let mut config = idle("web");
    change(&mut config);
    config
}

#[test]
fn a_start_that_fails_is_the_containers_end_whatever_it_failed_for() {
    let mut ground = Ground::new();
    let missing = changed(|config| config.command = vec!["/no/such/program".to_owned()]);
    fails(&mut ground, &missing, |_| (), "/no/such/program");
    let no_program = changed(|config| config.command = vec!["/etc/passwd".to_owned()]);
    fails(&mut ground, &no_program, |_| (), "/etc/passwd");
    let no_log = |ground: &Ground| {
        let _ = fs::remove_file(ground.log_file("web"));
        fs::create_dir(ground.log_file("web")).unwrap();
    };
    fails(&mut ground, &idle("web"), no_log, "web");
    fs::remove_dir(ground.log_file("web")).unwrap();
    // The kernel mounts no file on a directory.
    let file = ground.host.write("file", "");
    let mounted = changed(|config| {
        config.mounts = vec![Mount {
            container_path: "/tmp".to_owned(),
            host_path: file.to_str().unwrap().to_owned(),
            ..Mount::default()
        }];
    });
    fails(&mut ground, &mounted, |_| (), "/tmp");
    let vanishing = changed(|config| {
        config.mounts = vec![Mount {
            container_path: "/volume".to_owned(),
            host_path: ground
                .host
                .base()
                .join("volume")
                .to_str()
                .unwrap()
                .to_owned(),
            ..Mount::default()
        }];
    });
    let vanish = |ground: &Ground| fs::remove_dir(ground.host.base().join("volume")).unwrap();
    fails(&mut ground, &vanishing, vanish, "volume");
    let reject = |ground: &Ground| {
        let policy = "[[rule]]\nprefix = \"test.example\"\ntype = \"reject\"\n";
        ground.host.write_policy("tests.toml", policy);
    };
    fails(&mut ground, &idle("web"), reject, "is rejected by rule");
}

/// The process that starts the containers of a ground's only sandbox, stopped until this is dropped.
struct StoppedInit(Process);

impl StoppedInit {
    fn of(ground: &Ground) -> Self {
        let init = ground
            .host
            .processes_named("pod-init")
            .pop()
            .expect("pod init");
        signal(&init, Signal::STOP);
        Self(init)
    }
}

impl Drop for StoppedInit {
    fn drop(&mut self) {
        signal(&self.0, Signal::CONT);
    }
}

fn signal(process: &Process, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(process.pid).unwrap()).unwrap();
    // It may have ended.
    let _ = kill_process(pid, signal);
}

/// Waits until the monitor has taken the request for a start.
fn wait_begun(ground: &Ground) {
    let pods = ground.host.data_dir().join("pods/run");
    let begun = |pod: PathBuf| pod.join("apps/web-0/starting").exists();
    wait_until("the start has begun", SOON, || {
        let mut pods = fs::read_dir(&pods).unwrap();
        pods.any(|pod| begun(pod.unwrap().path())).then_some(())
    });
}

#[test]
fn a_start_whose_caller_gives_up_goes_on_and_is_not_told_as_running_before() {
    let ground = Ground::new();
    let id = ground.create(&idle("web"));
    let stopped = StoppedInit::of(&ground);
    let mut request = Request::new(StartContainerRequest {
        container_id: id.clone(),
    });
    request.set_timeout(Duration::from_millis(500));
    let given_up = ground
        .cri
        .call(ground.cri.runtime().start_container(request));
    let code = given_up.unwrap_err().code();
    assert!(
        matches!(code, Code::DeadlineExceeded | Code::Cancelled),
        "{code}"
    );
    wait_begun(&ground);
    assert_eq!(ground.status(&id).state, CREATED, "it doesn't run yet");
    let again = ground.try_start(&id).unwrap_err();
    assert!(again.message().contains("already"), "{again}");
    drop(stopped);
    wait_until("it runs", SOON, || {
        (ground.status(&id).state == RUNNING).then_some(())
    });
    assert_eq!(ground.sh(&id, "echo here"), "here");
}

#[test]
fn a_start_goes_on_when_the_shim_is_killed_meanwhile() {
    let mut ground = Ground::new();
    let id = ground.create(&idle("web"));
    let stopped = StoppedInit::of(&ground);
    let mut client = ground.cri.runtime();
    let container_id = id.clone();
    let request = StartContainerRequest { container_id };
    let asked = ground
        .cri
        .spawn(async move { client.start_container(request).await });
    wait_begun(&ground);
    ground.cri.restart();
    ground.cri.wait(asked).unwrap().unwrap_err();
    assert_eq!(ground.status(&id).state, CREATED);
    drop(stopped);
    wait_until("it runs", SOON, || {
        (ground.status(&id).state == RUNNING).then_some(())
    });
}

#[test]
fn a_start_that_the_sandbox_does_not_outlive_has_ended() {
    let ground = Ground::new();
    let id = ground.create(&idle("web"));
    let _stopped = StoppedInit::of(&ground);
    let mut client = ground.cri.runtime();
    let container_id = id.clone();
    let request = StartContainerRequest { container_id };
    let asked = ground
        .cri
        .spawn(async move { client.start_container(request).await });
    wait_begun(&ground);
    for monitor in ground.host.processes_named("stage1-nspawn") {
        monitor.kill();
    }
    ground.cri.wait(asked).unwrap().unwrap_err();
    let lost = wait_until("its end is told", SOON, || {
        let status = ground.status(&id);
        (status.state == EXITED).then_some(status)
    });
    assert_eq!((lost.exit_code, &*lost.reason), (255, "Unknown"));
    assert!(lost.finished_at >= lost.created_at);
}
