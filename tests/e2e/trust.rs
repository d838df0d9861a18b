//! Which images may run: signatures, rules, and what is recorded of them.

use std::fs;

use harness::{Algorithm, Host, ImageBuilder, Key, Output, Registry};
use serde_json::Value;

/// A registry with busybox as `team/busybox:1`, and a host without any rule.
pub(crate) fn unsigned() -> (Registry, Host, String) {
    let registry = Registry::start();
    let image = ImageBuilder::busybox()
        .build()
        .push(&registry, "team/busybox:1");
    (registry, Host::new(), image)
}

pub(crate) fn run(host: &Host, image: &str) -> Output {
    host.fairing(["run", "--rm", image, "--", "/bin/true"])
        .run()
}

pub(crate) fn rule(prefix: &str, rest: &str) -> String {
    format!("[[rule]]\nprefix = \"{prefix}\"\n{rest}\n")
}

fn fingerprints(host: &Host) -> Vec<String> {
    let rules = host
        .fairing(["trust", "list", "--format", "json"])
        .run()
        .ok()
        .json();
    rules
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|rule| rule["keys"].as_array().cloned().unwrap_or_default())
        .map(|key| key.as_str().unwrap().to_owned())
        .collect()
}

/// The lines below the error: what would help.
fn advice(output: &Output) -> Vec<&str> {
    output
        .stderr
        .lines()
        .skip_while(|line| !line.starts_with("fairing: "))
        .skip(1)
        .collect()
}

#[test]
fn without_a_rule_nothing_runs_and_the_advice_helps() {
    let (registry, host, image) = unsigned();
    let refused = run(&host, &image).expect_error(115, &[&image, "no trust rule covers"]);
    let advice = advice(&refused).join("\n");
    for way in [
        "trust allow",
        "image sign --key KEY",
        "run --insecure-options=image",
    ] {
        assert!(advice.contains(&format!("fairing {way} ")), "{advice}");
    }
    assert!(host.pod_folders().is_empty());
    // Nothing of the image was taken: only its documents were asked for.
    let layers = fs::read_dir(host.data_dir().join("images/layers"));
    assert_eq!(layers.map_or(0, |entries| entries.count()), 0);
    drop(registry);
}

#[test]
fn an_unsigned_image_is_refused_until_it_is_signed() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    key.trust(&host, &registry.name("team"));
    let refused = run(&host, &image).expect_error(115, &[&image, "signed"]);
    let advice = advice(&refused).join("\n");
    assert!(advice.contains("fairing image sign --key"), "{advice}");
    assert!(advice.contains(&image), "{advice}");
    host.fairing(["fetch", &image])
        .run()
        .expect_error(115, &[&image]);
    key.sign(&host, &image);
    run(&host, &image).ok();
}

#[test]
fn both_kinds_of_keys_sign_and_only_the_right_key_counts() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
        let (registry, host, image) = unsigned();
        let wanted = Key::generate_as(&host, "wanted", algorithm);
        let other = Key::generate_as(&host, "other", algorithm);
        wanted.trust(&host, &registry.name("team"));
        other.sign(&host, &image);
        run(&host, &image).expect_error(116, &[&image]);
        wanted.sign(&host, &image);
        run(&host, &image).ok();
    }
}

#[test]
fn a_prefix_covers_whole_path_components_only() {
    let registry = Registry::start();
    let host = Host::new();
    let key = Key::generate(&host, "team");
    key.trust(&host, &registry.name("team"));
    let image = ImageBuilder::busybox().build();
    for (name, covered) in [
        ("team:1", true),
        ("team/a:1", true),
        ("team/a/b:1", true),
        ("teamwork:1", false),
        ("teamwork/a:1", false),
        ("other/team:1", false),
    ] {
        let reference = image.push(&registry, name);
        key.sign(&host, &reference);
        match covered {
            true => drop(run(&host, &reference).ok()),
            false => drop(run(&host, &reference).expect_error(115, &[&reference])),
        }
    }
}

#[test]
fn a_signature_is_for_its_name() {
    let registry = Registry::start();
    let host = Host::new();
    let key = Key::generate(&host, "team");
    key.trust(&host, registry.name("").trim_end_matches('/'));
    let image = ImageBuilder::busybox().build();
    let signed = image.push(&registry, "tools/good:1");
    key.sign(&host, &signed);
    run(&host, &signed).ok();
    // The same digest with the same signature manifest, copied to another repository.
    let copy = image.push(&registry, "tools/evil:1");
    let tag = format!("{}.sig", image.digest().replace(':', "-"));
    let copied = std::process::Command::new("skopeo")
        .args([
            "copy",
            "--quiet",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
        ])
        .arg(format!(
            "docker://{}",
            registry.reference(&format!("tools/good:{tag}"))
        ))
        .arg(format!(
            "docker://{}",
            registry.reference(&format!("tools/evil:{tag}"))
        ))
        .output()
        .unwrap();
    assert!(
        copied.status.success(),
        "{}",
        String::from_utf8_lossy(&copied.stderr)
    );
    let other = Host::new();
    fs::create_dir_all(other.base().join("keys")).unwrap();
    other
        .fairing([
            "trust",
            "add",
            "--yes",
            "--prefix",
            registry.name("").trim_end_matches('/'),
        ])
        .arg(key.public())
        .run()
        .ok();
    run(&other, &signed).ok();
    let refused = run(&other, &copy);
    assert!(matches!(refused.code, Some(115 | 116)), "{refused}");
}

#[test]
fn a_removed_key_refuses_the_next_start_of_a_stored_image_offline() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    let prefix = registry.name("team");
    key.sign(&host, &image);
    key.trust(&host, &prefix);
    host.fairing(["fetch", &image]).run().ok();
    let prepared = host
        .fairing(["prepare", &image, "--", "/bin/true"])
        .run()
        .ok();
    registry.stop();
    run(&host, &image).ok();
    let fingerprint = fingerprints(&host).remove(0);
    host.fairing(["trust", "rm", "--prefix", &prefix, &fingerprint])
        .run()
        .ok();
    run(&host, &image).expect_error(115, &[&image, "no trust rule covers"]);
    // The pod that was prepared while the key was trusted is no way around.
    host.fairing(["run-prepared", prepared.text()])
        .run()
        .expect_error(115, &[&image]);
    key.trust(&host, &prefix);
    host.fairing(["run-prepared", prepared.text()]).run().ok();
    run(&host, &image).ok();
}

#[test]
fn a_waived_image_does_not_run_later_without_the_option() {
    let (registry, host, image) = unsigned();
    host.fairing(["--insecure-options=image", "fetch", &image])
        .run()
        .ok();
    registry.stop();
    run(&host, &image).expect_error(115, &[&image]);
    let uuid_file = host.base().join("uuid");
    host.fairing(["--insecure-options=image", "run", "--uuid-file-save"])
        .arg(&uuid_file)
        .args([&image, "--", "/bin/true"])
        .run()
        .ok();
    let uuid = fs::read_to_string(uuid_file).unwrap();
    let manifest = host
        .fairing(["cat-manifest", uuid.trim()])
        .run()
        .ok()
        .json();
    assert_eq!(manifest["insecure-options"], serde_json::json!(["image"]));
    assert_eq!(
        manifest["apps"][0]["image"]["verification"]["policy"],
        "waived"
    );
    run(&host, &image).expect_error(115, &[&image]);
    // Nor does a pod that was prepared with the option.
    let prepared = host
        .fairing([
            "--insecure-options=image",
            "prepare",
            &image,
            "--",
            "/bin/true",
        ])
        .run()
        .ok();
    host.fairing(["run-prepared", prepared.text()])
        .run()
        .expect_error(115, &[&image]);
    host.fairing(["--insecure-options=image", "run-prepared", prepared.text()])
        .run()
        .ok();
}

#[test]
fn what_was_verified_is_in_the_manifest_and_in_status() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    let prefix = registry.name("team");
    key.sign(&host, &image);
    key.trust(&host, &prefix);
    let digest = host.fairing(["fetch", &image]).run().ok().text().to_owned();
    host.fairing(["run", "--name", "seen", &image, "--", "/bin/true"])
        .run()
        .ok();
    let fingerprint = fingerprints(&host).remove(0);
    let manifest = host.fairing(["cat-manifest", "seen"]).run().ok().json();
    let status = host
        .fairing(["status", "seen", "--format", "json"])
        .run()
        .ok()
        .json();
    for verification in [
        &manifest["apps"][0]["image"]["verification"],
        &status["apps"][0]["verification"],
    ] {
        assert_eq!(verification["policy"], "signed-by");
        assert_eq!(verification["rule-prefix"], prefix.as_str());
        assert_eq!(verification["keys"], serde_json::json!([fingerprint]));
        assert_eq!(verification["signed-digest"], digest.as_str());
        let file = verification["rule-file"].as_str().unwrap();
        assert!(
            file.starts_with(host.local_config().to_str().unwrap()),
            "{file}"
        );
        assert!(std::path::Path::new(file).exists(), "{file}");
    }
    assert_eq!(manifest["apps"][0]["image"]["manifest"], digest.as_str());
    assert_eq!(manifest["apps"][0]["image"]["reference"], image.as_str());
    host.fairing(["status", "seen"])
        .run()
        .ok()
        .expect_stdout(&fingerprint)
        .expect_stdout("signed-by");
}

fn explain(host: &Host, image: &str) -> Value {
    host.fairing(["trust", "explain", "--format", "json", image])
        .run()
        .ok()
        .json()
}

#[test]
fn explain_says_which_rule_decides_and_why() {
    let (registry, host, image) = unsigned();
    let before = explain(&host, &image);
    assert_ne!(before["allowed"], true, "{before}");

    let key = Key::generate(&host, "team");
    let other = Key::generate(&host, "other");
    let prefix = registry.name("team");
    host.write_policy("all.toml", &rule("*", "type = \"reject\""));
    key.trust(&host, &prefix);
    host.fairing(["--insecure-options=image", "fetch", &image])
        .run()
        .ok();
    other.sign(&host, &image);
    let refused = explain(&host, &image);
    assert_eq!(refused["allowed"], false, "{refused}");
    let rules = refused["rules"].as_array().unwrap();
    let deciding: Vec<&Value> = rules
        .iter()
        .filter(|rule| rule["decides"] == true)
        .collect();
    assert_eq!(deciding.len(), 1, "{refused}");
    assert_eq!(deciding[0]["prefix"], prefix.as_str());
    assert!(
        rules
            .iter()
            .any(|rule| rule["prefix"] == "*" && rule["decides"] == false)
    );
    assert_eq!(refused["signatures"][0]["counts"], false, "{refused}");
    assert!(!refused["advice"].as_array().unwrap().is_empty());
    run(&host, &image).expect_error(116, &[&image]);

    key.sign(&host, &image);
    let allowed = explain(&host, &image);
    assert_eq!(allowed["allowed"], true, "{allowed}");
    assert_eq!(allowed["verification"]["policy"], "signed-by");
    let fingerprint = &allowed["verification"]["keys"][0];
    assert_eq!(*fingerprint, fingerprints(&host)[0].as_str());
    run(&host, &image).ok();
    host.fairing(["trust", "explain", &image])
        .run()
        .ok()
        .expect_stdout("verdict:")
        .expect_stdout("allowed")
        .expect_stdout(fingerprint.as_str().unwrap());
}

#[test]
fn a_moved_tag_is_not_what_was_signed() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    key.trust(&host, &registry.name("team"));
    key.sign(&host, &image);
    run(&host, &image).ok();
    ImageBuilder::busybox()
        .env("EVIL", "1")
        .build()
        .push(&registry, "team/busybox:1");
    host.fairing(["run", "--rm", "--pull=always", &image, "--", "/bin/true"])
        .run()
        .expect_error(115, &[&image]);
    // What is stored is what was signed.
    host.fairing([
        "run",
        "--rm",
        "--pull=never",
        &image,
        "--",
        "/bin/sh",
        "-c",
        "echo ${EVIL:-good}",
    ])
    .run()
    .ok()
    .expect_stdout("good\n");
}

#[test]
fn a_store_that_was_tampered_with_is_noticed_at_the_start() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    key.trust(&host, &registry.name("team"));
    key.sign(&host, &image);
    let digest = host.fairing(["fetch", &image]).run().ok().text().to_owned();
    let blobs = host.data_dir().join("images/blobs/sha256");
    let manifest = blobs.join(digest.trim_start_matches("sha256:"));
    let original = fs::read_to_string(&manifest).unwrap();
    let config: Value = serde_json::from_str(&original).unwrap();
    let config = config["config"]["digest"].as_str().unwrap();
    let config = blobs.join(config.trim_start_matches("sha256:"));
    for file in [manifest, config] {
        let before = fs::read_to_string(&file).unwrap();
        let changed = before.replacen("sha256:", "sha256: ", 1);
        assert_ne!(before, changed);
        fs::write(&file, changed).unwrap();
        run(&host, &image).expect_error(111, &["sha256:"]);
        fs::write(&file, before).unwrap();
        run(&host, &image).ok();
    }
}
