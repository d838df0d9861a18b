//! Containers over the CRI: their states, what they run, what is listed.

use std::collections::BTreeMap;

use cri_shim::api::{
    Container, ContainerFilter, ContainerStateValue, KeyValue, ListContainersRequest, Signal,
};
use harness::ImageBuilder;
use tonic::Code;

use crate::cri_containers::{CREATED, EXITED, Ground, RUNNING, idle, script, security};
use crate::cri_sandbox;
use crate::stocked::IMAGE;

fn list(ground: &Ground, filter: Option<ContainerFilter>) -> Vec<Container> {
    let request = ListContainersRequest { filter };
    let listed = ground
        .cri
        .call(ground.cri.runtime().list_containers(request));
    listed.unwrap().containers
}

#[test]
fn a_container_is_made_started_stopped_and_removed() {
    let ground = Ground::new();
    let text = "trap 'exit 0' TERM; echo up; while :; do usleep 5000; done";
    let mut config = script("web", text);
    config.labels = BTreeMap::from([("tier".to_owned(), "front".to_owned())]);
    config.annotations = BTreeMap::from([("odd key\n".to_owned(), "\u{1}ä\"".to_owned())]);
    let id = ground.create(&config);
    let created = ground.status(&id);
    assert_eq!(created.state, CREATED);
    assert!(created.created_at > 0);
    assert_eq!((created.started_at, created.finished_at), (0, 0));
    assert_eq!(created.labels, config.labels);
    assert_eq!(created.annotations, config.annotations);
    assert_eq!(created.metadata, config.metadata);
    let log = ground.log_file("web");
    assert_eq!(created.log_path, log.to_str().unwrap());
    assert!(!log.exists(), "nothing has run yet");

    ground.try_start(&id).unwrap();
    let running = ground.status(&id);
    assert_eq!(running.state, RUNNING);
    assert!(running.started_at >= running.created_at);
    let again = ground.try_start(&id).unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
    assert!(again.message().contains("runs already"), "{again}");

    // Who is asked to end sooner than it listens ends by the signal.
    ground.wait_logged("web", "up");
    ground.stop(&id, 20).unwrap();
    let ended = ground.status(&id);
    assert_eq!((ended.state, ended.exit_code), (EXITED, 0));
    assert_eq!(ended.reason, "Completed");
    assert!(ended.finished_at >= running.started_at);
    assert_eq!(ended.started_at, running.started_at);
    let again = ground.try_start(&id).unwrap_err();
    assert!(again.message().contains("has ended"), "{again}");

    ground.remove(&id).unwrap();
    assert_eq!(ground.try_status(&id).unwrap_err().code(), Code::NotFound);
    assert!(list(&ground, None).is_empty());
    assert!(log.exists(), "the log is the kubelet's");
}

#[test]
fn stops_and_removals_of_what_is_gone_or_does_not_run_succeed() {
    let ground = Ground::new();
    let created = ground.create(&idle("created"));
    ground.stop(&created, 5).unwrap();
    assert_eq!(ground.status(&created).state, CREATED);
    let ended = ground.run(&script("ended", "exit 3"));
    let status = ground.wait_end(&ended);
    assert_eq!((status.exit_code, &*status.reason), (3, "Error"));
    for _ in 0..2 {
        ground.stop(&ended, 0).unwrap();
        ground.remove(&ended).unwrap();
    }
    let running = ground.run(&idle("running"));
    for id in [&*created, &*running, "unknown"] {
        ground.remove(id).unwrap();
        ground.remove(id).unwrap();
        ground.stop(id, 1).unwrap();
    }
    let unknown = ground.try_start("unknown").unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    assert!(list(&ground, None).is_empty());
}

#[test]
fn a_container_that_ignores_its_signal_is_killed_when_the_time_is_up() {
    let ground = Ground::new();
    let stubborn = script(
        "stubborn",
        "trap '' TERM; echo up; while :; do usleep 5000; done",
    );
    let id = ground.run(&stubborn);
    ground.wait_logged("stubborn", "up");
    let begun = std::time::Instant::now();
    ground.stop(&id, 1).unwrap();
    assert!(begun.elapsed().as_millis() >= 1000);
    let ended = ground.status(&id);
    assert_eq!((ended.state, ended.exit_code), (EXITED, 137));
    // Without time it is not even asked.
    let mut again = stubborn.clone();
    again.metadata.as_mut().unwrap().attempt = 1;
    let id = ground.run(&again);
    ground.stop(&id, 0).unwrap();
    assert_eq!(ground.status(&id).exit_code, 137);
}

#[test]
fn the_signal_that_asks_a_container_to_end_is_the_requests_else_the_images() {
    let ground = Ground::of(ImageBuilder::busybox().stop_signal("SIGUSR1"), |_| ());
    let of =
        |signal: &str| format!("trap 'exit 7' {signal}; echo up; while :; do usleep 5000; done");
    let image = script("image", &of("USR1"));
    let id = ground.run(&image);
    ground.wait_logged("image", "up");
    assert_eq!(ground.status(&id).stop_signal, Signal::Sigusr1 as i32);
    ground.stop(&id, 20).unwrap();
    assert_eq!(ground.status(&id).exit_code, 7);
    let mut own = script("own", &of("USR2"));
    own.stop_signal = Signal::Sigusr2 as i32;
    let id = ground.run(&own);
    ground.wait_logged("own", "up");
    assert_eq!(ground.status(&id).stop_signal, Signal::Sigusr2 as i32);
    ground.stop(&id, 20).unwrap();
    assert_eq!(ground.status(&id).exit_code, 7);
}

#[test]
fn commands_arguments_and_variables_are_those_of_kubernetes() {
    let image = ImageBuilder::busybox()
        .entrypoint(["/bin/echo", "entry"])
        .cmd(["cmd"])
        .env("OF_IMAGE", "image")
        .workdir("/tmp");
    let ground = Ground::of(image, |sandbox| sandbox.hostname = "box".to_owned());
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let written = |name: &str, command: &[&str], arguments: &[&str]| {
        let mut config = script(name, "");
        (config.command, config.args) = (words(command), words(arguments));
        assert_eq!(ground.run_to_end(&config).exit_code, 0);
        ground.logged(name)
    };
    assert_eq!(written("neither", &[], &[]), "entry cmd");
    assert_eq!(written("arguments", &[], &["a", "b"]), "entry a b");
    assert_eq!(written("command", &["/bin/echo", "c"], &[]), "c");
    assert_eq!(written("both", &["/bin/echo", "c"], &["a"]), "c a");

    let mut config = script("env", "env; pwd");
    config.envs = vec![
        KeyValue {
            key: "OWN".to_owned(),
            value: b"a=b c".to_vec(),
        },
        KeyValue {
            key: "OF_IMAGE".to_owned(),
            value: b"request".to_vec(),
        },
    ];
    ground.run_to_end(&config);
    let logged = ground.logged("env");
    for line in ["OWN=a=b c", "OF_IMAGE=request", "HOSTNAME=box", "/tmp"] {
        assert!(logged.lines().any(|one| one == line), "{line}: {logged}");
    }
    let mut elsewhere = script("elsewhere", "pwd");
    elsewhere.working_dir = "/bin".to_owned();
    ground.run_to_end(&elsewhere);
    assert_eq!(ground.logged("elsewhere"), "/bin");
}

#[test]
fn what_can_not_be_executed_has_ended_with_the_reason_of_a_start() {
    let ground = Ground::new();
    let mut config = idle("broken");
    config.command = vec!["/no/such/program".to_owned()];
    let id = ground.create(&config);
    let failed = ground.try_start(&id).unwrap_err();
    assert!(failed.message().contains("/no/such/program"), "{failed}");
    let status = ground.status(&id);
    assert_eq!((status.state, status.exit_code), (EXITED, 128));
    assert_eq!(status.reason, "StartError");
    assert!(status.finished_at > 0);
    ground.remove(&id).unwrap();
}

#[test]
fn a_list_has_what_fits_all_of_a_filter() {
    let ground = Ground::new();
    let other = cri_sandbox::run(&ground.cri, &cri_sandbox::config("other")).unwrap();
    let labelled = |name: &str, tier: &str| {
        let mut config = idle(name);
        config.labels = BTreeMap::from([("tier".into(), tier.into()), ("of".into(), "x".into())]);
        config
    };
    let front = ground.create(&labelled("front", "front"));
    let back = ground.run(&labelled("back", "back"));
    let ids = |change: fn(&mut ContainerFilter, &str, &str), of: &str| {
        let mut filter = ContainerFilter::default();
        change(&mut filter, of, &ground.sandbox);
        let mut ids: Vec<_> = list(&ground, Some(filter))
            .into_iter()
            .map(|one| one.id)
            .collect();
        ids.sort();
        ids
    };
    let mut both = vec![front.clone(), back.clone()];
    both.sort();
    assert_eq!(list(&ground, None).len(), 2);
    assert_eq!(ids(|_, _, _| (), ""), both);
    assert_eq!(
        ids(|filter, id, _| filter.id = id.to_owned(), &front),
        [&*front]
    );
    assert_eq!(
        ids(|filter, id, _| filter.id = id.to_owned(), &front[..9]),
        [&*front]
    );
    assert_eq!(
        ids(|f, of, _| f.pod_sandbox_id = of.to_owned(), &ground.sandbox),
        both
    );
    assert_eq!(
        ids(|f, of, _| f.pod_sandbox_id = of.to_owned(), &other),
        [""; 0]
    );
    let state = |f: &mut ContainerFilter, state| f.state = Some(ContainerStateValue { state });
    assert_eq!(
        ids(
            |f, _, _| f.state = Some(ContainerStateValue { state: RUNNING }),
            ""
        ),
        [&*back]
    );
    let mut filter = ContainerFilter::default();
    state(&mut filter, CREATED);
    filter.label_selector = BTreeMap::from([("tier".into(), "back".into())]);
    assert!(list(&ground, Some(filter)).is_empty());
    let listed = list(&ground, None);
    let one = listed.iter().find(|one| one.id == back).unwrap();
    assert_eq!(one.pod_sandbox_id, ground.sandbox);
    assert_eq!(one.state, RUNNING);
    let status = ground.status(&back);
    assert_eq!(one.image_id, status.image_id);
    assert!(one.image_id.starts_with("sha256:"), "{}", one.image_id);
    assert!(one.image_ref.contains("@sha256:"), "{}", one.image_ref);
    assert_eq!(one.image.as_ref().unwrap().image, IMAGE);
}

#[test]
fn a_key_is_one_container_however_often_it_is_asked_for() {
    let ground = Ground::new();
    let config = idle("web");
    let made = ground.cri.wait(async {
        let mut calls = Vec::new();
        for _ in 0..8 {
            let mut client = ground.cri.runtime();
            let request = cri_shim::api::CreateContainerRequest {
                pod_sandbox_id: ground.sandbox.clone(),
                config: Some(config.clone()),
                sandbox_config: None,
            };
            calls.push(tokio::spawn(async move {
                client.create_container(request).await
            }));
        }
        let mut ids = Vec::new();
        for call in calls {
            ids.push(call.await.unwrap().unwrap().into_inner().container_id);
        }
        ids
    });
    assert!(made.iter().all(|id| *id == made[0]), "{made:?}");
    let mut next = config.clone();
    next.metadata.as_mut().unwrap().attempt = 1;
    assert_ne!(ground.create(&next), made[0]);
    assert_eq!(list(&ground, None).len(), 2);
    ground.try_start(&made[0]).unwrap();
    assert_eq!(ground.create(&config), made[0]);
}

#[test]
fn an_image_is_called_by_its_id_and_judged_by_the_name_that_the_user_wrote() {
    let ground = Ground::new();
    let id = ground.status(&ground.create(&idle("first"))).image_id;
    let mut config = idle("second");
    let image = config.image.as_mut().unwrap();
    image.image.clone_from(&id);
    image.user_specified_image = IMAGE.to_owned();
    let status = ground.status(&ground.run(&config));
    assert_eq!(status.image_id, id);
    let image = status.image.unwrap();
    assert_eq!(
        (&*image.image, &*image.user_specified_image),
        (IMAGE, IMAGE)
    );
    let listed = list(&ground, None);
    for container in listed {
        assert_eq!(container.image.unwrap().image, IMAGE);
        assert_eq!(container.image_id, id);
    }
    let mut missing = idle("third");
    missing.image.as_mut().unwrap().image = format!("sha256:{}", "1".repeat(64));
    let refused = ground.try_create(&missing).unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[test]
fn what_the_policy_refuses_is_not_made_and_not_started_and_the_message_helps() {
    let ground = Ground::new();
    let id = ground.create(&idle("web"));
    std::fs::remove_dir_all(ground.host.local_config().join("trust.d")).unwrap();
    for refused in [
        ground.try_start(&id).unwrap_err(),
        ground.try_create(&idle("other")).unwrap_err(),
    ] {
        let message = refused.message();
        assert!(message.contains("is not trusted"), "{message}");
        assert!(message.contains("fairing trust allow"), "{message}");
        assert!(!message.contains("fairing run"), "{message}");
    }
    let status = ground.status(&id);
    assert_eq!((status.state, &*status.reason), (EXITED, "StartError"));
    ground.host.accept_unsigned();
    ground.run(&idle("again"));
}

#[test]
fn a_shim_that_was_killed_gives_the_same_answers() {
    let mut ground = Ground::new();
    let created = ground.create(&idle("created"));
    let running = ground.run(&idle("running"));
    let ended = ground.run(&script("ended", "exit 5"));
    ground.wait_end(&ended);
    let ids = [created, running, ended];
    let before: Vec<_> = ids.iter().map(|id| ground.status(id)).collect();
    ground.cri.restart();
    let after: Vec<_> = ids.iter().map(|id| ground.status(id)).collect();
    assert_eq!(before, after);
}

#[test]
fn with_its_monitor_a_container_is_lost() {
    let ground = Ground::new();
    let created = ground.create(&idle("created"));
    let running = ground.run(&idle("running"));
    for monitor in ground.host.processes_named("stage1-nspawn") {
        monitor.kill();
    }
    let status = ground.wait_end(&running);
    assert_eq!((status.exit_code, &*status.reason), (255, "Unknown"));
    assert!(status.finished_at > 0);
    assert_eq!(ground.status(&created).state, CREATED);
    let refused = ground.try_start(&created).unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    ground.stop(&running, 1).unwrap();
    cri_sandbox::stop(&ground.cri, &ground.sandbox).unwrap();
    let late = ground.try_create(&idle("late")).unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition, "{late}");
    cri_sandbox::remove(&ground.cri, &ground.sandbox).unwrap();
    assert_eq!(
        ground.try_status(&running).unwrap_err().code(),
        Code::NotFound
    );
}

#[test]
fn containers_of_one_sandbox_share_its_host_name_and_not_their_files() {
    let ground = Ground::of(ImageBuilder::busybox(), |sandbox| {
        sandbox.hostname = "shared".to_owned();
    });
    ground.run_to_end(&script("one", "hostname; touch /of-one"));
    ground.run_to_end(&script(
        "two",
        "hostname; ls /of-one 2>/dev/null || echo none",
    ));
    assert_eq!(ground.logged("one"), "shared");
    assert_eq!(ground.logged("two"), "shared\nnone");
    let mut config = idle("user");
    security(&mut config).run_as_username = "app".to_owned();
    let status = ground.status(&ground.create(&config));
    let user = status.user.unwrap().linux.unwrap();
    assert_eq!((user.uid, user.gid), (1000, 1000));
    assert_eq!(user.supplemental_groups, [1000, 50]);
}
