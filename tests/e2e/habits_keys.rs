//! Keys, as people name them and are told of them.

use std::fs;

use harness::Key;

use crate::trust::{run, unsigned};
use crate::trust_signatures::fingerprint;

#[test]
fn a_key_is_named_by_its_file() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    let name = fingerprint(&host, &key);
    let prefix = registry.name("team");
    // Before anything trusts it.
    let shown = host.fairing(["trust", "show"]).arg(key.public()).run().ok();
    assert!(
        shown.stdout.contains(&format!("fingerprint: {name}\n")),
        "{shown}"
    );
    assert!(!shown.stdout.contains("trusted for"), "{shown}");
    key.sign(&host, &image);
    key.trust(&host, &prefix);
    let shown = host.fairing(["trust", "show"]).arg(key.public()).run().ok();
    assert!(
        shown.stdout.contains(&format!("trusted for: {prefix}")),
        "{shown}"
    );
    run(&host, &image).ok();
    host.fairing(["trust", "rm", &prefix])
        .arg(key.public())
        .run()
        .ok();
    run(&host, &image).expect_code(115);
    key.trust(&host, &prefix);
    host.fairing(["trust", "revoke"])
        .arg(key.public())
        .run()
        .ok();
    run(&host, &image).expect_error(116, &[&name, "the key is revoked by"]);
    let shown = host.fairing(["trust", "show", &name]).run().ok();
    assert!(shown.stdout.contains("revoked:"), "{shown}");
}

#[test]
fn a_rule_goes_by_its_prefix_alone() {
    let (registry, host, _) = unsigned();
    let key = Key::generate(&host, "team");
    let prefix = registry.name("team");
    key.trust(&host, &prefix);
    host.fairing(["trust", "rm"])
        .run()
        .expect_code(2)
        .expect_stderr("fairing trust rm PREFIX");
    host.fairing(["trust", "rm", &prefix, "a", "b"])
        .run()
        .expect_code(2);
    let gone = host.fairing(["trust", "rm", &prefix]).run().ok();
    assert!(gone.stdout.contains("is gone"), "{gone}");
    let list = host.fairing(["trust", "list"]).run().ok();
    assert!(!list.stdout.contains(&prefix), "{list}");
}

#[test]
fn a_key_that_can_not_be_added_is_not_told_as_added() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    let prefix = registry.name("team");
    let add = |flags: &[&str]| {
        let command = host.fairing(["trust", "add", "--yes", "--prefix"]);
        let prefix = image.rsplit_once(':').unwrap().0.to_owned();
        command.arg(prefix).args(flags).arg(key.public()).run()
    };
    let refused = add(&["--threshold", "3"]).expect_error(125, &["threshold 3"]);
    assert_eq!(refused.stdout, "");
    let days = ["--not-before", "2027-01-02", "--not-after", "2027-01-01"];
    let refused = add(&days).expect_error(2, &["the key would never count"]);
    assert_eq!(refused.stdout, "");
    host.fairing(["trust", "allow", "--yes", &image]).run().ok();
    let refused = add(&[]).expect_error(
        125,
        &[
            "is of type digest, not signed-by; `fairing trust rm ",
            "removes that rule",
        ],
    );
    assert_eq!(refused.stdout, "");
    let rule = refused.stderr.split('`').nth(1).unwrap();
    let words: Vec<&str> = rule.split(' ').skip(1).collect();
    host.fairing(words).run().ok();
    add(&[]).ok().expect_stdout(&format!("for {prefix}"));
}

#[test]
fn a_key_that_was_not_trusted_is_no_help_where_keys_are_given() {
    let (registry, host, image) = unsigned();
    let (one, other) = (Key::generate(&host, "one"), Key::generate(&host, "other"));
    one.sign(&host, &image);
    one.trust(&host, &registry.name("team"));
    host.fairing(["image", "verify-signature", "--key"])
        .arg(one.public())
        .arg(&image)
        .run()
        .ok();
    let refused = host
        .fairing(["image", "verify-signature", "--key"])
        .arg(other.public())
        .arg(&image)
        .run()
        .expect_code(116)
        .stderr;
    assert!(!refused.contains("trust add"), "{refused}");
}

#[test]
fn too_few_digits_of_a_key_are_said_to_be_too_few() {
    let (registry, host, _) = unsigned();
    let key = Key::generate(&host, "team");
    let prefix = registry.name("team");
    key.trust(&host, &prefix);
    let name = fingerprint(&host, &key);
    let short = &name["sha256:".len()..][..4];
    for command in [
        &["trust", "rm", &prefix, short][..],
        &["trust", "revoke", short],
    ] {
        host.fairing(command)
            .run()
            .expect_error(2, &[short, "6 digits at least"]);
    }
    let enough = &name["sha256:".len()..][..6];
    host.fairing(["trust", "revoke", enough]).run().ok();
}

#[test]
fn days_are_whole_and_an_expired_key_is_the_reason_of_a_refusal() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    let prefix = registry.name("team");
    let add = |flag: &str, day: &str| {
        host.fairing(["trust", "add", "--yes", "--prefix", &prefix, flag, day])
            .arg(key.public())
            .run()
    };
    add("--not-after", "2020-02-30").expect_error(2, &["2020-02-30"]);
    add("--not-after", "2020-01-01")
        .ok()
        .expect_stderr("--not-after 2020-01-01T23:59:59Z has passed: the key counts nowhere now");
    // Nothing is signed yet, and with that key nothing would be.
    run(&host, &image)
        .expect_error(
            115,
            &["is not signed", "the key expired on 2020-01-01T23:59:59Z"],
        )
        .expect_stderr("fairing trust add --prefix");
    key.sign(&host, &image);
    run(&host, &image).expect_error(116, &["the key expired on 2020-01-01T23:59:59Z"]);
    host.fairing(["trust", "rm", &prefix]).run().ok();
    add("--not-before", "2020-01-01").ok();
    run(&host, &image).ok();
}

#[test]
fn a_key_is_made_without_a_passphrase_only_if_that_is_said() {
    let (_registry, host, _) = unsigned();
    host.fairing(["trust", "keygen", "bare"])
        .run()
        .expect_error(2, &["no terminal", "--no-passphrase"]);
    assert!(!host.base().join("bare.key").exists());
    host.fairing(["trust", "keygen", "--no-passphrase", "bare"])
        .run()
        .ok();
    assert!(host.base().join("bare.pub").exists());
    host.fairing(["trust", "keygen", "sealed"])
        .env("COSIGN_PASSWORD", "word")
        .run()
        .ok();
    let sealed = fs::read_to_string(host.base().join("sealed.key")).unwrap();
    assert!(sealed.contains("ENCRYPTED"), "{sealed}");
}

#[test]
fn a_prefix_that_misses_docker_hubs_library_is_warned_of() {
    let (_registry, host, _) = unsigned();
    let key = Key::generate(&host, "team");
    let add = |prefix: &str| {
        host.fairing(["trust", "add", "--yes", "--prefix", prefix])
            .arg(key.public())
            .run()
            .ok()
            .stderr
    };
    let warned = add("docker.io/nginx");
    assert!(warned.contains("docker.io/library/nginx"), "{warned}");
    assert_eq!(add("docker.io/library/nginx"), "");
    assert_eq!(add("docker.io/team/nginx"), "");
}

#[test]
fn what_is_signed_twice_is_explained_once() {
    let (registry, host, image) = unsigned();
    let key = Key::generate(&host, "team");
    key.sign(&host, &image);
    key.trust(&host, &registry.name("team"));
    run(&host, &image).ok();
    let text = host.fairing(["trust", "explain", &image]).run().ok().stdout;
    let lines = text.lines().filter(|line| line.starts_with("signature:"));
    assert_eq!(lines.count(), 1, "{text}");
    let json = host
        .fairing(["trust", "explain", "--format", "json", &image])
        .run()
        .ok()
        .json();
    assert_eq!(json["signatures"].as_array().unwrap().len(), 2, "{json}");
}
