//! Pods in the spelling of docker and podman. Of a pod's apps, the first is the container that they have.

use std::collections::BTreeMap;
use std::path::Path;

use cni_glue::status::JoinedNetwork;
use engine::pods::mount_view::{MountKind, MountView};
use engine::pods::view::{AppState, AppView, PodView};
use engine::signal_names;
use pod::State;
use pod::exit::Outcome;
use pod::manifest::{
    Device, HostNamespace, Limit, MountOption, Network, Resources, RestartPolicy, User,
};
use pod::timestamp::Timestamp;
use serde_json::{Map, Value, json};

use super::confinement;
use crate::wording::exit_code::OTHER;

/// The time of what has not happened yet, which parses as any other.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The size of shared memory where none is asked for.
const USUAL_SHM_SIZE: u64 = 64 << 20;

/// What there is of a pod.
pub(crate) fn of_pod(view: &PodView) -> Value {
    let first = view.apps.first();
    json!({
        "Id": view.uuid,
        "Name": view.name,
        "Image": first.map(|app| &app.manifest),
        "ImageName": first.map(|app| &app.image),
        "Created": view.created,
        "Path": first.and_then(|app| app.command.first()),
        "Args": first.map(|app| app.command.get(1..).unwrap_or_default()),
        "Platform": "linux",
        "RestartCount": first.map_or(0, |app| app.restarts),
        "Driver": "overlay",
        "ProcessLabel": first.and_then(|app| app.selinux_label.as_deref()).unwrap_or_default(),
        "MountLabel": first.and_then(|app| app.mount_label.as_deref()).unwrap_or_default(),
        "Mounts": mounts(view),
        "State": state(view),
        "Config": {
            "Hostname": view.hostname,
            "Domainname": "",
            "Image": first.map(|app| &app.image),
            // What its image has as an entry point is in its command.
            "Entrypoint": [],
            "Cmd": first.map(|app| &app.command),
            "Env": first.map(|app| &app.env),
            "User": first.map(|app| user(&app.user)),
            "WorkingDir": first.map(|app| &app.cwd),
            "Labels": view.labels,
            "Tty": first.is_some_and(|app| app.terminal),
            "OpenStdin": first.is_some_and(|app| app.stdin),
            "StopSignal": first.map(|app| signal_names::name(app.stop_signal.number())),
        },
        "HostConfig": host_config(view, first),
        "NetworkSettings": network_settings(view),
    })
}

fn state(view: &PodView) -> Value {
    let was_killed_for_memory = view.apps.iter().any(|app| {
        let itself = matches!(
            app.outcome,
            Some(Outcome::Signaled {
                oom_killed: true,
                ..
            })
        );
        // As elsewhere, one of its processes is enough.
        itself || app.oom_kills.is_some_and(|kills| kills > 0)
    });
    let time = |time: &Option<Timestamp>| match time {
        Some(time) => time.to_string(),
        None => NEVER.to_owned(),
    };
    json!({
        "Status": view.state,
        "Running": view.state == State::Running,
        "Paused": view.apps.iter().any(|app| app.state == AppState::Paused),
        "Restarting": view.apps.iter().any(|app| app.state == AppState::BackingOff),
        "OOMKilled": was_killed_for_memory,
        "Dead": false,
        "Pid": view.apps.first().and_then(|app| app.pid).unwrap_or(0),
        "ExitCode": exit_code(view),
        "Error": view.failure.clone().unwrap_or_default(),
        "StartedAt": time(&view.started),
        "FinishedAt": time(&view.finished),
    })
}

/// Of a pod that has not ended, none: docker's zero.
fn exit_code(view: &PodView) -> i32 {
    match (view.exit_code, view.state) {
        (Some(code), _) => code,
        // It was killed, and nobody knows: as `wait` says.
        (None, State::Exited) => i32::from(OTHER),
        (None, _) => 0,
    }
}

fn restart_policy(app: Option<&AppView>) -> Value {
    let restart = app.map(|app| app.restart).unwrap_or_default();
    json!({
        "Name": match restart.policy {
            RestartPolicy::Never => "no",
            RestartPolicy::OnFailure => "on-failure",
            RestartPolicy::Always => "always",
        },
        "MaximumRetryCount": restart.max_retries.unwrap_or(0),
    })
}

/// What was asked for at the start. What can't be asked for here is as it is there if nothing is said.
fn host_config(view: &PodView, app: Option<&AppView>) -> Value {
    let memory = app.and_then(|app| app.memory_limit).unwrap_or(0);
    let none = Resources::default();
    let limits = app.map_or(&none, |app| &app.resources);
    let number = |limit: Limit| i64::from(limit);
    // In the usual period, a quota is a number of processors.
    let is_in_cpus = limits.cpu.period.is_none_or(|period| period == 100_000);
    let pids = app.map(|app| match app.pids_limit {
        Some(most) => json!(most),
        None => json!(-1),
    });
    let mode = match &view.network {
        Some(Network::Host) => "host".to_owned(),
        Some(Network::None) => "none".to_owned(),
        Some(Network::All) => "all".to_owned(),
        Some(Network::Named(requests)) => {
            let names: Vec<&str> = requests.iter().map(|one| one.name.as_str()).collect();
            names.join(",")
        }
        None => String::new(),
    };
    json!({
        "Binds": app.map(binds).unwrap_or_default(),
        "NetworkMode": mode,
        "PortBindings": ports(view),
        // By the name that podman has for the format of Kubernetes.
        "LogConfig": { "Type": "k8s-file" },
        "PublishAllPorts": false,
        "Init": true,
        "IpcMode": whose(view, HostNamespace::Ipc),
        "CgroupnsMode": whose(view, HostNamespace::Cgroup),
        "UTSMode": whose(view, HostNamespace::Uts),
        "PidMode": whose(view, HostNamespace::Pid),
        "RestartPolicy": restart_policy(app),
        "AutoRemove": view.remove_on_exit,
        "Privileged": app.is_some_and(|app| app.privileged),
        "ReadonlyRootfs": app.is_some_and(|app| app.read_only_root),
        "CapAdd": app.map(confinement::added).unwrap_or_default(),
        "CapDrop": app.map(confinement::dropped).unwrap_or_default(),
        "SecurityOpt": app.map(confinement::options).unwrap_or_default(),
        "GroupAdd": app.map(|app| app.groups.clone()).unwrap_or_default(),
        "Ulimits": app.map(confinement::ulimits).unwrap_or_default(),
        "OomScoreAdj": app.and_then(|app| app.oom_score_adj).unwrap_or(0),
        "Sysctls": confinement::sysctls(view),
        "ShmSize": view.shm_size.unwrap_or(USUAL_SHM_SIZE),
        "Devices": app.map(devices).unwrap_or_default(),
        "Tmpfs": app.map(tmpfs).unwrap_or_default(),
        "UsernsMode": match view.user_namespace {
            Some(_) => "private",
            None => "host",
        },
        "Runtime": view.stage1,
        "Memory": memory,
        "MemorySwap": limits.memory.with_swap().map_or(0, number),
        "MemoryReservation": limits.memory.reservation.map_or(0, number),
        "CpusetCpus": limits.cpu.cpus,
        "CpusetMems": limits.cpu.mems,
        "BlkioWeight": limits.block_io.weight.unwrap_or(0),
        "NanoCpus": app.and_then(|app| app.cpu_limit).filter(|_| is_in_cpus).unwrap_or(0),
        "CpuShares": app.and_then(|app| app.cpu_shares).unwrap_or(0),
        "CpuQuota": limits.cpu.quota.filter(|_| !is_in_cpus).map_or(0, number),
        "CpuPeriod": limits.cpu.period.filter(|_| !is_in_cpus).unwrap_or(0),
        "PidsLimit": pids,
        "OomKillDisable": false,
    })
}

fn whose(view: &PodView, namespace: HostNamespace) -> &'static str {
    match view.host_namespaces.contains(&namespace) {
        true => "host",
        false => "private",
    }
}

fn devices(app: &AppView) -> Vec<Value> {
    let devices = app.devices.iter();
    let device = |device: &Device| {
        json!({
            "PathOnHost": device.host_path.as_deref().unwrap_or(Path::new(device.path.as_str())),
            "PathInContainer": device.path,
            "CgroupPermissions": device.access,
        })
    };
    devices.map(device).collect()
}

/// `SOURCE:PLACE[:OPTIONS]` of what is of the host or in a named volume.
fn binds(app: &AppView) -> Vec<String> {
    let bind = |mount: &MountView| {
        let source = match mount.kind {
            MountKind::Bind => mount.source.as_ref()?.display().to_string(),
            MountKind::Volume => mount.volume.clone()?,
            MountKind::Image | MountKind::Tmpfs => return None,
        };
        let words = options(mount);
        let end = match words.is_empty() {
            true => String::new(),
            false => format!(":{}", words.join(",")),
        };
        Some(format!("{source}:{}{end}", mount.destination.as_str()))
    };
    app.mounts.iter().filter_map(bind).collect()
}

fn tmpfs(app: &AppView) -> Map<String, Value> {
    let in_memory = app
        .mounts
        .iter()
        .filter(|mount| mount.kind == MountKind::Tmpfs);
    in_memory
        .map(|mount| {
            let place = mount.destination.as_str().to_owned();
            (place, memory_options(mount).into())
        })
        .collect()
}

/// The options that hold, as `--tmpfs` takes them.
fn memory_options(mount: &MountView) -> String {
    let last = |either: [MountOption; 2], usual: &str| {
        let said = mount.options.iter().rfind(|one| either.contains(one));
        said.map(|one| json!(one))
            .and_then(|word| word.as_str().map(str::to_owned))
            .unwrap_or_else(|| usual.to_owned())
    };
    use MountOption::{Dev, Exec, Nodev, Noexec, Nosuid, Ro, Rw, Suid};
    let mut words = vec![
        last([Ro, Rw], "rw"),
        last([Suid, Nosuid], "nosuid"),
        last([Dev, Nodev], "nodev"),
        last([Exec, Noexec], "exec"),
    ];
    words.extend(mount.size.map(|bytes| format!("size={bytes}")));
    words.extend(mount.mode.map(|bits| format!("mode={bits:o}")));
    words.extend(mount.uid.map(|id| format!("uid={id}")));
    words.extend(mount.gid.map(|id| format!("gid={id}")));
    words.join(",")
}

fn network_settings(view: &PodView) -> Value {
    // They lead to it as long as it is there.
    let ports = match view.state {
        State::Running => ports(view),
        _ => Map::new(),
    };
    let mut networks: Map<String, Value> = view
        .networks
        .iter()
        .map(|joined| (joined.name.to_string(), of_joined(Some(joined), view)))
        .collect();
    // Those of one that doesn't run have no addresses.
    let asked: Vec<&str> = match &view.network {
        Some(Network::Host) => vec!["host"],
        Some(Network::None) => vec!["none"],
        Some(Network::Named(requests)) => requests.iter().map(|one| one.name.as_str()).collect(),
        Some(Network::All) | None => Vec::new(),
    };
    for name in asked {
        if !networks.contains_key(name) {
            networks.insert(name.to_owned(), of_joined(None, view));
        }
    }
    let mut settings = of_joined(view.networks.first(), view);
    if let Some(settings) = settings.as_object_mut() {
        let netns = view.network_namespace.as_ref();
        let netns = netns.map(|netns| netns.display().to_string());
        settings.insert("SandboxKey".to_owned(), netns.unwrap_or_default().into());
        settings.insert("Ports".to_owned(), ports.into());
        settings.insert("Networks".to_owned(), networks.into());
    }
    settings
}

/// What a pod has in a network; of one that it is not in, nothing, by the same names.
fn of_joined(joined: Option<&JoinedNetwork>, view: &PodView) -> Value {
    let of_family = |is_v4: bool| {
        let addresses = joined.into_iter().flat_map(|joined| &joined.addresses);
        let mut addresses = addresses.filter(|one| one.address.address().is_ipv4() == is_v4);
        addresses.next().map(|one| {
            let gateway = one.gateway.map(|gateway| gateway.to_string());
            let (address, length) = (one.address.address(), one.address.prefix());
            (address.to_string(), length, gateway.unwrap_or_default())
        })
    };
    let (v4, v4_length, v4_gateway) = of_family(true).unwrap_or_default();
    let (v6, v6_length, v6_gateway) = of_family(false).unwrap_or_default();
    json!({
        "NetworkID": joined.map(|joined| joined.name.to_string()).unwrap_or_default(),
        "IPAddress": v4,
        "IPPrefixLen": v4_length,
        "Gateway": v4_gateway,
        "GlobalIPv6Address": v6,
        "GlobalIPv6PrefixLen": v6_length,
        "IPv6Gateway": v6_gateway,
        "MacAddress": joined.and_then(|joined| joined.mac.clone()).unwrap_or_default(),
        "Aliases": view.name.iter().collect::<Vec<_>>(),
    })
}

/// By the pod's side of each port, where on the host it is.
fn ports(view: &PodView) -> Map<String, Value> {
    let mut ports = BTreeMap::<(u16, String), Vec<Value>>::new();
    for mapping in &view.ports {
        let address = mapping.host_ip.map(|ip| ip.to_string());
        let address = address.unwrap_or_else(|| "0.0.0.0".to_owned());
        for (host, pod) in mapping.pairs() {
            let places = ports
                .entry((pod, mapping.protocol.to_string()))
                .or_default();
            places.push(json!({ "HostIp": address, "HostPort": host.to_string() }));
        }
    }
    let named = ports.into_iter();
    named
        .map(|((port, protocol), places)| (format!("{port}/{protocol}"), places.into()))
        .collect()
}

/// All mounts of the pod's apps.
fn mounts(view: &PodView) -> Vec<Value> {
    let value = |mount: &MountView| {
        let words = options(mount);
        json!({
            "Type": mount.kind,
            "Name": mount.volume.as_ref().filter(|_| mount.kind != MountKind::Bind),
            "Source": mount.source.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
            "Destination": mount.destination,
            "Driver": match mount.kind {
                MountKind::Volume => "local",
                _ => "",
            },
            "Mode": words.join(","),
            "Options": words,
            "RW": !mount.read_only,
            "Propagation": propagation(&words),
        })
    };
    view.apps
        .iter()
        .flat_map(|app| &app.mounts)
        .map(value)
        .collect()
}

/// The words of its options, as they are typed.
fn options(mount: &MountView) -> Vec<String> {
    let words = mount.options.iter().map(|option| json!(option));
    words
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect()
}

fn propagation(words: &[String]) -> &str {
    let is_one = |word: &&String| matches!(word.as_str(), "rprivate" | "rslave" | "rshared");
    let said = words.iter().rfind(is_one);
    said.map_or("rprivate", String::as_str)
}

/// What a list of pods shows of an app's mounts: the names of volumes, and the places of the host.
pub(crate) fn mount_names(app: &AppView) -> Vec<String> {
    let name = |mount: &MountView| match mount.kind {
        MountKind::Volume => mount.volume.clone(),
        MountKind::Bind | MountKind::Image => {
            let source = mount.source.as_ref();
            source.map(|source| source.display().to_string())
        }
        MountKind::Tmpfs => Some(mount.destination.as_str().to_owned()),
    };
    app.mounts.iter().filter_map(name).collect()
}

/// `USER:GROUP`, as `--user` takes it.
fn user(user: &User) -> String {
    match user.group.is_empty() {
        true => user.user.clone(),
        false => format!("{}:{}", user.user, user.group),
    }
}
