//! A containers-policy.json(5) in place of fairing's own rules.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::{Algorithm, Artifact, Host, ImageBuilder, Key, Registry, digest_of};
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

/// Signs a digest under any name, as cosign would, and puts that beside the image.
fn sign_as(ground: &Ground, key: &Key, repository: &str, digest: &str, name: &str) {
    let payload = json!({
        "critical": {
            "identity": { "docker-reference": name },
            "image": { "docker-manifest-digest": digest },
            "type": "cosign container image signature",
        },
        "optional": null,
    });
    let file = ground.host.write("payload", payload.to_string());
    let signed = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign"])
        .args([key.private(), &file])
        .output()
        .unwrap();
    assert!(signed.status.success(), "{signed:?}");
    let (config, payload) = (b"{}".to_vec(), payload.to_string().into_bytes());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest_of(&config), "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "digest": digest_of(&payload), "size": payload.len(),
            "annotations": {
                "dev.cosignproject.cosign/signature": STANDARD.encode(&signed.stdout),
            },
        }],
    });
    let tag = format!("{repository}:{}.sig", digest.replace(':', "-"));
    Artifact::of_manifest(&manifest, [config, payload]).push(&ground.registry, &tag);
}

/// Whether skopeo takes an image by the same policy.
fn skopeo_takes(ground: &Ground, image: &str) -> bool {
    let registries = ground.host.base().join("registries.d");
    fs::create_dir_all(&registries).unwrap();
    let attached = "default-docker:\n  use-sigstore-attachments: true\n";
    fs::write(registries.join("default.yaml"), attached).unwrap();
    let copied = Command::new("skopeo")
        .arg("--policy")
        .arg(&ground.policy)
        .arg("--registries.d")
        .arg(&registries)
        .args([
            "copy",
            "--quiet",
            "--src-tls-verify=false",
            "--remove-signatures",
        ])
        .arg(format!("docker://{image}"))
        .arg(format!("dir:{}/skopeo", ground.host.base().display()))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&copied.stderr).into_owned();
    let refused =
        told.contains("Signature for identity") || told.contains("signature was required");
    assert!(copied.status.success() || refused, "{image}: {told}");
    copied.status.success()
}

#[test]
fn every_form_of_signed_name_gets_the_verdict_that_skopeo_gives() {
    let ground = Ground::new();
    let key = Key::generate_as(&ground.host, "team", Algorithm::EcdsaP256);
    let artifact = ImageBuilder::busybox().build();
    let digest = artifact.digest();
    let versions = [
        "",
        ":1",
        ":2",
        &format!("@{digest}"),
        &format!(":1@{digest}"),
    ];
    let mut images = Vec::new();
    for (at, version) in versions.iter().enumerate() {
        let repository = format!("team/v{at}");
        let tagged = artifact.push(&ground.registry, &format!("{repository}:1"));
        let name = ground.registry.name(&repository);
        sign_as(
            &ground,
            &key,
            &repository,
            &digest,
            &format!("{name}{version}"),
        );
        for image in [tagged, format!("{name}@{digest}")] {
            images.push((image, name.clone()));
        }
    }
    let own = ground.registry.name("");
    let own = own.trim_end_matches('/');
    let exact = |name: &str| json!({ "type": "exactReference", "dockerReference": name });
    let mut taken = 0;
    for (image, name) in &images {
        for identity in [
            Value::Null,
            json!({ "type": "matchExact" }),
            json!({ "type": "matchRepoDigestOrExact" }),
            json!({ "type": "matchRepository" }),
            exact(&format!("{name}:1")),
            exact(&format!("{name}@{digest}")),
            json!({ "type": "exactRepository", "dockerRepository": name }),
            json!({ "type": "exactRepository", "dockerRepository": format!("{name}:9") }),
            json!({ "type": "remapIdentity", "prefix": own, "signedPrefix": own }),
            json!({ "type": "remapIdentity", "prefix": name, "signedPrefix": "b.example/x" }),
        ] {
            let mut requirement = json!({ "type": "sigstoreSigned", "keyPath": key.public() });
            if !identity.is_null() {
                requirement["signedIdentity"] = identity.clone();
            }
            ground.team(requirement);
            let fetched = ground.host.fairing(["fetch", image]).run();
            let takes = skopeo_takes(&ground, image);
            fetched.expect_code(if takes { 0 } else { 116 });
            taken += usize::from(takes);
        }
    }
    assert_eq!(
        (taken, images.len()),
        (37, 10),
        "how many are taken, of a hundred"
    );
}
