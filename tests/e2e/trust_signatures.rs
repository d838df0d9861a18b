//! Signatures in both formats: made, listed, verified, and required.

use std::fs;

use harness::{Host, ImageBuilder, Key, Output};
use serde_json::Value;

use crate::trust::{rule, run, unsigned};

fn signatures(host: &Host, image: &str) -> Vec<Value> {
    let shown = host
        .fairing(["image", "signatures", "--format=json", image])
        .run()
        .ok()
        .json();
    shown["signatures"].as_array().unwrap().clone()
}

fn sign(host: &Host, key: &Key, rest: &[&str]) -> Output {
    host.fairing(["image", "sign", "--key"])
        .arg(key.private())
        .args(rest)
        .run()
}

fn verify(host: &Host, keys: &[&Key], rest: &[&str]) -> Output {
    let mut command = host.fairing(["image", "verify-signature"]);
    for key in keys {
        command = command.arg("--key").arg(key.public());
    }
    command.args(rest).run()
}

pub(crate) fn fingerprint(host: &Host, key: &Key) -> String {
    let text = fs::read(key.public()).unwrap();
    host.fairing(["trust", "add", "--prefix", "fingerprint.example", "-"])
        .stdin(text)
        .run()
        .stdout
        .split(' ')
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn an_image_is_signed_in_both_formats_and_either_will_do() {
    for (formats, wanted) in [
        (&["--format=bundle"][..], &["bundle"][..]),
        (&["--format=simple"], &["simple"]),
        (&[], &["simple", "bundle"]),
    ] {
        let (registry, host, image) = unsigned();
        let key = Key::generate(&host, "team");
        key.trust(&host, &registry.name("team"));
        sign(&host, &key, &[formats, &[&image]].concat()).ok();
        let found = signatures(&host, &image);
        let kinds: Vec<_> = found.iter().map(|one| &one["format"]).collect();
        assert_eq!(kinds, wanted, "{found:?}");
        run(&host, &image).ok();
        // The store has what the registry had.
        registry.stop();
        for one in signatures(&host, &image) {
            assert_eq!(one["key"], fingerprint(&host, &key), "{one}");
            assert!(one["signed-at"].is_string(), "{one}");
            assert!(one["rule"].is_string(), "{one}");
        }
        run(&host, &image).ok();
    }
}

#[test]
fn a_key_under_a_passphrase_signs_for_who_knows_it() {
    let (registry, host, image) = unsigned();
    let word = host.write("word", "open sesame\n");
    host.fairing(["trust", "keygen", "--passphrase-file"])
        .arg(&word)
        .args(["--output-dir"])
        .arg(host.base())
        .arg("team")
        .run()
        .ok();
    let key = host.base().join("team.key");
    let text = fs::read_to_string(&key).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED SIGSTORE"), "{text}");
    let sign = || {
        host.fairing(["image", "sign", "--key"])
            .arg(&key)
            .arg(&image)
    };
    sign()
        .run()
        .expect_error(125, &["passphrase", "--passphrase-file"]);
    sign()
        .env("FAIRING_PASSPHRASE", "wrong")
        .run()
        .expect_error(125, &["passphrase"]);
    sign().env("COSIGN_PASSWORD", "open sesame").run().ok();
    sign().arg("--passphrase-file").arg(&word).run().ok();
    let mut terminal = sign().spawn_on_terminal(24, 200);
    terminal.wait_screen("Passphrase");
    terminal.type_keys("open sesame\r");
    terminal.wait_screen("signed ");
    assert!(!terminal.screen().contains("sesame"));
    terminal.wait().ok();
    host.fairing(["trust", "add", "--yes", "--prefix", &registry.name("team")])
        .arg(host.base().join("team.pub"))
        .run()
        .ok();
    run(&host, &image).ok();
}

#[test]
fn who_signed_is_told_by_policy_and_by_given_keys() {
    let (registry, host, image) = unsigned();
    let first = Key::generate(&host, "first");
    let second = Key::generate(&host, "second");
    verify(&host, &[], &[&image]).expect_error(115, &[&image, "no trust rule covers"]);
    verify(&host, &[&first], &[&image]).expect_error(115, &[&image, "not signed"]);
    sign(&host, &first, &[&image]).ok();
    verify(&host, &[&second], &[&image]).expect_error(116, &[&image]);
    let name = fingerprint(&host, &first);
    verify(&host, &[&second, &first], &[&image])
        .ok()
        .expect_stdout(&name);
    let both = ["--threshold=2", &image];
    verify(&host, &[&second, &first], &both).expect_error(116, &[&image]);
    sign(&host, &second, &[&image]).ok();
    verify(&host, &[&second, &first], &both).ok();
    // By the policy; a rule that asks for nothing has verified nothing.
    host.write_policy("all.toml", &rule("*", "type = \"accept-unsigned\""));
    verify(&host, &[], &[&image]).expect_error(115, &["no signature was verified"]);
    first.trust(&host, &registry.name("team"));
    verify(&host, &[], &[&image]).ok().expect_stdout(&name);
    // A key that is revoked doesn't count, whoever gives it.
    host.fairing(["trust", "revoke", &name]).run().ok();
    verify(&host, &[&first], &[&image]).expect_error(116, &["revoked"]);
}

#[test]
fn an_image_runs_only_with_the_attestation_that_its_rule_demands() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    let public = fs::read_to_string(key.public()).unwrap();
    let rest = format!(
        "attestation = [{{ type = \"slsaprovenance1\", condition = [{{ field = \"predicate.builder.id\", \
         one-of = [\"https://ci.example\"] }}] }}]\n\
         type = \"signed-by\"\nkeys = ['''\n{public}''']"
    );
    host.write_policy("team.toml", &rule(&registry.name("team"), &rest));
    sign(&host, &key, &[&image]).ok();
    run(&host, &image).expect_error(116, &[&image, "provenance"]);
    let good = host.write("good.json", "{\"builder\":{\"id\":\"https://ci.example\"}}");
    let good = good.to_str().unwrap();
    sign(&host, &key, &["--attest", good, "--type", "vuln", &image]).ok();
    run(&host, &image).expect_error(116, &[&image, "provenance"]);
    let bad = host.write(
        "bad.json",
        "{\"builder\":{\"id\":\"https://evil.example\"}}",
    );
    let bad = bad.to_str().unwrap();
    sign(
        &host,
        &key,
        &["--attest", bad, "--type", "slsaprovenance1", &image],
    )
    .ok();
    run(&host, &image).expect_error(116, &[&image, "provenance"]);
    let kind = ["--attest", good, "--type", "slsaprovenance1", &image];
    sign(&host, &key, &kind)
        .ok()
        .expect_stdout("https://slsa.dev/provenance/v1");
    run(&host, &image).ok();
    let found = signatures(&host, &image);
    let attested = found.iter().filter(|one| !one["predicate-type"].is_null());
    assert_eq!(attested.count(), 3, "{found:?}");
    for (arguments, code) in [
        (&["--attest", good, &image][..], 2),
        (&["--attest", good, "--type", "nonsense", &image], 2),
        (&["--attest", "/nonexistent", "--type", "vuln", &image], 125),
    ] {
        sign(&host, &key, arguments).expect_code(code);
    }
}

#[test]
fn an_imported_image_is_signed_in_the_store() {
    let host = Host::new();
    let key = Key::generate(&host, "team");
    key.trust(&host, "example.com/team");
    let layout = ImageBuilder::busybox().build();
    let image = crate::imported::import(&host, &layout, "team/app:1");
    run(&host, &image).expect_error(115, &[&image]);
    sign(&host, &key, &["--format=bundle", &image]).ok();
    run(&host, &image).ok();
}

#[test]
fn a_statement_that_nobody_asks_for_is_not_read_at_a_start() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    key.trust(&host, &registry.name("team"));
    key.sign(&host, &image);
    let many = format!(r#"{{"components":["{}"]}}"#, "x".repeat(8000));
    let parts = host.write("parts.json", many);
    let parts = parts.to_str().unwrap();
    let attest = ["--attest", parts, "--type=cyclonedx", &image];
    sign(&host, &key, &attest).ok();
    run(&host, &image).ok();
    // Whoever reads it notices.
    let blobs = host.data_dir().join("images/blobs/sha256");
    let mut damaged = 0;
    for blob in fs::read_dir(blobs).unwrap() {
        let path = blob.unwrap().path();
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        if text.contains("dsseEnvelope") && text.len() > 8000 {
            fs::write(&path, text.replace("dsseEnvelope", "DsseEnvelope")).unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1);
    run(&host, &image).ok();
    let wanted = "[[rule.attestation]]\ntype = \"cyclonedx\"\n";
    let pem = fs::read_to_string(key.public()).unwrap();
    let keys = format!("type = \"signed-by\"\nkeys = ['''{pem}''']\n{wanted}");
    for file in fs::read_dir(host.local_config().join("trust.d")).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    host.write_policy("team.toml", &rule(&registry.name("team"), &keys));
    run(&host, &image).expect_error(111, &["its content has digest"]);
}
