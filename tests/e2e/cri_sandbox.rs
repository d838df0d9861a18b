//! Sandboxes over the CRI.

use std::collections::BTreeMap;

use cri_shim::api::{
    LinuxSandboxSecurityContext, ListPodSandboxRequest, NamespaceMode, NamespaceOption, PodSandbox,
    PodSandboxConfig, PodSandboxFilter, PodSandboxMetadata, PodSandboxState, PodSandboxStateValue,
    PodSandboxStatus, PodSandboxStatusRequest, RemovePodSandboxRequest, RunPodSandboxRequest,
    StatusRequest, StopPodSandboxRequest, VersionRequest,
};
use harness::{Cri, Host};
use tonic::{Code, Status};

/// A host whose sandboxes join no network.
pub(crate) fn host() -> Host {
    let host = Host::new();
    host.accept_unsigned();
    host.write("etc/config.toml", "[cri]\nnetwork = \"none\"\n");
    host
}

/// What is asked of a sandbox of this name.
pub(crate) fn config(name: &str) -> PodSandboxConfig {
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: name.to_owned(),
            uid: format!("uid-of-{name}"),
            namespace: "default".to_owned(),
            attempt: 0,
        }),
        ..PodSandboxConfig::default()
    }
}

/// Makes a sandbox; gives its id.
pub(crate) fn run(cri: &Cri, config: &PodSandboxConfig) -> Result<String, Status> {
    run_by(cri, "", config)
}

/// The same by a runtime handler.
pub(crate) fn run_by(
    cri: &Cri,
    handler: &str,
    config: &PodSandboxConfig,
) -> Result<String, Status> {
    let request = RunPodSandboxRequest {
        config: Some(config.clone()),
        runtime_handler: handler.to_owned(),
    };
    let made = cri.call(cri.runtime().run_pod_sandbox(request))?;
    Ok(made.pod_sandbox_id)
}

/// Stops a sandbox.
pub(crate) fn stop(cri: &Cri, id: &str) -> Result<(), Status> {
    let pod_sandbox_id = id.to_owned();
    let request = StopPodSandboxRequest { pod_sandbox_id };
    cri.call(cri.runtime().stop_pod_sandbox(request)).map(drop)
}

/// Removes a sandbox.
pub(crate) fn remove(cri: &Cri, id: &str) -> Result<(), Status> {
    let pod_sandbox_id = id.to_owned();
    let request = RemovePodSandboxRequest { pod_sandbox_id };
    let removed = cri.call(cri.runtime().remove_pod_sandbox(request));
    removed.map(drop)
}

/// How a sandbox is.
pub(crate) fn status(cri: &Cri, id: &str) -> Result<PodSandboxStatus, Status> {
    let request = PodSandboxStatusRequest {
        pod_sandbox_id: id.to_owned(),
        verbose: false,
    };
    let told = cri.call(cri.runtime().pod_sandbox_status(request))?;
    Ok(told.status.expect("a status"))
}

pub(crate) fn list(cri: &Cri, filter: Option<PodSandboxFilter>) -> Vec<PodSandbox> {
    let request = ListPodSandboxRequest { filter };
    let listed = cri.call(cri.runtime().list_pod_sandbox(request));
    listed.unwrap().items
}

const READY: i32 = PodSandboxState::SandboxReady as i32;
const NOT_READY: i32 = PodSandboxState::SandboxNotready as i32;

#[test]
fn the_runtime_says_who_it_is_and_how() {
    let host = host();
    let cri = Cri::start(&host);
    let version = cri.call(cri.runtime().version(VersionRequest::default()));
    let version = version.unwrap();
    assert_eq!(version.runtime_name, "fairing");
    assert_eq!(version.runtime_api_version, "v1");
    let status = cri.call(cri.runtime().status(StatusRequest::default()));
    let status = status.unwrap();
    let conditions = status.status.unwrap().conditions;
    let told: Vec<_> = conditions
        .iter()
        .map(|one| (&*one.r#type, one.status))
        .collect();
    let ready = ["RuntimeReady", "NetworkReady", "ImagePolicyReady"];
    assert_eq!(told, ready.map(|name| (name, true)));
    let handlers: Vec<_> = status
        .runtime_handlers
        .iter()
        .map(|one| &*one.name)
        .collect();
    // That of virtual machines only where some can run.
    assert_eq!(handlers[..2], ["", "fairing"]);
}

#[test]
fn without_a_network_nothing_runs_and_the_status_says_why() {
    let host = Host::new();
    let cri = Cri::start(&host);
    let status = cri.call(cri.runtime().status(StatusRequest::default()));
    let conditions = status.unwrap().status.unwrap().conditions;
    let network = conditions.iter().find(|one| one.r#type == "NetworkReady");
    let network = network.unwrap();
    assert_eq!(
        (network.status, &*network.reason),
        (false, "NetworkPluginNotReady")
    );
    let refused = run(&cri, &config("web")).unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("no network is configured"),
        "{refused}"
    );
}

#[test]
fn a_sandbox_is_made_told_of_stopped_and_removed() {
    let host = host();
    let cri = Cri::start(&host);
    let mut asked = config("web");
    asked.hostname = "web".to_owned();
    asked.labels = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
    asked.annotations = BTreeMap::from([("odd key\n".to_owned(), "\u{1}ä\"".to_owned())]);
    let id = run(&cri, &asked).unwrap();
    let told = status(&cri, &id).unwrap();
    assert_eq!(told.state, READY);
    assert_eq!(told.metadata, asked.metadata);
    assert_eq!(
        (&told.labels, &told.annotations),
        (&asked.labels, &asked.annotations)
    );
    assert!(told.created_at > 0);
    assert!(told.network.unwrap().ip.is_empty());
    let short = &id[..10];
    assert_eq!(status(&cri, short).unwrap().id, id);

    stop(&cri, &id).unwrap();
    assert_eq!(status(&cri, &id).unwrap().state, NOT_READY);
    stop(&cri, &id).unwrap();
    let states = |state| {
        list(
            &cri,
            Some(PodSandboxFilter {
                state: Some(PodSandboxStateValue { state }),
                ..PodSandboxFilter::default()
            }),
        )
    };
    assert_eq!((states(READY).len(), states(NOT_READY).len()), (0, 1));
    remove(&cri, &id).unwrap();
    remove(&cri, &id).unwrap();
    stop(&cri, &id).unwrap();
    let gone = status(&cri, &id).unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    assert!(list(&cri, None).is_empty());
}

#[test]
fn a_list_has_what_fits_all_of_a_filter() {
    let host = host();
    let cri = Cri::start(&host);
    let labelled = |name: &str, tier: &str| PodSandboxConfig {
        labels: BTreeMap::from([("tier".into(), tier.into()), ("name".into(), name.into())]),
        ..config(name)
    };
    let front = run(&cri, &labelled("a", "front")).unwrap();
    let back = run(&cri, &labelled("b", "back")).unwrap();
    let ids = |id: &str, selector: &[(&str, &str)]| {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let mut ids: Vec<_> = list(
            &cri,
            Some(PodSandboxFilter {
                id: id.to_owned(),
                state: None,
                label_selector: selector.iter().map(own).collect(),
            }),
        )
        .into_iter()
        .map(|one| one.id)
        .collect();
        ids.sort();
        ids
    };
    let mut both = vec![front.clone(), back.clone()];
    both.sort();
    assert_eq!(ids("", &[]), both);
    assert_eq!(ids(&front, &[]), [&*front]);
    assert_eq!(ids("", &[("tier", "back")]), [&*back]);
    assert_eq!(ids(&front, &[("tier", "back")]), [""; 0]);
    assert_eq!(ids("", &[("tier", "back"), ("name", "a")]), [""; 0]);
    for id in [front, back] {
        remove(&cri, &id).unwrap();
    }
}

#[test]
fn requests_for_one_key_at_once_make_one_sandbox() {
    let host = host();
    let cri = Cri::start(&host);
    let request = RunPodSandboxRequest {
        config: Some(config("web")),
        runtime_handler: String::new(),
    };
    let made = cri.wait(async {
        let mut calls = Vec::new();
        for _ in 0..16 {
            let (mut client, request) = (cri.runtime(), request.clone());
            calls.push(tokio::spawn(async move {
                client.run_pod_sandbox(request).await
            }));
        }
        let mut ids = Vec::new();
        for call in calls {
            ids.push(call.await.unwrap().unwrap().into_inner().pod_sandbox_id);
        }
        ids
    });
    assert!(made.iter().all(|id| *id == made[0]), "{made:?}");
    assert_eq!(list(&cri, None).len(), 1);
    let mut next = config("web");
    next.metadata.as_mut().unwrap().attempt = 1;
    let other = run(&cri, &next).unwrap();
    assert_ne!(other, made[0]);
    stop(&cri, &made[0]).unwrap();
    let ended = run(&cri, &config("web")).unwrap_err();
    assert!(ended.message().contains("has ended"), "{ended}");
    for id in [&made[0], &other] {
        remove(&cri, id).unwrap();
    }
}

#[test]
fn a_shim_that_was_killed_gives_the_same_answers_and_pods_go_on() {
    let host = host();
    let mut cri = Cri::start(&host);
    let id = run(&cri, &config("web")).unwrap();
    let before = status(&cri, &id).unwrap();
    let monitors = host.processes_named("stage1-nspawn").len();
    cri.restart();
    assert_eq!(status(&cri, &id).unwrap(), before);
    assert_eq!(run(&cri, &config("web")).unwrap(), id);
    assert_eq!(host.processes_named("stage1-nspawn").len(), monitors);
    remove(&cri, &id).unwrap();
}

#[test]
fn a_sandbox_whose_monitor_was_killed_is_not_ready_and_is_removed() {
    let host = host();
    let cri = Cri::start(&host);
    let id = run(&cri, &config("web")).unwrap();
    for monitor in host.processes_named("stage1-nspawn") {
        monitor.kill();
    }
    harness::wait_until("not ready", std::time::Duration::from_secs(10), || {
        (status(&cri, &id).unwrap().state == NOT_READY).then_some(())
    });
    stop(&cri, &id).unwrap();
    remove(&cri, &id).unwrap();
}

#[test]
fn what_makes_no_sense_is_refused_by_field() {
    let host = host();
    let cri = Cri::start(&host);
    let refused = |change: fn(&mut PodSandboxConfig)| {
        let mut config = config("web");
        change(&mut config);
        let refused = run(&cri, &config).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        refused.message().to_owned()
    };
    assert!(refused(|config| config.metadata = None).starts_with("config.metadata:"));
    assert!(refused(|c| c.metadata.as_mut().unwrap().uid.clear()).contains("metadata.uid"));
    assert!(refused(|config| config.hostname = "x".repeat(65)).starts_with("config.hostname"));
    assert!(refused(|config| config.log_directory = "logs".into()).contains("log_directory"));
    let request = RunPodSandboxRequest {
        config: Some(config("web")),
        runtime_handler: "gvisor".to_owned(),
    };
    let refused = cri
        .call(cri.runtime().run_pod_sandbox(request))
        .unwrap_err();
    assert!(refused.message().contains("\"gvisor\""), "{refused}");
    assert!(list(&cri, None).is_empty());
    assert!(host.pod_uuids().is_empty());
}

#[test]
fn a_network_that_can_not_be_is_told_at_the_start_in_the_status_and_to_who_asks() {
    let host = host();
    for (network, words) in [
        ("missing", "no such network: missing"),
        ("not a name!", "not a name!"),
        ("host", "the host's network"),
    ] {
        let text = format!("[cri]\nnetwork = {network:?}\n[cri.runtime-handlers]\nx = \"none\"\n");
        host.write("etc/config.toml", text);
        let cri = Cri::start(&host);
        let status = cri.call(cri.runtime().status(StatusRequest::default()));
        let conditions = status.unwrap().status.unwrap().conditions;
        let ready = conditions.iter().find(|one| one.r#type == "NetworkReady");
        let ready = ready.unwrap();
        assert!(!ready.status);
        let refused = run(&cri, &config("web")).unwrap_err();
        let journal = cri.journal();
        for told in [&*ready.message, refused.message(), &*journal] {
            assert!(told.contains("[cri] network: "), "{told}");
            assert!(told.contains(words), "{told}");
        }
        assert!(journal.contains("[cri.runtime-handlers] x: "), "{journal}");
    }
    host.write("etc/config.toml", "[cri]\nnetwork = \"none\"\n");
    assert_eq!(Cri::start(&host).journal(), "");
}

#[test]
fn parameters_of_the_kernel_are_those_of_a_sandboxs_own_namespaces() {
    let host = host();
    let cri = Cri::start(&host);
    let with = |name: &str, options: NamespaceOption| {
        let mut config = config("web");
        let linux = config.linux.get_or_insert_default();
        linux.sysctls = BTreeMap::from([(name.to_owned(), "1".to_owned())]);
        linux.security_context = Some(LinuxSandboxSecurityContext {
            namespace_options: Some(options),
            ..LinuxSandboxSecurityContext::default()
        });
        run(&cri, &config)
    };
    let node = NamespaceMode::Node as i32;
    let of_host = |change: fn(&mut NamespaceOption, i32)| {
        let mut options = NamespaceOption::default();
        change(&mut options, node);
        options
    };
    let network = || of_host(|options, node| options.network = node);
    let ipc = || of_host(|options, node| options.ipc = node);
    for (name, options, words) in [
        ("net.core.somaxconn", network(), "its network is the host's"),
        (
            "net.ipv4.tcp_syncookies",
            network(),
            "its network is the host's",
        ),
        ("kernel.shm_rmid_forced", ipc(), "its IPC is the host's"),
        ("fs.mqueue.msg_max", ipc(), "its IPC is the host's"),
        (
            "vm.swappiness",
            NamespaceOption::default(),
            "all of the machine share it",
        ),
        (
            "kernel.panic",
            NamespaceOption::default(),
            "all of the machine share it",
        ),
    ] {
        let refused = with(name, options).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        let message = refused.message();
        assert!(message.starts_with("config.linux.sysctls: "), "{message}");
        assert!(message.contains(&format!("`{name}`")), "{message}");
        assert!(message.contains(words), "{message}");
    }
    assert!(host.pod_uuids().is_empty());
    // What is not shared is the sandbox's to set.
    for (name, options) in [
        ("kernel.shm_rmid_forced", network()),
        ("net.ipv4.ip_unprivileged_port_start", ipc()),
    ] {
        let id = with(name, options).unwrap();
        remove(&cri, &id).unwrap();
    }
}
