//! Requests for containers that mean no good, or nothing.

use cri_shim::api::{
    ContainerConfig, CreateContainerRequest, KeyValue, ListContainersRequest, Mount,
};
use tonic::Code;

use crate::cri_containers::{Ground, idle};
use crate::cri_sandbox;

/// That it is refused, in time, and nothing of it stays.
#[track_caller]
fn refused(ground: &Ground, change: impl FnOnce(&mut ContainerConfig)) -> String {
    let mut config = idle("hostile");
    change(&mut config);
    let refused = ground.try_create(&config).unwrap_err();
    let all = ListContainersRequest { filter: None };
    let listed = ground.cri.call(ground.cri.runtime().list_containers(all));
    assert!(listed.unwrap().containers.is_empty());
    refused.message().to_owned()
}

#[test]
fn what_is_missing_is_told_by_its_field() {
    let ground = Ground::new();
    let empty = CreateContainerRequest::default();
    let nothing = ground
        .cri
        .call(ground.cri.runtime().create_container(empty));
    assert!(nothing.unwrap_err().message().starts_with("config: "));
    assert!(refused(&ground, |config| config.metadata = None).starts_with("config.metadata: "));
    let unnamed = refused(&ground, |c| c.metadata.as_mut().unwrap().name.clear());
    assert!(unnamed.starts_with("config.metadata.name: "), "{unnamed}");
    assert!(refused(&ground, |c| c.image = None).starts_with("config.image.image: "));
    let elsewhere = CreateContainerRequest {
        pod_sandbox_id: "unknown".to_owned(),
        config: Some(idle("web")),
        sandbox_config: None,
    };
    let elsewhere = ground
        .cri
        .call(ground.cri.runtime().create_container(elsewhere));
    assert_eq!(elsewhere.unwrap_err().code(), Code::NotFound);
}

#[test]
fn what_is_too_much_is_refused_and_the_shim_goes_on() {
    let ground = Ground::new();
    refused(&ground, |config| {
        config.envs = vec![KeyValue {
            key: "BIG".to_owned(),
            value: vec![b'x'; 12 << 20],
        }];
    });
    refused(&ground, |config| {
        config.mounts = (0..5000)
            .map(|number| Mount {
                container_path: format!("/m{number}"),
                host_path: "/tmp".to_owned(),
                ..Mount::default()
            })
            .collect();
    });
    refused(&ground, |config| config.working_dir = "/x".repeat(5000));
    refused(&ground, |config| config.log_path = "x".repeat(5000));
    ground.run(&idle("web"));
}

#[test]
fn words_that_no_program_takes_are_refused() {
    let ground = Ground::new();
    let zero = refused(&ground, |config| config.args = vec!["a\0b".to_owned()]);
    assert!(zero.starts_with("config.args: "), "{zero}");
    for key in ["", "A=B", "A\0"] {
        let bad = refused(&ground, |config| {
            config.envs = vec![KeyValue {
                key: key.to_owned(),
                value: Vec::new(),
            }];
        });
        assert!(bad.starts_with("config.envs: "), "{bad}");
    }
    let binary = refused(&ground, |config| {
        config.envs = vec![KeyValue {
            key: "A".to_owned(),
            value: vec![0xff],
        }];
    });
    assert!(binary.contains("no UTF-8"), "{binary}");
    assert!(refused(&ground, |config| config.stop_signal = 99).contains("stop_signal"));
}

#[test]
fn what_means_nothing_keeps_no_container_from_running() {
    let ground = Ground::new();
    let text = "echo <$LISTEN_FDS> $OTHER; read line || echo none";
    let text = text.replace('<', "'<'").replace('>', "'>'");
    let said = ground.said("web", &text, |config| {
        config.stdin_once = true;
        let pairs = [("LISTEN_FDS", "3"), ("OTHER", "given")].into_iter();
        config.envs = pairs
            .map(|(key, value)| KeyValue {
                key: key.to_owned(),
                value: value.into(),
            })
            .collect();
    });
    assert_eq!(said, "<> given\nnone");
}

#[test]
fn containers_of_a_sandbox_that_has_ended_are_removed_one_by_one() {
    let ground = Ground::new();
    let created = ground.create(&idle("created"));
    let running = ground.run(&idle("running"));
    cri_sandbox::stop(&ground.cri, &ground.sandbox).unwrap();
    for id in [&created, &running] {
        ground.remove(id).unwrap();
        ground.remove(id).unwrap();
        assert_eq!(ground.try_status(id).unwrap_err().code(), Code::NotFound);
    }
}
