//! Pods of version 2 mean what they meant.

use super::*;

fn version_2(name: &str) -> Value {
    let text = match name {
        "prepared" => include_str!("../data/version-2/prepared.json"),
        "running" => include_str!("../data/version-2/running.json"),
        "exited" => include_str!("../data/version-2/exited.json"),
        other => panic!("no fixture {other}"),
    };
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_prepared_pod_of_version_2_means_what_it_meant() {
    let pod = load(&version_2("prepared").to_string()).unwrap();
    let expected: PodManifest = serde_json::from_value(json!({
        "version": 3,
        "uuid": "0d6a1c2e-9a34-4f0b-8b51-64a3f5c8a001",
        "name": "web",
        "created": "2026-11-20T08:00:00Z",
        "stage1": { "name": "nspawn", "path": "/usr/local/lib/fairing/stage1/nspawn" },
        "lifetime": "with-apps",
        "on-app-failure": "stop-pod",
        "hostname": "web",
        "network": { "named": [{ "name": "default" }] },
        "ports": [{ "host-port": 8080, "container-port": 80, "protocol": "tcp" }],
        "bandwidth": { "ingress": { "rate": 1_000_000, "burst": 100_000 } },
        "dns": { "mode": "automatic", "search": ["example.com"] },
        "hosts": [{ "address": "10.0.0.9", "names": ["db"] }],
        "streams": "log",
        "grace-period-ms": 10_000,
        "remove-on-exit": false,
        "insecure-options": ["image", "seccomp"],
        "apps": [
            {
                "name": "server",
                "image": version_2("prepared")["apps"][0]["image"],
                "execution": {
                    "args": ["/bin/httpd", "-f"],
                    "env": ["PATH=/bin"],
                    "cwd": "/srv",
                    "user": { "user": "www", "group": "web" },
                },
                "insecure-options": ["image", "seccomp"],
                "resources": {
                    "memory": { "limit": 67_108_864, "swap": 67_108_864 },
                    "cpu": { "shares": 512, "quota": 150_000, "period": 100_000 },
                    "pids": { "limit": 64 },
                },
                "stop-signal": 37,
            },
            {
                "name": "client",
                "image": version_2("prepared")["apps"][1]["image"],
                "execution": { "args": ["sh"], "cwd": "/" },
                "insecure-options": ["image", "seccomp"],
                "stop-signal": 15,
            },
        ],
    }))
    .unwrap();
    assert_eq!(pod, expected);
}

#[test]
fn pods_of_version_2_need_what_they_needed() {
    let needs = |name| {
        load(&version_2(name).to_string())
            .unwrap()
            .required_features()
    };
    let network = [Feature::Networks, Feature::Bandwidth, Feature::Resources];
    assert_eq!(needs("prepared"), network.into());
    assert_eq!(
        needs("running"),
        [Feature::HostNetwork, Feature::Tty].into()
    );
    assert_eq!(needs("exited"), BTreeSet::new());
}

#[test]
fn a_running_pod_of_version_2_keeps_its_isolator_and_its_streams() {
    let pod = load(&version_2("running").to_string()).unwrap();
    let image = pod.stage1.image.clone().unwrap();
    assert_eq!(
        image.reference.to_string(),
        "example.com/isolators/nspawn:1"
    );
    assert_eq!(image.layers.len(), 1);
    assert_eq!(image.verification.policy, "digest");
    assert!(image.verification.signed_digest.is_some());
    assert_eq!(
        (pod.streams, pod.remove_on_exit),
        (Streams::Foreground, true)
    );
    let app = pod.apps.first().unwrap();
    assert!(app.execution.terminal && app.execution.stdin);
    assert_eq!(pod.grace_period(), std::time::Duration::from_secs(3));
}

#[test]
fn an_exited_pod_of_version_2_tells_what_was_given_up() {
    use InsecureOption::{Capabilities, Http, Paths, Tls};
    let pod = load(&version_2("exited").to_string()).unwrap();
    assert_eq!(
        pod.insecure_options,
        [Http, Tls, Capabilities, Paths].into()
    );
    assert_eq!(
        pod.apps.first().unwrap().insecure_options,
        pod.insecure_options
    );
    assert_eq!(pod.network, Network::None);
}

#[test]
fn version_2_is_as_strict_as_it_was() {
    for name in ["prepared", "running", "exited"] {
        for pointer in [
            "",
            "/stage1",
            "/apps/0",
            "/apps/0/image",
            "/apps/0/image/verification",
        ] {
            let mut document = version_2(name);
            let members = document
                .pointer_mut(pointer)
                .unwrap()
                .as_object_mut()
                .unwrap();
            members.insert("lifetime".into(), json!("until-stopped"));
            let error = load(&document.to_string()).unwrap_err().to_string();
            let expected = "unknown field `lifetime`";
            assert!(error.contains(expected), "{name} {pointer}: {error}");
        }
    }
    let mut document = version_2("prepared");
    document["apps"][0]["resources"]["swap"] = json!(1);
    let error = load(&document.to_string()).unwrap_err().to_string();
    assert!(error.contains("unknown field `swap`"), "{error}");
    for (pointer, bad) in [
        ("/apps/0/workdir", json!("srv")),
        ("/apps/0/stop-signal", json!(0)),
        ("/apps/1/name", json!("server")),
        ("/version", json!(1)),
    ] {
        let mut document = version_2("prepared");
        *document.pointer_mut(pointer).unwrap() = bad;
        let error = load(&document.to_string()).unwrap_err();
        assert!(
            matches!(error, PodError::Damaged { .. }),
            "{pointer}: {error}"
        );
    }
}

#[test]
fn what_is_older_than_all_that_is_read_is_told_what_is_read() {
    let error = load(r#"{"version":1,"uuid":"x"}"#).unwrap_err().to_string();
    assert!(
        error.contains("it has version 1, and versions 2 to 3 are read"),
        "{error}"
    );
}
