//! The manifest as a whole: what is written is read again, what isn't known is refused, and nothing is used unseen.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::error::PodError;
use crate::feature::Feature;

mod mounts;
mod required;
mod version_2;

const EVERY_FIELD: &str = include_str!("data/every-field.json");

impl PodManifest {
    /// A pod that uses every field there is.
    pub(crate) fn of_every_field() -> Self {
        serde_json::from_str(EVERY_FIELD).unwrap()
    }
}

fn every_field() -> Value {
    serde_json::from_str(EVERY_FIELD).unwrap()
}

fn load(text: &str) -> Result<PodManifest, PodError> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(MANIFEST_FILE), text).unwrap();
    PodManifest::load(directory.path())
}

/// A part of a document: the keys and indices that lead to it.
type Pointer = String;

/// All parts of a document, outer ones first.
fn parts(value: &Value, at: &str, found: &mut Vec<Pointer>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, v)| (i.to_string(), v))
            .collect(),
        _ => return,
    };
    for (key, child) in children {
        let pointer = format!("{at}/{key}");
        found.push(pointer.clone());
        parts(child, &pointer, found);
    }
}

fn all_parts(value: &Value) -> Vec<Pointer> {
    let mut found = Vec::new();
    parts(value, "", &mut found);
    found
}

/// Takes a part out of a document; whether it was there.
fn take_out(document: &mut Value, pointer: &str) -> bool {
    let (outer, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(outer) {
        Some(Value::Object(members)) => {
            let key = key.replace("~1", "/").replace("~0", "~");
            members.remove(&key).is_some()
        }
        Some(Value::Array(items)) => match key.parse::<usize>() {
            Ok(place) if place < items.len() => {
                items.remove(place);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

#[test]
fn the_sample_uses_every_field() {
    // What is written of it has each of its parts again, so none is a default; and no type has a field more,
    // as each is written where it isn't one.
    let written = serde_json::to_value(PodManifest::of_every_field()).unwrap();
    assert_eq!(written, every_field());
}

#[test]
fn a_word_that_is_not_known_refuses_the_pod_wherever_it_stands() {
    // Words of the user's own: the keys of these are data.
    let free = [
        "addresses",
        "annotations",
        "labels",
        "proc-options",
        "sysctl",
        "unified",
    ];
    let document = every_field();
    let mut objects: Vec<Pointer> = all_parts(&document);
    objects.push(String::new());
    let mut tried = 0;
    for pointer in objects {
        let mut strange = document.clone();
        let Some(Value::Object(members)) = strange.pointer_mut(&pointer) else {
            continue;
        };
        if free.iter().any(|word| pointer.ends_with(word)) {
            continue;
        }
        members.insert("time-travel".into(), json!(true));
        let error = load(&strange.to_string()).unwrap_err().to_string();
        // Of the two words that name one thing, the reader doesn't say which is strange.
        assert!(
            error.contains("time-travel") || pointer == "/network",
            "{pointer}: {error}"
        );
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn values_of_closed_sets_are_closed() {
    for pointer in [
        "/lifetime",
        "/on-app-failure",
        "/streams",
        "/insecure-options/0",
        "/apps/0/insecure-options/0",
        "/apps/0/restart/policy",
        "/apps/0/restart-rules/0/action",
        "/apps/0/restart-rules/0/exit-codes/operator",
        "/apps/0/termination-message/policy",
        "/apps/0/mounts/0/options/0",
        "/apps/0/mounts/0/source/type",
        "/apps/0/devices/0/type",
        "/apps/0/devices/0/access",
        "/apps/0/security/capabilities/bounding/0",
        "/apps/0/security/seccomp/type",
        "/apps/0/security/seccomp/profile/default-action",
        "/apps/0/security/seccomp/profile/architectures/0",
        "/apps/0/security/seccomp/profile/flags/0",
        "/apps/0/security/seccomp/profile/syscalls/0/args/0/op",
        "/apps/0/execution/rlimits/0/type",
        "/apps/0/probes/startup/action/type",
        "/apps/0/probes/readiness/action/scheme",
        "/apps/0/hooks/post-start/type",
        "/volumes/0/source/type",
        "/volumes/1/source/medium",
    ] {
        let mut document = every_field();
        *document.pointer_mut(pointer).unwrap() = json!("strange");
        let error = load(&document.to_string()).unwrap_err().to_string();
        assert!(error.contains("strange"), "{pointer}: {error}");
    }
    for (pointer, bad, reason) in [
        ("/apps/0/stop-signal", json!(65), "65"),
        (
            "/apps/0/execution/cwd",
            json!("srv"),
            "not an absolute path",
        ),
        ("/apps/0/resources/memory/limit", json!(-2), "-2"),
        ("/apps/0/probes/startup/period-seconds", json!(0), "nonzero"),
        (
            "/apps/0/probes/readiness/action/host",
            json!("db.lan"),
            "IP address",
        ),
        ("/user-namespace/uid-mappings/0/size", json!(0), "nonzero"),
    ] {
        let mut document = every_field();
        *document.pointer_mut(pointer).unwrap() = bad;
        let error = load(&document.to_string()).unwrap_err().to_string();
        assert!(error.contains(reason), "{pointer}: {error}");
    }
}

#[test]
fn a_protection_that_no_word_takes_away_is_there() {
    for security in [None, Some(json!({}))] {
        let mut document = every_field();
        let app = document["apps"][0].as_object_mut().unwrap();
        app.remove("security");
        app.extend(security.map(|security| ("security".to_owned(), security)));
        let pod = load(&document.to_string()).unwrap();
        let security = &pod.apps.first().unwrap().security;
        assert!(security.no_new_privileges);
        assert_eq!(security, &Security::default());
    }
}

#[test]
fn images_of_apps_volumes_and_the_isolator_are_all_needed() {
    let pod = PodManifest::of_every_field();
    let images: Vec<_> = pod
        .images()
        .map(|image| image.reference.to_string())
        .collect();
    let expected = [
        "example.com/web:1",
        "example.com/content:1",
        "example.com/tools:1",
        "example.com/isolators/nspawn:1",
    ];
    assert_eq!(images, expected);
    let volumes: Vec<_> = pod.named_volumes().map(ToString::to_string).collect();
    assert_eq!(volumes, ["pg_data", "Web_data.1"]);
}

#[test]
fn no_two_apps_have_one_name() {
    let mut document = every_field();
    let app = document["apps"][0].clone();
    document["apps"].as_array_mut().unwrap().push(app.clone());
    let error = load(&document.to_string()).unwrap_err().to_string();
    assert!(error.contains("`web`"), "{error}");

    let web: App = serde_json::from_value(app).unwrap();
    let mut apps = Apps::default();
    apps.add(web.clone()).unwrap();
    assert_eq!(apps.add(web.clone()), Err(DuplicateApp(web.name.clone())));
    assert_eq!(apps.get(&web.name), Some(&web));
    assert_eq!(apps.remove(&web.name), Some(web.clone()));
    assert!(apps.get(&web.name).is_none() && apps.remove(&web.name).is_none());
}

#[test]
fn what_later_releases_write_is_named_as_theirs() {
    let later = EVERY_FIELD.replacen("\"version\": 3", "\"version\": 4", 1);
    assert!(matches!(
        load(&later),
        Err(PodError::LaterVersion {
            found: 4,
            supported: 3,
            ..
        })
    ));
    let ancient = EVERY_FIELD.replacen("\"version\": 3", "\"version\": 1", 1);
    assert!(matches!(load(&ancient), Err(PodError::Damaged { .. })));
    let torn = EVERY_FIELD.get(..200).unwrap();
    assert!(matches!(load(torn), Err(PodError::Damaged { .. })));
}

/// What any isolator obeys, and records that none needs to: parts without a word in the feature list.
const SUPPORTED: &[&str] = &[
    "/version",
    "/uuid",
    "/name",
    "/created",
    "/stage1",
    "/hostname",
    "/dns",
    "/hosts",
    "/bounds",
    "/streams",
    "/grace-period-ms",
    "/remove-on-exit",
    "/insecure-options",
    "/labels",
    "/annotations",
    "/apps/0/name",
    "/apps/0/image",
    "/apps/0/execution/args",
    "/apps/0/execution/env",
    "/apps/0/execution/cwd",
    "/apps/0/execution/user/user",
    "/apps/0/execution/user/group",
    "/apps/0/execution/stdin",
    "/apps/0/insecure-options",
    "/apps/0/stop-signal",
    "/apps/0/labels",
    "/apps/0/annotations",
];

/// The word for each other part.
const BY_FEATURE: &[(&str, Feature)] = &[
    ("/lifetime", Feature::Mutable),
    ("/on-app-failure", Feature::Mutable),
    ("/network", Feature::Networks),
    ("/ports", Feature::Networks),
    ("/bandwidth", Feature::Bandwidth),
    ("/user-namespace", Feature::UserNamespaces),
    ("/selinux", Feature::Selinux),
    ("/volumes", Feature::Volumes),
    ("/sysctl", Feature::Sysctl),
    ("/shm-size", Feature::ShmSize),
    ("/new-privileges", Feature::NewPrivileges),
    ("/host-namespaces", Feature::HostNamespaces),
    ("/cgroup-parent", Feature::CgroupParent),
    ("/virtual-machine", Feature::VirtualMachine),
    (
        "/apps/0/execution/user/additional-gids",
        Feature::AdditionalGroups,
    ),
    (
        "/apps/0/execution/user/additional-groups",
        Feature::AdditionalGroups,
    ),
    (
        "/apps/0/execution/user/image-groups",
        Feature::AdditionalGroups,
    ),
    ("/apps/0/execution/user/umask", Feature::Umask),
    ("/apps/0/execution/terminal", Feature::Tty),
    ("/apps/0/execution/console-size", Feature::Tty),
    ("/apps/0/execution/stdin-once", Feature::StdinOnce),
    ("/resources", Feature::PodResources),
    ("/apps/0/execution/rlimits", Feature::Rlimits),
    ("/apps/0/execution/oom-score-adj", Feature::OomScoreAdj),
    ("/apps/0/security/privileged", Feature::Privileged),
    ("/apps/0/security/capabilities", Feature::Capabilities),
    ("/apps/0/security/seccomp", Feature::Seccomp),
    ("/apps/0/security/no-new-privileges", Feature::NewPrivileges),
    ("/apps/0/security/masked-paths", Feature::MaskedPaths),
    ("/apps/0/security/readonly-paths", Feature::ReadonlyPaths),
    ("/apps/0/security/proc-options", Feature::ProcOptions),
    ("/apps/0/security/read-only-root", Feature::ReadonlyRoot),
    (
        "/apps/0/security/writable-cgroups",
        Feature::WritableCgroups,
    ),
    ("/apps/0/security/apparmor-profile", Feature::Apparmor),
    ("/apps/0/security/selinux-label", Feature::Selinux),
    ("/apps/0/security/mount-label", Feature::Selinux),
    ("/apps/0/execution/addresses", Feature::PodAddresses),
    ("/apps/0/mounts", Feature::Mounts),
    ("/apps/0/devices", Feature::Devices),
    ("/apps/0/device-rules", Feature::Devices),
    ("/apps/0/resources/memory/limit", Feature::Resources),
    (
        "/apps/0/resources/memory/reservation",
        Feature::MemoryReservation,
    ),
    ("/apps/0/resources/memory/swap", Feature::MemorySwap),
    ("/apps/0/resources/memory/swappiness", Feature::MemorySwap),
    ("/apps/0/resources/cpu/shares", Feature::Resources),
    ("/apps/0/resources/cpu/quota", Feature::Resources),
    ("/apps/0/resources/cpu/period", Feature::Resources),
    ("/apps/0/resources/cpu/cpus", Feature::Cpuset),
    ("/apps/0/resources/cpu/mems", Feature::Cpuset),
    ("/apps/0/resources/pids", Feature::Resources),
    ("/apps/0/resources/block-io", Feature::BlockIo),
    ("/apps/0/resources/hugepage-limits", Feature::Hugepages),
    ("/apps/0/resources/unified", Feature::UnifiedCgroup),
    ("/apps/0/restart", Feature::Restart),
    ("/apps/0/restart-rules", Feature::RestartRules),
    ("/apps/0/probes", Feature::Probes),
    ("/apps/0/hooks", Feature::Hooks),
    ("/apps/0/termination-message", Feature::TerminationMessage),
    ("/apps/0/log/driver", Feature::LogDriver),
    ("/apps/0/log/max-size", Feature::LogDriver),
    ("/apps/0/log/tag", Feature::LogDriver),
    ("/apps/0/log/path", Feature::LogPath),
    ("/apps/0/systemd", Feature::Systemd),
    ("/apps/0/own-processes", Feature::PidNamespace),
    ("/apps/0/processes-of", Feature::JoinedProcesses),
];

/// The features that the parts of a document stand for.
fn features_of_parts(document: &Value) -> BTreeSet<Feature> {
    let within = |part: &str, prefix: &str| {
        part.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut features = BTreeSet::new();
    for part in all_parts(document) {
        // What only holds others says nothing by itself.
        let holds = BY_FEATURE
            .iter()
            .map(|(p, _)| *p)
            .chain(SUPPORTED.iter().copied());
        if holds
            .clone()
            .any(|other| within(other, &part) && other != part)
            || part == "/apps/0"
        {
            continue;
        }
        let feature = BY_FEATURE.iter().find(|(prefix, _)| within(&part, prefix));
        let supported = SUPPORTED.iter().any(|prefix| within(&part, prefix));
        match feature {
            Some((_, feature)) => features.extend([*feature]),
            None => assert!(
                supported,
                "{part} is neither supported nor in the feature list"
            ),
        }
    }
    let of_host = document
        .pointer("/host-namespaces")
        .and_then(Value::as_array);
    if of_host.is_some_and(|all| all.iter().any(|one| one == "pid")) {
        features.insert(Feature::HostPids);
    }
    if features.contains(&Feature::PodResources) {
        // It limits the number of processes.
        features.insert(Feature::Resources);
    }
    features
}

/// A manifest with some parts of the sample taken out, as far as what is left is one.
fn some_parts() -> impl Strategy<Value = PodManifest> {
    let count = all_parts(&every_field()).len();
    proptest::collection::vec(0..count, 0..24).prop_map(|chosen| {
        let mut document = every_field();
        let parts = all_parts(&document);
        for place in chosen {
            let mut less = document.clone();
            if take_out(&mut less, &parts[place])
                && serde_json::from_value::<PodManifest>(less.clone()).is_ok()
            {
                document = less;
            }
        }
        serde_json::from_value(document).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_again(manifest in some_parts()) {
        let text = serde_json::to_string(&manifest).unwrap();
        prop_assert_eq!(load(&text).unwrap(), manifest);
    }

    #[test]
    fn every_field_that_is_used_is_supported_or_required(manifest in some_parts()) {
        let mut expected = features_of_parts(&serde_json::to_value(&manifest).unwrap());
        if manifest.apps.is_empty() {
            expected.insert(Feature::Mutable);
        }
        let memory = manifest.apps.first().map(|app| app.resources.memory);
        if memory.is_some_and(|memory| memory.limit.is_some()) {
            // No limit of swap is a limit of its own.
            expected.insert(Feature::MemorySwap);
        }
        for app in manifest.apps.iter() {
            let tls = app.probes.use_tls() || app.hooks.use_tls();
            let grpc = app.probes.use_grpc();
            expected.extend(grpc.then_some(Feature::GrpcProbes));
            expected.extend(tls.then_some(Feature::HttpsProbes));
        }
        prop_assert_eq!(manifest.required_features(), expected);
    }
}

#[test]
fn a_limit_without_swap_needs_no_more_than_a_limit() {
    let memory = |limit, swap| {
        let resources = Resources {
            memory: Memory {
                limit,
                swap,
                reservation: None,
                swappiness: None,
            },
            ..Resources::default()
        };
        resources.required_features()
    };
    let at = |number| Some(Limit::At(number));
    assert_eq!(memory(None, None), BTreeSet::new());
    assert_eq!(memory(at(7), at(7)), [Feature::Resources].into());
    let swapping = BTreeSet::from([Feature::Resources, Feature::MemorySwap]);
    assert_eq!(memory(at(7), None), swapping);
    assert_eq!(memory(at(7), at(8)), swapping);
    assert_eq!(memory(at(7), Some(Limit::Unlimited)), swapping);
    assert_eq!(
        memory(Some(Limit::Unlimited), Some(Limit::Unlimited)),
        swapping
    );
    assert_eq!(memory(None, at(7)), [Feature::MemorySwap].into());
}
