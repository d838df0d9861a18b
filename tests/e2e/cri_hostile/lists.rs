//! Lists, statistics and settings, asked for by nonsense.

use std::collections::BTreeMap;
use std::fs;

use cri_shim::api::*;
use harness::wait_until;
use tonic::Code;

use super::{MANY, Victim, ids, long, shown};
use crate::cri_containers::{EXITED, RUNNING, SOON, idle};
use crate::cri_sandbox::{config, run};

/// Labels that nothing has.
fn selectors() -> Vec<BTreeMap<String, String>> {
    let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    vec![
        one("", ""),
        one("\0", "\0"),
        one("../..", "*"),
        one(&long(), &long()),
        (0..MANY)
            .map(|number| (format!("key{number}"), "x".to_owned()))
            .collect(),
    ]
}

/// What all parts of a stream hold together.
macro_rules! streamed {
    ($victim:expr, $method:ident, $items:ident, $request:expr) => {{
        let mut client = $victim.cri.runtime();
        let begun = $victim.answer(stringify!($method), client.$method($request));
        let mut stream = begun.unwrap();
        let mut count = 0;
        while let Some(part) = $victim.cri.wait(stream.message()).unwrap() {
            count += part.$items.len();
        }
        count
    }};
}

/// What a list holds.
macro_rules! listed {
    ($victim:expr, $method:ident, $items:ident, $request:expr) => {{
        let mut client = $victim.cri.runtime();
        let listed = $victim.answer(stringify!($method), client.$method($request));
        listed.unwrap().$items.len()
    }};
}

#[test]
fn filters_that_fit_nothing_find_nothing() {
    let victim = Victim::new();
    run(&victim.cri, &config("web")).unwrap();
    let by_id = ids().into_iter().map(|id| (id, BTreeMap::new()));
    let by_label = selectors()
        .into_iter()
        .map(|labels| (String::new(), labels));
    for (id, label_selector) in by_id.chain(by_label) {
        let what = shown(&id);
        let filter = Some(PodSandboxStatsFilter {
            id: id.clone(),
            label_selector: label_selector.clone(),
        });
        let request = ListPodSandboxStatsRequest {
            filter: filter.clone(),
        };
        let found = listed!(victim, list_pod_sandbox_stats, stats, request);
        let request = StreamPodSandboxStatsRequest { filter };
        let streamed = streamed!(victim, stream_pod_sandbox_stats, pod_sandbox_stats, request);
        assert_eq!((found, streamed), (0, 0), "{what}");
        for (id, pod_sandbox_id) in [(id.clone(), String::new()), (String::new(), id.clone())] {
            let filter = Some(ContainerStatsFilter {
                id: id.clone(),
                pod_sandbox_id: pod_sandbox_id.clone(),
                label_selector: label_selector.clone(),
            });
            let request = ListContainerStatsRequest {
                filter: filter.clone(),
            };
            let found = listed!(victim, list_container_stats, stats, request);
            let request = StreamContainerStatsRequest { filter };
            let streamed = streamed!(victim, stream_container_stats, container_stats, request);
            assert_eq!((found, streamed), (0, 0), "{what}");
            let filter = Some(ContainerFilter {
                id,
                pod_sandbox_id,
                state: None,
                label_selector: label_selector.clone(),
            });
            let request = StreamContainersRequest { filter };
            let streamed = streamed!(victim, stream_containers, containers, request);
            assert_eq!(streamed, 0, "{what}");
        }
        let filter = Some(PodSandboxFilter {
            id,
            state: None,
            label_selector,
        });
        let request = StreamPodSandboxesRequest { filter };
        let streamed = streamed!(victim, stream_pod_sandboxes, pod_sandboxes, request);
        assert_eq!(streamed, 0, "{what}");
    }
    for state in [-1, 99, i32::MAX] {
        let filter = Some(PodSandboxFilter {
            state: Some(PodSandboxStateValue { state }),
            ..PodSandboxFilter::default()
        });
        let request = ListPodSandboxRequest { filter };
        assert_eq!(listed!(victim, list_pod_sandbox, items, request), 0);
        let filter = Some(ContainerFilter {
            state: Some(ContainerStateValue { state }),
            ..ContainerFilter::default()
        });
        let request = ListContainersRequest { filter };
        assert_eq!(listed!(victim, list_containers, containers, request), 0);
    }
    assert_eq!(victim.count(), (1, 0));
    victim.is_well();
}

#[test]
fn metrics_and_lists_are_read_and_left_again_and_again() {
    let victim = Victim::new();
    let all: Vec<_> = (0..20)
        .map(|number| run(&victim.cri, &config(&format!("pod{number}"))).unwrap())
        .collect();
    let begun = (0..200).map(|_| {
        let mut client = victim.cri.runtime();
        victim.cri.spawn(async move {
            let request = StreamPodSandboxMetricsRequest::default();
            // Whoever asks goes away before anything is read.
            let _ = client.stream_pod_sandbox_metrics(request).await;
            let request = ListPodSandboxMetricsRequest::default();
            let metrics = client.list_pod_sandbox_metrics(request).await;
            let request = ListMetricDescriptorsRequest::default();
            let names = client.list_metric_descriptors(request).await;
            (metrics, names)
        })
    });
    for answers in begun.collect::<Vec<_>>() {
        let (metrics, names) = victim.cri.wait(answers).unwrap();
        // Of two hundred at once, some may have to do without a monitor that is asked by all.
        assert!(metrics.unwrap().into_inner().pod_metrics.len() <= all.len());
        assert!(!names.unwrap().into_inner().descriptors.is_empty());
    }
    wait_until("the numbers of all", SOON, || {
        let request = ListPodSandboxMetricsRequest::default();
        let mut client = victim.cri.runtime();
        let metrics = victim.cri.call(client.list_pod_sandbox_metrics(request));
        (metrics.unwrap().pod_metrics.len() == all.len()).then_some(())
    });
    victim.is_well();
}

#[test]
fn settings_that_make_no_sense_change_nothing() {
    let victim = Victim::new();
    for pod_cidr in ["", "x", "\0", "0.0.0.0/0", "10.0.0.0/99", &long()] {
        let network_config = Some(NetworkConfig {
            pod_cidr: pod_cidr.to_owned(),
        });
        let runtime_config = Some(RuntimeConfig { network_config });
        let mut client = victim.cri.runtime();
        let request = UpdateRuntimeConfigRequest { runtime_config };
        victim
            .answer("settings", client.update_runtime_config(request))
            .unwrap();
    }
    let nothing = UpdateRuntimeConfigRequest {
        runtime_config: None,
    };
    let mut client = victim.cri.runtime();
    victim
        .answer("no settings", client.update_runtime_config(nothing))
        .unwrap();
    run(&victim.cri, &config("web")).unwrap();
    victim.is_well();
}

#[test]
fn a_log_that_can_not_be_opened_anew_says_so_and_the_container_goes_on() {
    let victim = Victim::new();
    let logs = victim.lab.host.base().join("logs");
    fs::create_dir(&logs).unwrap();
    let mut sandbox = config("web");
    sandbox.log_directory = logs.to_str().unwrap().to_owned();
    let pod_sandbox_id = run(&victim.cri, &sandbox).unwrap();
    let mut asked = idle("app");
    asked.log_path = "app/0.log".to_owned();
    let create = CreateContainerRequest {
        pod_sandbox_id,
        config: Some(asked),
        sandbox_config: Some(sandbox),
    };
    let make = |attempt: u32| {
        let mut request = create.clone();
        let metadata = request
            .config
            .as_mut()
            .and_then(|one| one.metadata.as_mut());
        metadata.unwrap().attempt = attempt;
        let mut client = victim.cri.runtime();
        let made = victim.answer("create", client.create_container(request));
        made.unwrap().container_id
    };
    let unstarted = make(0);
    let container_id = make(1);
    let reopen = || ReopenContainerLogRequest {
        container_id: container_id.clone(),
    };
    let mut client = victim.cri.runtime();
    victim.refused(
        "not started",
        Code::FailedPrecondition,
        "doesn't run",
        client.reopen_container_log(reopen()),
    );
    let start = |id: &str| StartContainerRequest {
        container_id: id.to_owned(),
    };
    // A kubelet makes its directory before.
    let mut client = victim.cri.runtime();
    let refused = victim.answer("start", client.start_container(start(&unstarted)));
    let refused = refused.unwrap_err();
    assert!(refused.message().contains("0.log"), "{refused}");
    assert_eq!(state(&victim, &unstarted), EXITED);
    fs::create_dir(logs.join("app")).unwrap();
    let mut client = victim.cri.runtime();
    victim
        .answer("start", client.start_container(start(&container_id)))
        .unwrap();
    let log = logs.join("app/0.log");
    assert!(log.exists());
    // A directory is where the log was, then a way to somewhere else, then nothing at all.
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    for _ in 0..3 {
        let mut client = victim.cri.runtime();
        let refused = victim.answer("reopen", client.reopen_container_log(reopen()));
        let refused = refused.unwrap_err();
        assert!(
            refused.message().contains("cannot open the log"),
            "{refused}"
        );
    }
    fs::remove_dir(&log).unwrap();
    let elsewhere = victim.lab.host.base().join("elsewhere");
    fs::write(&elsewhere, "kept").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &log).unwrap();
    let mut client = victim.cri.runtime();
    let _ = victim.answer("reopen", client.reopen_container_log(reopen()));
    assert_eq!(fs::read(&elsewhere).unwrap(), b"kept");
    fs::remove_dir_all(&logs).unwrap();
    let mut client = victim.cri.runtime();
    let _ = victim.answer("reopen", client.reopen_container_log(reopen()));
    assert_eq!(state(&victim, &container_id), RUNNING);
    victim.is_well();
}

fn state(victim: &Victim, id: &str) -> i32 {
    let mut client = victim.cri.runtime();
    let request = ContainerStatusRequest {
        container_id: id.to_owned(),
        verbose: true,
    };
    let told = victim.answer("status", client.container_status(request));
    told.unwrap().status.unwrap().state
}
