//! A containers-policy.json(5) in place of fairing's own rules.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use harness::{Host, ImageBuilder, Key, Registry};
use serde_json::{Value, json};

use crate::trust::{rule, run};

struct Ground {
    registry: Registry,
    host: Host,
    policy: PathBuf,
}

impl Ground {
    /// A host whose configuration names a policy.json, and whose own rules refuse everything.
    fn new() -> Self {
        let (registry, host) = (Registry::start(), Host::new());
        host.write_policy("all.toml", &rule("*", "type = \"reject\""));
        let policy = host.base().join("policy.json");
        let setting = format!(
            "[trust]\ncontainers-policy = {:?}\n",
            policy.display().to_string()
        );
        host.write(host.local_config().join("config.toml"), setting);
        Self {
            registry,
            host,
            policy,
        }
    }

    fn image(&self, name: &str) -> String {
        ImageBuilder::busybox()
            .env("NAME", name)
            .build()
            .push(&self.registry, name)
    }

    fn write(&self, text: &str) {
        fs::write(&self.policy, text).unwrap();
        fs::set_permissions(&self.policy, Permissions::from_mode(0o644)).unwrap();
    }

    /// A policy that refuses all but this of the registry's `team`.
    fn team(&self, requirement: Value) {
        let policy = json!({
            "default": [{ "type": "reject" }],
            "transports": { "docker": { self.registry.name("team"): [requirement] } },
        });
        self.write(&policy.to_string());
    }
}

#[test]
fn it_decides_in_place_of_the_rules() {
    let ground = Ground::new();
    let key = Key::generate(&ground.host, "team");
    let (signed, unsigned) = (ground.image("team/a:1"), ground.image("team/b:1"));
    let elsewhere = ground.image("other/a:1");
    for image in [&signed, &elsewhere] {
        key.sign(&ground.host, image);
    }
    ground.team(json!({
        "type": "sigstoreSigned",
        "keyPath": key.public(),
        "signedIdentity": { "type": "matchRepository" },
    }));
    run(&ground.host, &signed).ok();
    run(&ground.host, &unsigned).expect_error(115, &[&unsigned]);
    run(&ground.host, &elsewhere).expect_error(115, &[&elsewhere, "policy.json"]);
    ground.team(json!({ "type": "insecureAcceptAnything" }));
    run(&ground.host, &unsigned).ok();
    // It counts at the next start, as every rule does.
    ground.team(json!({ "type": "reject" }));
    run(&ground.host, &signed).expect_error(115, &[&signed]);
    let explained = ground.host.fairing(["trust", "explain", &signed]).run();
    explained.ok().expect_stdout("policy.json");
}

#[test]
fn scopes_of_single_images_and_of_hosts_run_pods() {
    let ground = Ground::new();
    let image = ground.image("team/a:1");
    for scope in [image.as_str(), "*.example"] {
        let policy = json!({
            "default": [{ "type": "reject" }],
            "transports": { "docker": { scope: [{ "type": "insecureAcceptAnything" }] } },
        });
        ground.write(&policy.to_string());
        let name = match scope == image {
            true => image.clone(),
            false => {
                let name = "a.example/team/a:1".to_owned();
                ground.host.fairing(["tag", &image, &name]).run().ok();
                name
            }
        };
        run(&ground.host, &name).ok();
    }
}

#[test]
fn what_trust_d_revokes_is_revoked_for_it_too() {
    let ground = Ground::new();
    let key = Key::generate(&ground.host, "team");
    let image = ground.image("team/a:1");
    key.sign(&ground.host, &image);
    ground.team(json!({
        "type": "sigstoreSigned",
        "keyPath": key.public(),
        "signedIdentity": { "type": "matchRepository" },
    }));
    let fingerprint = {
        let output = run(&ground.host, &image).ok();
        drop(output);
        let shown = ground
            .host
            .fairing(["trust", "explain", "--format", "json", &image])
            .run();
        let shown = shown.ok().json();
        shown["verification"]["keys"][0]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let revoked = format!("[[revoked]]\nfingerprint = \"{fingerprint}\"\n");
    ground.host.write_policy("revoked.toml", &revoked);
    run(&ground.host, &image).expect_error(116, &[&image, "revoked"]);
}

#[test]
fn a_policy_that_is_not_understood_or_not_roots_alone_lets_nothing_run() {
    let ground = Ground::new();
    let image = ground.image("team/a:1");
    let path = ground.policy.display().to_string();
    run(&ground.host, &image).expect_error(125, &[&path]);
    for bad in [
        "",
        r#"{"default":[]}"#,
        r#"{"default":[{"type":"insecureAcceptAnything"}],"default":[{"type":"reject"}]}"#,
        r#"{"default":[{"type":"acceptAnything"}]}"#,
        r#"{"default":[{"type":"insecureAcceptAnything"}],"more":1}"#,
    ] {
        ground.write(bad);
        run(&ground.host, &image).expect_error(125, &[&path]);
    }
    ground.write(r#"{"default":[{"type":"insecureAcceptAnything"}]}"#);
    run(&ground.host, &image).ok();
    fs::set_permissions(&ground.policy, Permissions::from_mode(0o666)).unwrap();
    run(&ground.host, &image).expect_error(125, &[&path, "chmod"]);
    let setting = ground.host.local_config().join("config.toml");
    fs::set_permissions(&ground.policy, Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&setting, Permissions::from_mode(0o622)).unwrap();
    run(&ground.host, &image).expect_error(125, &["config.toml", "chmod"]);
}
