//! What sandboxes and containers use, over the CRI and for Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use cri_shim::api::{
    ContainerStats, ContainerStatsFilter, ContainerStatsRequest, ListContainerStatsRequest,
    ListMetricDescriptorsRequest, ListPodSandboxMetricsRequest, ListPodSandboxStatsRequest,
    PodSandboxStats, PodSandboxStatsFilter, PodSandboxStatsRequest, StreamContainerStatsRequest,
    StreamPodSandboxMetricsRequest, StreamPodSandboxStatsRequest,
};
use harness::{Cri, wait_until};
use tonic::Code;

use crate::cri_containers::{Ground, SOON, idle, script};
use crate::cri_sandbox::{self, config, host, run};

fn of_sandbox(cri: &Cri, id: &str) -> PodSandboxStats {
    let request = PodSandboxStatsRequest {
        pod_sandbox_id: id.to_owned(),
    };
    let told = cri.call(cri.runtime().pod_sandbox_stats(request));
    told.unwrap().stats.expect("numbers")
}

fn of_sandboxes(cri: &Cri, filter: Option<PodSandboxStatsFilter>) -> Vec<PodSandboxStats> {
    let request = ListPodSandboxStatsRequest { filter };
    let told = cri.call(cri.runtime().list_pod_sandbox_stats(request));
    told.unwrap().stats
}

fn of_container(ground: &Ground, id: &str) -> ContainerStats {
    let request = ContainerStatsRequest {
        container_id: id.to_owned(),
    };
    let told = ground
        .cri
        .call(ground.cri.runtime().container_stats(request));
    told.unwrap().stats.expect("numbers")
}

fn of_containers(ground: &Ground, filter: Option<ContainerStatsFilter>) -> Vec<ContainerStats> {
    let request = ListContainerStatsRequest { filter };
    let cri = &ground.cri;
    let told = cri.call(cri.runtime().list_container_stats(request));
    told.unwrap().stats
}

fn ids(stats: &[ContainerStats]) -> BTreeSet<&str> {
    let ids = stats
        .iter()
        .map(|one| &*one.attributes.as_ref().unwrap().id);
    ids.collect()
}

#[test]
fn a_container_that_runs_has_numbers() {
    let ground = Ground::new();
    let mut wanted = script(
        "busy",
        "head -c 100000 /dev/zero > /written; exec sleep 1000",
    );
    wanted.labels = BTreeMap::from([("tier".to_owned(), "front".to_owned())]);
    let id = ground.run(&wanted);
    let stats = wait_until("what it has written is counted", SOON, || {
        let stats = of_container(&ground, &id);
        let written = stats.writable_layer.as_ref()?.used_bytes.as_ref()?;
        (written.value >= 100_000).then_some(stats)
    });
    let attributes = stats.attributes.unwrap();
    assert_eq!(
        (attributes.id, attributes.labels),
        (id.clone(), wanted.labels)
    );
    assert_eq!(attributes.metadata, wanted.metadata);
    let (cpu, memory) = (stats.cpu.unwrap(), stats.memory.unwrap());
    assert!(cpu.timestamp > 0 && memory.timestamp > 0);
    assert!(cpu.usage_core_nano_seconds.unwrap().value > 0);
    assert!(memory.working_set_bytes.unwrap().value > 0);
    let layer = stats.writable_layer.unwrap();
    assert!(layer.timestamp > 0 && layer.inodes_used.unwrap().value >= 1);
    // Kubelets look at this path whenever they want to know of the file system: also when the container has gone.
    let place = layer.fs_id.unwrap().mountpoint;
    assert_eq!(
        place,
        ground.host.data_dir().join("pods").display().to_string()
    );
    ground.stop(&id, 0).unwrap();
    let ended = of_container(&ground, &id);
    assert_eq!(
        ended.writable_layer.unwrap().fs_id.unwrap().mountpoint,
        place
    );
    ground.remove(&id).unwrap();
    assert!(std::path::Path::new(&place).is_dir());
}

#[test]
fn a_rate_takes_two_questions() {
    let ground = Ground::new();
    let id = ground.run(&idle("a"));
    assert_eq!(
        of_container(&ground, &id).cpu.unwrap().usage_nano_cores,
        None
    );
    wait_until("its rate is known", SOON, || {
        of_container(&ground, &id).cpu?.usage_nano_cores
    });
}

#[test]
fn lists_have_what_runs_and_fits() {
    let ground = Ground::new();
    let mut first = idle("a");
    first.labels = BTreeMap::from([("tier".to_owned(), "front".to_owned())]);
    let a = ground.run(&first);
    let b = ground.run(&idle("b"));
    let created = ground.create(&idle("c"));
    let ended = ground.run(&script("d", "exit 0"));
    ground.wait_end(&ended);
    let all = of_containers(&ground, None);
    assert_eq!(ids(&all), BTreeSet::from([&*a, &*b]));
    assert!(
        all.iter()
            .all(|one| one.cpu.is_some() && one.memory.is_some())
    );
    let of = |filter| of_containers(&ground, Some(filter));
    let by_id = of(ContainerStatsFilter {
        id: a[..12].to_owned(),
        ..ContainerStatsFilter::default()
    });
    assert_eq!(ids(&by_id), BTreeSet::from([&*a]));
    let by_label = of(ContainerStatsFilter {
        label_selector: first.labels.clone(),
        ..ContainerStatsFilter::default()
    });
    assert_eq!(ids(&by_label), BTreeSet::from([&*a]));
    let elsewhere = of(ContainerStatsFilter {
        pod_sandbox_id: "0".repeat(32),
        ..ContainerStatsFilter::default()
    });
    assert!(elsewhere.is_empty());
    let cri = &ground.cri;
    let request = StreamContainerStatsRequest { filter: None };
    let mut stream = cri
        .call(cri.runtime().stream_container_stats(request))
        .unwrap();
    let mut streamed = Vec::new();
    while let Some(part) = cri.wait(stream.message()).unwrap() {
        streamed.extend(part.container_stats);
    }
    assert_eq!(ids(&streamed), ids(&all));
    // One that doesn't run is told of to who asks for it, as far as there is anything.
    let stats = of_container(&ground, &created);
    assert!(stats.cpu.is_none() && stats.writable_layer.is_some());
    let unknown = ContainerStatsRequest {
        container_id: "0".repeat(64),
    };
    let error = cri
        .call(cri.runtime().container_stats(unknown))
        .unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
}

#[test]
fn a_sandbox_has_numbers_of_its_own_and_of_its_containers() {
    let ground = Ground::new();
    let id = ground.run(&idle("a"));
    let stats = of_sandbox(&ground.cri, &ground.sandbox);
    let attributes = stats.attributes.unwrap();
    assert_eq!(attributes.id, ground.sandbox);
    assert_eq!(attributes.metadata, ground.config.metadata);
    let linux = stats.linux.unwrap();
    assert!(linux.cpu.unwrap().timestamp > 0);
    assert!(linux.memory.unwrap().working_set_bytes.unwrap().value > 0);
    assert!(linux.process.unwrap().process_count.unwrap().value >= 1);
    assert_eq!(ids(&linux.containers), BTreeSet::from([&*id]));
}

#[test]
fn sandboxes_are_listed_while_they_are_up() {
    let host = host();
    let cri = Cri::start(&host);
    let mut labelled = config("one");
    labelled.labels = BTreeMap::from([("tier".to_owned(), "front".to_owned())]);
    let one = run(&cri, &labelled).unwrap();
    let other = run(&cri, &config("other")).unwrap();
    let ids = |filter| -> BTreeSet<String> {
        let all = of_sandboxes(&cri, filter).into_iter();
        all.map(|stats| stats.attributes.unwrap().id).collect()
    };
    assert_eq!(ids(None), BTreeSet::from([one.clone(), other.clone()]));
    let by_label = PodSandboxStatsFilter {
        label_selector: labelled.labels.clone(),
        ..PodSandboxStatsFilter::default()
    };
    assert_eq!(ids(Some(by_label)), BTreeSet::from([one.clone()]));
    let by_id = PodSandboxStatsFilter {
        id: other.clone(),
        ..PodSandboxStatsFilter::default()
    };
    assert_eq!(ids(Some(by_id)), BTreeSet::from([other.clone()]));
    cri_sandbox::stop(&cri, &other).unwrap();
    assert_eq!(ids(None), BTreeSet::from([one.clone()]));
    let request = StreamPodSandboxStatsRequest { filter: None };
    let mut stream = cri
        .call(cri.runtime().stream_pod_sandbox_stats(request))
        .unwrap();
    let part = cri.wait(stream.message()).unwrap().unwrap();
    assert_eq!(part.pod_sandbox_stats.len(), 1);
    assert!(cri.wait(stream.message()).unwrap().is_none());
    let unknown = PodSandboxStatsRequest {
        pod_sandbox_id: "0".repeat(32),
    };
    let error = cri
        .call(cri.runtime().pod_sandbox_stats(unknown))
        .unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
}

#[test]
fn metrics_have_the_labels_that_their_descriptors_name() {
    let ground = Ground::new();
    let id = ground.run(&idle("a"));
    let cri = &ground.cri;
    let request = ListMetricDescriptorsRequest {};
    let described = cri.call(cri.runtime().list_metric_descriptors(request));
    let described = described.unwrap().descriptors;
    let labels: BTreeMap<_, _> = described
        .iter()
        .map(|one| (&*one.name, &one.label_keys))
        .collect();
    assert_eq!(labels.len(), described.len());
    for descriptor in &described {
        assert!(!descriptor.help.is_empty() && !descriptor.label_keys.is_empty());
    }
    let request = ListPodSandboxMetricsRequest {};
    let listed = cri.call(cri.runtime().list_pod_sandbox_metrics(request));
    let mut listed = listed.unwrap().pod_metrics;
    assert_eq!(listed.len(), 1);
    let pod = listed.remove(0);
    assert_eq!(pod.pod_sandbox_id, ground.sandbox);
    assert_eq!(pod.container_metrics.len(), 1);
    let container = &pod.container_metrics[0];
    assert_eq!(container.container_id, id);
    for metric in pod.metrics.iter().chain(&container.metrics) {
        let keys = labels.get(&*metric.name).expect("a descriptor");
        assert_eq!(keys.len(), metric.label_values.len(), "{}", metric.name);
        assert!(metric.timestamp > 0 && metric.value.is_some());
        let of = |key| {
            let at = keys.iter().position(|own| own == key).unwrap();
            &*metric.label_values[at]
        };
        assert_eq!((of("pod"), of("namespace")), ("box", "default"));
    }
    let request = StreamPodSandboxMetricsRequest {};
    let mut stream = cri
        .call(cri.runtime().stream_pod_sandbox_metrics(request))
        .unwrap();
    let part = cri.wait(stream.message()).unwrap().unwrap();
    assert_eq!(part.pod_sandbox_metrics.len(), 1);
}

/// The answer to a request over HTTP.
fn ask(port: u16, request: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn prometheus_is_served_where_the_configuration_says() {
    let host = host();
    // Free now; nobody else asks for this very one.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let settings = format!("[cri]\nnetwork = \"none\"\nmetrics-address = \"127.0.0.1:{port}\"\n");
    host.write("etc/config.toml", settings);
    let cri = Cri::start(&host);
    let id = run(&cri, &config("web")).unwrap();
    // Clients that say nothing keep nobody waiting.
    let _silent: Vec<_> = (0..4)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    let answer = ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let line = answer
        .lines()
        .find(|line| line.starts_with("container_memory_working_set_bytes{"))
        .expect("a line");
    for part in [format!("id=\"{id}\""), "pod=\"web\"".to_owned()] {
        assert!(line.contains(&part), "{line}");
    }
    assert!(ask(port, "GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(ask(port, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400"));
}
