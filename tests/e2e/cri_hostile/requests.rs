//! Requests of RuntimeService about what there is, and isn't.

use cri_shim::api::*;
use tonic::Code;

use super::{MANY, Victim, ids, long, shown};
use crate::cri_containers::idle;
use crate::cri_sandbox::{config, run};

/// That a call is refused for each id that nothing has, by this code; `field` is named where there is none.
macro_rules! unknown {
    ($victim:expr, $method:ident, $field:ident, $request:expr) => {
        for id in ids() {
            let mut request = $request;
            request.$field.clone_from(&id);
            let what = format!("{} {}", stringify!($method), shown(&id));
            let mut client = $victim.cri.runtime();
            $victim.refused(
                &what,
                Code::NotFound,
                "is not found",
                client.$method(request),
            );
        }
        empty!($victim, $method, $field, $request);
    };
}

/// That a call succeeds for each id that nothing has.
macro_rules! as_wanted {
    ($victim:expr, $method:ident, $field:ident, $request:expr) => {
        for id in ids() {
            let mut request = $request;
            request.$field.clone_from(&id);
            let what = format!("{} {}", stringify!($method), shown(&id));
            let mut client = $victim.cri.runtime();
            $victim.answer(&what, client.$method(request)).unwrap();
        }
        empty!($victim, $method, $field, $request);
    };
}

macro_rules! empty {
    ($victim:expr, $method:ident, $field:ident, $request:expr) => {
        let mut request = $request;
        request.$field.clear();
        let mut client = $victim.cri.runtime();
        $victim.refused(
            concat!(stringify!($method), " of nothing"),
            Code::InvalidArgument,
            concat!(stringify!($field), ": "),
            client.$method(request),
        );
    };
}

/// That a call with this request is refused, naming this.
macro_rules! invalid {
    ($victim:expr, $method:ident, $part:expr, $request:expr) => {
        let mut client = $victim.cri.runtime();
        $victim.refused(
            concat!(stringify!($method), " ", $part),
            Code::InvalidArgument,
            $part,
            client.$method($request),
        );
    };
}

#[test]
fn ids_that_nothing_has_are_not_found_or_gone_as_wanted() {
    let victim = Victim::new();
    let sandbox = run(&victim.cri, &config("web")).unwrap();
    let command = vec!["/bin/true".to_owned()];
    unknown!(
        victim,
        pod_sandbox_status,
        pod_sandbox_id,
        PodSandboxStatusRequest::default()
    );
    unknown!(
        victim,
        pod_sandbox_stats,
        pod_sandbox_id,
        PodSandboxStatsRequest::default()
    );
    unknown!(
        victim,
        update_pod_sandbox_resources,
        pod_sandbox_id,
        UpdatePodSandboxResourcesRequest::default()
    );
    unknown!(
        victim,
        port_forward,
        pod_sandbox_id,
        PortForwardRequest::default()
    );
    unknown!(
        victim,
        start_container,
        container_id,
        StartContainerRequest::default()
    );
    unknown!(
        victim,
        container_status,
        container_id,
        ContainerStatusRequest::default()
    );
    unknown!(
        victim,
        container_stats,
        container_id,
        ContainerStatsRequest::default()
    );
    unknown!(
        victim,
        reopen_container_log,
        container_id,
        ReopenContainerLogRequest::default()
    );
    let update = UpdateContainerResourcesRequest {
        linux: Some(LinuxContainerResources::default()),
        ..UpdateContainerResourcesRequest::default()
    };
    unknown!(
        victim,
        update_container_resources,
        container_id,
        update.clone()
    );
    let exec_sync = ExecSyncRequest {
        cmd: command.clone(),
        ..ExecSyncRequest::default()
    };
    unknown!(victim, exec_sync, container_id, exec_sync.clone());
    let exec = ExecRequest {
        cmd: command,
        stdout: true,
        ..ExecRequest::default()
    };
    unknown!(victim, exec, container_id, exec.clone());
    let attach = AttachRequest {
        stdout: true,
        ..AttachRequest::default()
    };
    unknown!(victim, attach, container_id, attach.clone());
    let create = CreateContainerRequest {
        config: Some(idle("web")),
        ..CreateContainerRequest::default()
    };
    unknown!(victim, create_container, pod_sandbox_id, create.clone());
    as_wanted!(
        victim,
        stop_pod_sandbox,
        pod_sandbox_id,
        StopPodSandboxRequest::default()
    );
    as_wanted!(
        victim,
        remove_pod_sandbox,
        pod_sandbox_id,
        RemovePodSandboxRequest::default()
    );
    as_wanted!(
        victim,
        stop_container,
        container_id,
        StopContainerRequest::default()
    );
    as_wanted!(
        victim,
        remove_container,
        container_id,
        RemoveContainerRequest::default()
    );
    for id in ids() {
        let filter = PodSandboxFilter {
            id: id.clone(),
            ..PodSandboxFilter::default()
        };
        let filter = Some(filter);
        let mut client = victim.cri.runtime();
        let listed = client.list_pod_sandbox(ListPodSandboxRequest { filter });
        assert!(victim.answer("a list", listed).unwrap().items.is_empty());
        let filter = Some(ContainerFilter {
            pod_sandbox_id: id,
            ..ContainerFilter::default()
        });
        let mut client = victim.cri.runtime();
        let listed = client.list_containers(ListContainersRequest { filter });
        assert!(
            victim
                .answer("a list", listed)
                .unwrap()
                .containers
                .is_empty()
        );
    }
    assert_eq!(victim.count(), (1, 0));
    let of_sandbox = PodSandboxStatusRequest {
        pod_sandbox_id: sandbox,
        verbose: true,
    };
    let mut client = victim.cri.runtime();
    victim
        .answer("the sandbox", client.pod_sandbox_status(of_sandbox))
        .unwrap();
    victim.is_well();
}

#[test]
fn nonsense_about_containers_that_run_is_refused_by_field() {
    let victim = Victim::new();
    let pod_sandbox_id = run(&victim.cri, &config("web")).unwrap();
    let create = CreateContainerRequest {
        pod_sandbox_id: pod_sandbox_id.clone(),
        config: Some(idle("web")),
        sandbox_config: None,
    };
    let mut client = victim.cri.runtime();
    let made = victim.answer("create", client.create_container(create));
    let container_id = made.unwrap().container_id;
    let start = StartContainerRequest {
        container_id: container_id.clone(),
    };
    let mut client = victim.cri.runtime();
    victim
        .answer("start", client.start_container(start))
        .unwrap();
    let exec = |cmd: Vec<String>, timeout| ExecSyncRequest {
        container_id: container_id.clone(),
        cmd,
        timeout,
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    invalid!(victim, exec_sync, "cmd: ", exec(Vec::new(), 0));
    invalid!(victim, exec_sync, "cmd: ", exec(words(&[""]), 0));
    invalid!(
        victim,
        exec_sync,
        "cmd: ",
        exec(words(&["/bin/echo", "a\0b"]), 0)
    );
    invalid!(
        victim,
        exec_sync,
        "timeout: ",
        exec(words(&["/bin/true"]), -1)
    );
    invalid!(
        victim,
        exec_sync,
        "timeout: ",
        exec(words(&["/bin/true"]), i64::MIN)
    );
    invalid!(victim, exec_sync, "cmd: ", exec(vec![long(); 12], 0));
    invalid!(
        victim,
        exec_sync,
        "cmd: ",
        exec(vec!["x".to_owned(); 20 * MANY], 0)
    );
    // That is long, and no reason not to begin.
    let mut client = victim.cri.runtime();
    let done = client.exec_sync(exec(words(&["/bin/true"]), i64::MAX));
    assert_eq!(victim.answer("for ever", done).unwrap().exit_code, 0);
    let streams = |cmd: Vec<String>, stdin, stdout, stderr, tty| ExecRequest {
        container_id: container_id.clone(),
        cmd,
        tty,
        stdin,
        stdout,
        stderr,
    };
    let command = || words(&["/bin/true"]);
    invalid!(
        victim,
        exec,
        "cmd: ",
        streams(Vec::new(), false, true, false, false)
    );
    invalid!(
        victim,
        exec,
        "cmd: ",
        streams(words(&[""]), false, true, false, false)
    );
    invalid!(
        victim,
        exec,
        "cmd: ",
        streams(words(&["\0"]), false, true, false, false)
    );
    invalid!(
        victim,
        exec,
        "std",
        streams(command(), false, false, false, false)
    );
    invalid!(
        victim,
        exec,
        "tty",
        streams(command(), true, true, true, true)
    );
    let attach = |stdout, tty| AttachRequest {
        container_id: container_id.clone(),
        stdin: false,
        tty,
        stdout,
        stderr: false,
    };
    invalid!(victim, attach, "std", attach(false, false));
    invalid!(victim, attach, "tty: ", attach(true, true));
    for port in [0, -1, i32::MIN, 65_536, i32::MAX] {
        let request = PortForwardRequest {
            pod_sandbox_id: pod_sandbox_id.clone(),
            port: vec![port],
        };
        invalid!(victim, port_forward, "port: ", request);
    }
    let many = PortForwardRequest {
        pod_sandbox_id: pod_sandbox_id.clone(),
        port: vec![80; MANY],
    };
    invalid!(victim, port_forward, "port: ", many);
    for timeout in [-1, i64::MIN] {
        let container_id = container_id.clone();
        let request = StopContainerRequest {
            container_id,
            timeout,
        };
        invalid!(victim, stop_container, "timeout: ", request);
    }
    let limits = |linux| UpdateContainerResourcesRequest {
        container_id: container_id.clone(),
        linux,
        ..UpdateContainerResourcesRequest::default()
    };
    invalid!(victim, update_container_resources, "linux: ", limits(None));
    for (field, resources) in resources() {
        let mut client = victim.cri.runtime();
        victim.refused(
            field,
            Code::InvalidArgument,
            field,
            client.update_container_resources(limits(Some(resources.clone()))),
        );
        let request = UpdatePodSandboxResourcesRequest {
            pod_sandbox_id: pod_sandbox_id.clone(),
            overhead: Some(resources),
            resources: None,
        };
        let field = field.replace("linux", "overhead");
        let mut client = victim.cri.runtime();
        victim.refused(
            &field,
            Code::InvalidArgument,
            &field,
            client.update_pod_sandbox_resources(request),
        );
    }
    assert_eq!(victim.count(), (1, 1));
    // It ends when it is asked to, and as late as nobody lives.
    let stop = StopContainerRequest {
        container_id,
        timeout: i64::MAX,
    };
    let mut client = victim.cri.runtime();
    let stopped = victim.answer("a late stop", client.stop_container(stop));
    stopped.unwrap();
    victim.is_well();
}

/// Limits that make no sense, by the field that says so.
pub(super) fn resources() -> Vec<(&'static str, LinuxContainerResources)> {
    type Change = fn(&mut LinuxContainerResources);
    let cases: [(&str, Change); 9] = [
        ("linux.cpu_shares: ", |r| r.cpu_shares = -1),
        ("linux.cpu_period: ", |r| r.cpu_period = i64::MIN),
        ("linux.cpuset_cpus: ", |r| r.cpuset_cpus = "a-b".into()),
        ("linux.cpuset_cpus: ", |r| r.cpuset_cpus = "1,".repeat(5000)),
        ("linux.cpuset_mems: ", |r| r.cpuset_mems = "\0".into()),
        ("linux.hugepage_limits", |r| {
            r.hugepage_limits = vec![HugepageLimit {
                page_size: "../2MB".into(),
                limit: 1,
            }];
        }),
        ("linux.hugepage_limits", |r| {
            r.hugepage_limits = vec![HugepageLimit::default(); MANY];
        }),
        ("linux.unified", |r| {
            r.unified.insert("../memory.max".into(), "1".into());
        }),
        ("linux.unified", |r| {
            r.unified
                .extend((0..1000).map(|n| (format!("memory.a{n}"), "1".into())));
        }),
    ];
    let made = cases.into_iter().map(|(field, change)| {
        let mut resources = LinuxContainerResources::default();
        change(&mut resources);
        (field, resources)
    });
    made.collect()
}

#[test]
fn an_id_that_begins_several_is_told_apart_or_refused() {
    let victim = Victim::new();
    let ids: Vec<_> = (0..17)
        .map(|number| run(&victim.cri, &config(&format!("pod{number}"))).unwrap())
        .collect();
    // Of seventeen, two begin alike.
    let several = ids.iter().find(|id| {
        let alike = ids.iter().filter(|other| other[..1] == id[..1]);
        alike.count() > 1
    });
    let several = several.unwrap()[..1].to_owned();
    let stop = StopPodSandboxRequest {
        pod_sandbox_id: several.clone(),
    };
    invalid!(victim, stop_pod_sandbox, "several", stop);
    let status = PodSandboxStatusRequest {
        pod_sandbox_id: several,
        verbose: false,
    };
    invalid!(victim, pod_sandbox_status, "several", status);
    assert_eq!(victim.count(), (17, 0));
    victim.is_well();
}
