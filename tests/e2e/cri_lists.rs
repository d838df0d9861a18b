//! Lists that come in parts, and what is told of a sandbox with its containers.

use std::collections::BTreeSet;

use cri_shim::api::{
    ContainerFilter, ContainerStatusRequest, ListContainersRequest, ListImagesRequest,
    ListPodSandboxRequest, PodSandboxFilter, PodSandboxStatusRequest, PodSandboxStatusResponse,
    StatusRequest, StreamContainerStatsRequest, StreamContainersRequest, StreamImagesRequest,
    StreamPodSandboxMetricsRequest, StreamPodSandboxStatsRequest, StreamPodSandboxesRequest,
};
use serde_json::Value;
use tonic::Code;
use tonic::codec::Streaming;

use crate::cri_containers::{CREATED, EXITED, Ground, RUNNING, idle, script};
use crate::cri_sandbox;

/// More than there are in one part of a list.
const MANY: u32 = 70;

/// All parts of a list, to its end.
fn parts<T>(ground: &Ground, mut stream: Streaming<T>) -> Vec<T> {
    ground.cri.wait(async {
        let mut parts = Vec::new();
        while let Some(part) = stream.message().await.unwrap() {
            parts.push(part);
        }
        parts
    })
}

fn sandbox_status(ground: &Ground) -> PodSandboxStatusResponse {
    let request = PodSandboxStatusRequest {
        pod_sandbox_id: ground.sandbox.clone(),
        verbose: false,
    };
    let told = ground
        .cri
        .call(ground.cri.runtime().pod_sandbox_status(request));
    told.unwrap()
}

#[test]
fn lists_that_come_in_parts_have_what_whole_ones_have_each_once() {
    let ground = Ground::new();
    let cri = &ground.cri;
    for attempt in 0..MANY {
        let mut config = idle("many");
        config.metadata.as_mut().unwrap().attempt = attempt;
        ground.create(&config);
    }
    let running = ground.run(&idle("running"));
    let other = cri_sandbox::run(cri, &cri_sandbox::config("other")).unwrap();
    for filter in [
        None,
        Some(ContainerFilter {
            id: running.clone(),
            ..ContainerFilter::default()
        }),
    ] {
        let request = StreamContainersRequest {
            filter: filter.clone(),
        };
        let streamed = cri.call(cri.runtime().stream_containers(request)).unwrap();
        let streamed = parts(&ground, streamed);
        assert_eq!(streamed.len(), if filter.is_none() { 2 } else { 1 });
        let streamed: Vec<_> = streamed
            .into_iter()
            .flat_map(|part| part.containers)
            .collect();
        let whole = cri.call(
            cri.runtime()
                .list_containers(ListContainersRequest { filter }),
        );
        assert_eq!(streamed, whole.unwrap().containers);
    }
    for filter in [
        None,
        Some(PodSandboxFilter {
            id: other.clone(),
            ..PodSandboxFilter::default()
        }),
    ] {
        let request = StreamPodSandboxesRequest {
            filter: filter.clone(),
        };
        let streamed = cri
            .call(cri.runtime().stream_pod_sandboxes(request))
            .unwrap();
        let streamed = parts(&ground, streamed).into_iter();
        let streamed: Vec<_> = streamed.flat_map(|part| part.pod_sandboxes).collect();
        assert_eq!(streamed.len(), if filter.is_none() { 2 } else { 1 });
        let whole = cri.call(
            cri.runtime()
                .list_pod_sandbox(ListPodSandboxRequest { filter }),
        );
        assert_eq!(streamed, whole.unwrap().items);
    }
    let request = StreamImagesRequest { filter: None };
    let streamed = cri.call(cri.images().stream_images(request)).unwrap();
    let streamed = parts(&ground, streamed).into_iter();
    let streamed: Vec<_> = streamed.flat_map(|part| part.images).collect();
    let whole = cri.call(cri.images().list_images(ListImagesRequest { filter: None }));
    assert_eq!(streamed, whole.unwrap().images);
    assert_eq!(streamed.len(), 1);
    // One that fits nothing has no parts, and an end.
    let nothing = StreamContainersRequest {
        filter: Some(ContainerFilter {
            id: "unknown".to_owned(),
            ..ContainerFilter::default()
        }),
    };
    let streamed = cri.call(cri.runtime().stream_containers(nothing)).unwrap();
    assert!(parts(&ground, streamed).is_empty());
}

#[test]
fn numbers_come_in_parts_too() {
    let ground = Ground::new();
    let cri = &ground.cri;
    let id = ground.run(&idle("running"));
    let request = StreamContainerStatsRequest { filter: None };
    let streamed = cri
        .call(cri.runtime().stream_container_stats(request))
        .unwrap();
    let streamed = parts(&ground, streamed).into_iter();
    let ids: Vec<_> = streamed
        .flat_map(|part| part.container_stats)
        .map(|one| one.attributes.unwrap().id)
        .collect();
    assert_eq!(ids, [id]);
    let request = StreamPodSandboxStatsRequest { filter: None };
    let streamed = cri
        .call(cri.runtime().stream_pod_sandbox_stats(request))
        .unwrap();
    let streamed = parts(&ground, streamed).into_iter();
    let ids: Vec<_> = streamed
        .flat_map(|part| part.pod_sandbox_stats)
        .map(|one| one.attributes.unwrap().id)
        .collect();
    assert_eq!(ids, [&*ground.sandbox]);
    let request = StreamPodSandboxMetricsRequest {};
    let streamed = cri
        .call(cri.runtime().stream_pod_sandbox_metrics(request))
        .unwrap();
    let streamed = parts(&ground, streamed).into_iter();
    let ids: Vec<_> = streamed
        .flat_map(|part| part.pod_sandbox_metrics)
        .map(|one| one.pod_sandbox_id)
        .collect();
    assert_eq!(ids, [&*ground.sandbox]);
}

#[test]
fn the_status_of_a_sandbox_tells_of_its_containers_and_when_that_was() {
    let ground = Ground::new();
    let empty = sandbox_status(&ground);
    assert!(empty.containers_statuses.is_empty() && empty.timestamp > 0);
    let created = ground.create(&idle("created"));
    let running = ground.run(&idle("running"));
    let ended = ground.run(&script("ended", "exit 3"));
    ground.wait_end(&ended);
    let told = sandbox_status(&ground);
    assert!(told.timestamp > empty.timestamp);
    let states: BTreeSet<_> = told
        .containers_statuses
        .iter()
        .map(|one| (one.id.clone(), one.state))
        .collect();
    let expected = [
        (created, CREATED),
        (running, RUNNING),
        (ended.clone(), EXITED),
    ];
    assert_eq!(states, BTreeSet::from(expected));
    for one in &told.containers_statuses {
        assert_eq!(*one, ground.status(&one.id));
    }
    // Those of a sandbox that has ended are known, too.
    cri_sandbox::stop(&ground.cri, &ground.sandbox).unwrap();
    let told = sandbox_status(&ground);
    assert_eq!(told.containers_statuses.len(), 3);
    ground.remove(&ended).unwrap();
    assert_eq!(sandbox_status(&ground).containers_statuses.len(), 2);
    cri_sandbox::remove(&ground.cri, &ground.sandbox).unwrap();
    assert_eq!(
        ground.try_status(&ended).unwrap_err().code(),
        Code::NotFound
    );
}

#[test]
fn tools_that_ask_for_more_are_told_the_process_and_the_settings() {
    let ground = Ground::new();
    let id = ground.run(&idle("web"));
    let request = ContainerStatusRequest {
        container_id: id.clone(),
        verbose: true,
    };
    let told = ground
        .cri
        .call(ground.cri.runtime().container_status(request));
    let info: Value = serde_json::from_str(&told.unwrap().info["info"]).unwrap();
    assert_eq!(info["sandboxID"], *ground.sandbox);
    let pid = info["pid"].as_u64().unwrap();
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(command.starts_with(b"/bin/sh\0-c\0"), "{command:?}");
    // Its network is that of this process.
    let request = PodSandboxStatusRequest {
        pod_sandbox_id: ground.sandbox.clone(),
        verbose: true,
    };
    let told = ground
        .cri
        .call(ground.cri.runtime().pod_sandbox_status(request));
    let info: Value = serde_json::from_str(&told.unwrap().info["info"]).unwrap();
    let init = info["pid"].as_u64().unwrap();
    let namespace = |pid| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    assert_eq!(namespace(init), namespace(pid));
    assert!(info["pod"]["uuid"].is_string());
    let request = StatusRequest { verbose: true };
    let told = ground
        .cri
        .call(ground.cri.runtime().status(request))
        .unwrap();
    let config: Value = serde_json::from_str(&told.info["config"]).unwrap();
    assert_eq!(config["data"], *ground.host.data_dir().to_str().unwrap());
}
