//! `--format json`: what programs read.

use harness::{Algorithm, Host, ImageBuilder, Key, Registry};
use serde_json::Value;

use crate::stocked::{IDLE, IMAGE, busybox, detached};

/// Expects names of members in kebab-case, at every depth; OCI's own documents are left out.
#[track_caller]
fn kebab_case(value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(kebab_case),
        Value::Object(members) => {
            for (name, value) in members.iter().filter(|(name, _)| *name != "config") {
                let is_kebab = name
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
                assert!(is_kebab, "{name:?} is not in kebab-case");
                kebab_case(value);
            }
        }
        _ => {}
    }
}

#[track_caller]
fn json(host: &Host, arguments: &[&str]) -> Value {
    let output = host
        .fairing(arguments)
        .args(["--format", "json"])
        .run()
        .ok();
    let value = output.json();
    kebab_case(&value);
    value
}

/// RFC 3339 in UTC, as all times are.
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() >= 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

#[test]
fn empty_lists_are_empty_arrays() {
    let host = Host::new();
    for command in [&["list"][..], &["image", "list"], &["trust", "list"]] {
        assert_eq!(json(&host, command), serde_json::json!([]), "{command:?}");
    }
}

#[test]
fn list_and_status_of_pods() {
    let host = busybox();
    let running = detached(&host, &["--name", "one", "--hostname", "h"], IDLE);
    host.fairing(["run", "--name", "two", IMAGE, "--app-name", "x", "--"])
        .args(["/bin/sh", "-c", "kill -USR1 $$"])
        .run()
        .expect_code(138);
    let prepared = host.fairing(["prepare", IMAGE]).run().ok();

    let list = json(&host, &["list"]);
    let states: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|pod| pod["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["running", "exited", "prepared"]);
    assert_eq!(list[0]["uuid"], running);
    assert_eq!(list[2]["uuid"], prepared.text());
    assert_eq!(list[2]["name"], Value::Null);

    let one = json(&host, &["status", "one"]);
    assert_eq!(one["uuid"], running);
    assert_eq!(one["name"], "one");
    assert_eq!(one["hostname"], "h");
    assert_eq!(one["network"], "none");
    assert_eq!(one["stage1"], "nspawn");
    assert_eq!(one["exit-code"], Value::Null);
    assert_eq!(one["finished"], Value::Null);
    assert!(
        is_time(&one["created"]) && is_time(&one["started"]),
        "{one}"
    );
    assert!(
        one["monitor-pid"].is_u64() && one["init-pid"].is_u64(),
        "{one}"
    );
    let app = &one["apps"][0];
    assert_eq!(app["name"], "busybox");
    assert_eq!(app["image"], IMAGE);
    assert_eq!(app["state"], "running");
    assert!(app["pid"].is_u64(), "{one}");
    assert!(
        is_time(&app["started"]),
        "a running app has a start\n{one:#}"
    );
    assert_eq!(app["verification"]["policy"], "accept-unsigned");
    assert_eq!(app["verification"]["rule-prefix"], "*");

    let two = json(&host, &["status", "two"]);
    assert_eq!(two["state"], "exited");
    assert_eq!(two["exit-code"], 138);
    assert!(is_time(&two["finished"]), "{two}");
    let app = &two["apps"][0];
    assert_eq!(app["exit-code"], 138);
    assert_eq!(app["outcome"]["kind"], "signaled");
    assert_eq!(app["outcome"]["signal"], 10);
    host.fairing(["stop", "--force", "one"]).run().ok();
    host.fairing(["rm", prepared.text()]).run().ok();
}

#[test]
fn the_manifest_of_a_pod() {
    let host = busybox();
    let pod = host
        .fairing(["prepare", "--name", "made", "--grace-period=3s", IMAGE])
        .args(["--user", "app", "--memory", "64m", "--", "/bin/true"])
        .run()
        .ok();
    let manifest = host.fairing(["cat-manifest", "made"]).run().ok().json();
    kebab_case(&manifest);
    assert_eq!(manifest["uuid"], pod.text());
    assert_eq!(manifest["grace-period-ms"], 3000);
    let app = &manifest["apps"][0];
    assert_eq!(app["execution"]["user"]["user"], "app");
    assert_eq!(app["execution"]["args"], serde_json::json!(["/bin/true"]));
    assert_eq!(app["resources"]["memory"]["limit"], 64 << 20);
    host.fairing(["rm", "made"]).run().ok();
}

#[test]
fn images_with_their_digests_and_sizes() {
    let host = busybox();
    let list = json(&host, &["image", "list"]);
    let image = &list[0];
    assert_eq!(image["reference"], IMAGE);
    assert_eq!(image["layers"], 1);
    assert!(image["size"].as_u64().unwrap() > 100_000, "{list}");
    assert!(is_time(&image["fetched"]), "{list}");
    let inspected = json(&host, &["image", "inspect", IMAGE]);
    assert_eq!(inspected["manifest"], image["manifest"]);
    assert_eq!(inspected["config"]["os"], "linux");
    assert_eq!(inspected["config"]["config"]["Cmd"][0], "/bin/sh");
    assert_eq!(inspected["layers"].as_array().unwrap().len(), 1);
    assert_eq!(inspected["signatures"], serde_json::json!([]));
}

#[test]
fn rules_signatures_and_verdicts() {
    let registry = Registry::start();
    let image = ImageBuilder::busybox().cmd(["/bin/true"]).build();
    let reference = image.push(&registry, "team/app:1");
    let host = Host::new();
    let key = Key::generate_as(&host, "k", Algorithm::EcdsaP256);
    key.sign(&host, &reference);
    let prefix = registry.name("team");
    key.trust(&host, &prefix);

    let rules = json(&host, &["trust", "list"]);
    assert_eq!(rules.as_array().unwrap().len(), 1);
    assert_eq!(rules[0]["prefix"], prefix);
    assert_eq!(rules[0]["type"], "signed-by");
    assert_eq!(rules[0]["threshold"], 1);
    let fingerprint = rules[0]["keys"][0].as_str().unwrap();
    assert_eq!(fingerprint.len(), "sha256:".len() + 64);
    let file = rules[0]["file"].as_str().unwrap();
    assert!(std::path::Path::new(file).is_file(), "{file}");

    host.fairing(["fetch", &reference]).run().ok();
    let inspected = host.fairing(["image", "inspect", &reference]).run().ok();
    let inspected = inspected.json();
    let payload = inspected["signatures"][0]["payload"].as_str().unwrap();
    let payload: Value = serde_json::from_str(payload).unwrap();
    let signed = &payload["critical"]["image"]["docker-manifest-digest"];
    assert_eq!(*signed, image.digest());

    let explained = json(&host, &["trust", "explain", &reference]);
    assert_eq!(explained["allowed"], true);
    assert_eq!(explained["rules"][0]["decides"], true);
    assert_eq!(explained["signatures"][0]["key"], fingerprint);
    assert_eq!(explained["signatures"][0]["counts"], true);
    assert_eq!(explained["verification"]["policy"], "signed-by");

    host.fairing(["run", "--name", "signed", &reference])
        .run()
        .ok();
    let verification = &json(&host, &["status", "signed"])["apps"][0]["verification"];
    assert_eq!(verification["policy"], "signed-by");
    assert_eq!(verification["keys"][0], fingerprint);
    assert_eq!(verification["rule-prefix"], prefix);
    assert_eq!(verification["rule-file"], file);
    assert_eq!(verification["signed-digest"], image.digest());

    host.fairing(["trust", "rm", "--prefix", &prefix, fingerprint])
        .run()
        .ok();
    let explained = json(&host, &["trust", "explain", &reference]);
    assert_eq!(explained["allowed"], false);
    assert!(
        !explained["advice"].as_array().unwrap().is_empty(),
        "{explained}"
    );
}

#[test]
fn versions() {
    let host = Host::new();
    let version = json(&host, &["version"]);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version["stage1-contract"].is_u64(), "{version}");
    assert!(version["platform"].as_str().unwrap().starts_with("linux/"));
}
