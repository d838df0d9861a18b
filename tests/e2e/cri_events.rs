//! Events over the CRI.

use std::time::Duration;

use cri_shim::api::runtime_service_client::RuntimeServiceClient;
use cri_shim::api::{ContainerEventResponse, ContainerEventType, GetEventsRequest};
use harness::{Cri, Host};
use tonic::codec::Streaming;
use tonic::transport::{Channel, Endpoint};

use crate::cri_containers::{EXITED, Ground, SOON, idle, script};
use crate::cri_sandbox::{config, host, remove, run, stop};

const CREATED: ContainerEventType = ContainerEventType::ContainerCreatedEvent;
const STARTED: ContainerEventType = ContainerEventType::ContainerStartedEvent;
const STOPPED: ContainerEventType = ContainerEventType::ContainerStoppedEvent;
const DELETED: ContainerEventType = ContainerEventType::ContainerDeletedEvent;

type Events = Streaming<ContainerEventResponse>;

fn watch(cri: &Cri) -> Events {
    let request = GetEventsRequest {};
    cri.call(cri.runtime().get_container_events(request))
        .unwrap()
}

/// The next event, which is of this kind and about this.
#[track_caller]
fn expect(
    cri: &Cri,
    events: &mut Events,
    id: &str,
    kind: ContainerEventType,
) -> ContainerEventResponse {
    let next = cri.wait(async { tokio::time::timeout(SOON, events.message()).await });
    let event = next.expect("an event in time").unwrap().expect("an event");
    assert_eq!(
        (&*event.container_id, event.container_event_type()),
        (id, kind)
    );
    assert!(event.created_at > 0);
    event
}

#[test]
fn a_sandbox_is_made_started_stopped_and_removed() {
    let host = host();
    let cri = Cri::start(&host);
    let mut events = watch(&cri);
    let id = run(&cri, &config("one")).unwrap();
    expect(&cri, &mut events, &id, CREATED);
    let started = expect(&cri, &mut events, &id, STARTED);
    let sandbox = started.pod_sandbox_status.unwrap();
    assert_eq!(sandbox.metadata, config("one").metadata);
    stop(&cri, &id).unwrap();
    let stopped = expect(&cri, &mut events, &id, STOPPED);
    assert_eq!(stopped.pod_sandbox_status.unwrap().state, 1);
    remove(&cri, &id).unwrap();
    let deleted = expect(&cri, &mut events, &id, DELETED);
    // As it was at last: kubelets take from it whose the event is.
    let sandbox = deleted.pod_sandbox_status.unwrap();
    assert_eq!(sandbox.metadata, config("one").metadata);
    assert_eq!((&*sandbox.id, sandbox.state), (&*id, 1));
}

#[test]
fn containers_are_told_of_with_their_sandbox() {
    let ground = Ground::new();
    let cri = &ground.cri;
    let mut events = watch(cri);
    let id = ground.create(&idle("a"));
    expect(cri, &mut events, &id, CREATED);
    ground.try_start(&id).unwrap();
    let started = expect(cri, &mut events, &id, STARTED);
    assert_eq!(started.pod_sandbox_status.unwrap().id, ground.sandbox);
    assert_eq!(started.containers_statuses.len(), 1);
    ground.stop(&id, 0).unwrap();
    let stopped = expect(cri, &mut events, &id, STOPPED);
    assert_eq!(stopped.containers_statuses[0].state, EXITED);
    ground.remove(&id).unwrap();
    let deleted = expect(cri, &mut events, &id, DELETED);
    assert_eq!(deleted.pod_sandbox_status.unwrap().id, ground.sandbox);
    assert!(deleted.containers_statuses.is_empty());
    // One that ends by itself.
    let id = ground.create(&script("b", "exit 3"));
    expect(cri, &mut events, &id, CREATED);
    ground.try_start(&id).unwrap();
    expect(cri, &mut events, &id, STARTED);
    let stopped = expect(cri, &mut events, &id, STOPPED);
    assert_eq!(stopped.containers_statuses[0].exit_code, 3);
}

#[test]
fn a_monitor_that_is_killed_is_told_of() {
    let host = host();
    let cri = Cri::start(&host);
    let id = run(&cri, &config("one")).unwrap();
    let mut events = watch(&cri);
    for monitor in host.processes_named("stage1-nspawn") {
        monitor.kill();
    }
    expect(&cri, &mut events, &id, STOPPED);
}

#[test]
fn a_shim_that_is_asked_to_end_waits_for_nobody_who_watches() {
    let host = host();
    let mut cri = Cri::start(&host);
    let id = run(&cri, &config("one")).unwrap();
    let _events = watch(&cri);
    assert!(cri.terminate(Duration::from_secs(10)).success());
    cri.restart();
    let mut events = watch(&cri);
    remove(&cri, &id).unwrap();
    expect(&cri, &mut events, &id, STOPPED);
    expect(&cri, &mut events, &id, DELETED);
}

#[test]
fn who_comes_later_is_told_what_happens_then() {
    let host = host();
    let cri = Cri::start(&host);
    let mut first = watch(&cri);
    let one = run(&cri, &config("one")).unwrap();
    expect(&cri, &mut first, &one, CREATED);
    expect(&cri, &mut first, &one, STARTED);
    let mut second = watch(&cri);
    stop(&cri, &one).unwrap();
    for events in [&mut first, &mut second] {
        expect(&cri, events, &one, STOPPED);
    }
    // Another one begins when all have gone.
    drop((first, second));
    let mut third = watch(&cri);
    remove(&cri, &one).unwrap();
    expect(&cri, &mut third, &one, DELETED);
}

fn connect(cri: &Cri, host: &Host) -> RuntimeServiceClient<Channel> {
    let socket = host.run_dir().join("cri.sock");
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).unwrap();
    RuntimeServiceClient::new(cri.wait(endpoint.connect()).unwrap())
}

/// Resident memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let mut words = line.unwrap().split_whitespace();
    words.nth(1).unwrap().parse().unwrap()
}

#[test]
fn watchers_that_never_read_keep_nobody_waiting() {
    let host = host();
    let cri = Cri::start(&host);
    let mut silent = Vec::new();
    for _ in 0..5 {
        let client = connect(&cri, &host);
        for _ in 0..100 {
            let request = GetEventsRequest {};
            let mut client = client.clone();
            silent.push(cri.call(client.get_container_events(request)).unwrap());
        }
    }
    let before = resident(cri.pid());
    let mut events = watch(&cri);
    // Each event tells of all that a sandbox was made with.
    let large = |number: usize| {
        let mut config = config(&format!("pod-{number}"));
        let annotation = "x".repeat(64 << 10);
        config.annotations.insert("large".to_owned(), annotation);
        config
    };
    for number in 0..5 {
        let id = run(&cri, &large(number)).unwrap();
        expect(&cri, &mut events, &id, CREATED);
        expect(&cri, &mut events, &id, STARTED);
        stop(&cri, &id).unwrap();
        expect(&cri, &mut events, &id, STOPPED);
        remove(&cri, &id).unwrap();
        expect(&cri, &mut events, &id, DELETED);
    }
    let grown = resident(cri.pid()).saturating_sub(before);
    // A watcher that never reads holds one event at most.
    assert!(grown < 80 << 10, "{grown} KiB more");
    assert_eq!(silent.len(), 500);
}
