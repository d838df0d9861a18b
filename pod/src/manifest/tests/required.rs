//! Each field that not every isolator obeys asks for its feature, also where it stands alone.

use super::*;

/// The sample without any field that asks for a feature.
fn modest() -> Value {
    let mut document = every_field();
    for (pointer, _) in BY_FEATURE {
        take_out(&mut document, pointer);
    }
    document["network"] = json!("none");
    document
}

/// Puts a part of the sample into a document, and what it needs around it.
fn put_in(document: &mut Value, pointer: &str) {
    let sample = every_field();
    let keys: Vec<&str> = pointer.split('/').skip(1).collect();
    let (last, outer) = keys.split_last().unwrap();
    let mut at = document;
    for key in outer {
        at = match at {
            Value::Array(items) => &mut items[key.parse::<usize>().unwrap()],
            other => &mut other[*key],
        };
    }
    at[*last] = sample.pointer(pointer).unwrap().clone();
}

#[test]
fn a_pod_that_asks_for_nothing_runs_anywhere() {
    let pod: PodManifest = serde_json::from_value(modest()).unwrap();
    assert_eq!(pod.required_features(), BTreeSet::new());
}

#[test]
fn each_field_asks_for_its_feature_and_no_other() {
    for (pointer, feature) in BY_FEATURE {
        let mut document = modest();
        put_in(&mut document, pointer);
        let pod: PodManifest = serde_json::from_value(document).unwrap();
        let mut expected = BTreeSet::from([*feature]);
        if *pointer == "/apps/0/resources/memory/limit" {
            // No limit of swap is a limit of its own.
            expected.insert(Feature::MemorySwap);
        }
        if *pointer == "/resources" {
            // What is limited of an app is so of a pod.
            expected.insert(Feature::Resources);
        }
        if *pointer == "/host-namespaces" {
            // The sample's are all.
            expected.insert(Feature::HostPids);
        }
        if *pointer == "/apps/0/probes" {
            // The sample's are all.
            expected.extend([Feature::GrpcProbes, Feature::HttpsProbes]);
        }
        assert_eq!(pod.required_features(), expected, "{pointer}");
    }
}

#[test]
fn each_kind_of_network_asks_for_its_feature() {
    for (network, expected) in [
        (json!("none"), vec![]),
        (json!("host"), vec![Feature::HostNetwork]),
        (json!("all"), vec![Feature::Networks]),
    ] {
        let mut document = modest();
        document["network"] = network;
        let pod: PodManifest = serde_json::from_value(document).unwrap();
        assert_eq!(pod.required_features(), expected.into_iter().collect());
    }
}

#[test]
fn a_pod_that_waits_for_the_word_of_its_apps_asks_for_that() {
    for (when, expected) in [
        ("started", vec![]),
        ("healthy", vec![Feature::Readiness]),
        ("notified", vec![Feature::Readiness, Feature::Notify]),
    ] {
        let mut document = modest();
        document["ready-when"] = json!(when);
        let pod: PodManifest = serde_json::from_value(document).unwrap();
        assert_eq!(pod.required_features(), expected.into_iter().collect());
    }
}

#[test]
fn a_pod_without_apps_is_one_that_changes() {
    let mut document = modest();
    document["apps"] = json!([]);
    let pod: PodManifest = serde_json::from_value(document).unwrap();
    assert_eq!(pod.required_features(), [Feature::Mutable].into());
}

#[test]
fn a_probe_that_says_nothing_else_is_asked_as_kubernetes_would() {
    let probe = json!({ "action": { "type": "tcp-socket", "port": 80 } });
    let probe: Probe = serde_json::from_value(probe).unwrap();
    let of_each = (
        probe.timeout_seconds.get(),
        probe.period_seconds.get(),
        probe.success_threshold.get(),
        probe.failure_threshold.get(),
    );
    assert_eq!(of_each, (1, 10, 1, 3));
    assert_eq!(probe.initial_delay_seconds, 0);
}

#[test]
fn a_pod_finds_its_apps_by_their_names_and_ends_within_its_time() {
    let pod = PodManifest::of_every_field();
    let web = pod.apps.first().unwrap();
    assert_eq!(pod.app(&web.name), Some(web));
    assert_eq!(pod.app(&"other".parse().unwrap()), None);
    let told = every_field()["grace-period-ms"].as_u64().unwrap();
    assert_eq!(pod.grace_period(), std::time::Duration::from_millis(told));
}
