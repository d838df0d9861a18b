//! What each type of rule lets run, what it refuses and what it tells the user.

use super::*;

#[test]
fn integrity_comes_from_the_deciding_rule_and_is_recorded() {
    let rule = |prefix, integrity: &str| rule(prefix, "accept-unsigned") + integrity;
    let policy = policy(&[
        rule("*", "integrity = \"off\"\n"),
        rule("a.io", "integrity = \"full\"\n"),
        rule("b.io", ""),
    ]);
    for (name, integrity, json) in [
        ("a.io/foo", Integrity::Full, ",\"integrity\":\"full\"}"),
        ("b.io/foo", Integrity::Seal, "toml\"}"),
        ("c.io/foo", Integrity::Off, ",\"integrity\":\"off\"}"),
    ] {
        let image = judge(&policy, name, &[]).unwrap();
        assert_eq!(image.integrity(), integrity);
        let recorded = serde_json::to_string(image.verification()).unwrap();
        assert!(recorded.ends_with(json), "{recorded}");
        let read: Verification = serde_json::from_str(&recorded).unwrap();
        assert_eq!(&read, image.verification());
    }
}

#[test]
fn a_signed_image_is_verified_and_its_record_says_by_what() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let policy = policy(&[signed_by("a.io", &[&key], 1)]);
        for signed in [INDEX, MANIFEST] {
            let image = judge(&policy, NAME, &[sign(&key, NAME, signed)]).unwrap();
            assert_eq!(image.manifest(), &digest(MANIFEST));
            assert_eq!(image.reference().to_string(), "a.io/foo:1");
            let verification = Verification {
                policy: Basis::SignedBy,
                rule_prefix: Some(Prefix::parse("a.io").unwrap()),
                rule_file: Some(PathBuf::from("/etc/t/a.toml")),
                keys: vec![key.public().fingerprint()],
                signed_digest: Some(digest(signed)),
                signed_at: None,
                attested: Vec::new(),
                integrity: Integrity::Seal,
            };
            assert_eq!(image.verification(), &verification);
            let shown = format!(
                "signed by {} (rule \"a.io\" of /etc/t/a.toml)",
                key.public().fingerprint()
            );
            assert_eq!(verification.to_string(), shown);
            let json = serde_json::to_string(&verification).unwrap();
            assert!(
                json.starts_with("{\"policy\":\"signed-by\",\"rule-prefix\":\"a.io\""),
                "{json}"
            );
            assert_eq!(
                serde_json::from_str::<Verification>(&json).unwrap(),
                verification
            );
        }
    }
}

#[test]
fn signatures_recorded_from_openssl_verify() {
    const NAME: &str = "registry.example.com/team/app";
    let manifest =
        digest("sha256:4c8b1a8b3ff2e1f4b3f5a5a3d2f9e5c7d1b0a9f8e7d6c5b4a39281706f5e4d3c");
    let subject = Subject {
        reference: &Reference::parse_full(NAME).unwrap(),
        digests: std::slice::from_ref(&manifest),
        manifest: &manifest,
    };
    let cosign = include_bytes!("../../../tests/data/payload.json").as_slice();
    let podman = include_bytes!("../../../tests/data/payload-podman.json").as_slice();
    let p256 = include_str!("../../../tests/data/p256.pub");
    let ed25519 = include_str!("../../../tests/data/ed25519.pub");
    for (key, payload, signature) in [
        (
            p256,
            cosign,
            include_str!("../../../tests/data/payload.p256.sig"),
        ),
        (
            p256,
            cosign,
            include_str!("../../../tests/data/payload.p256-high-s.sig"),
        ),
        (
            p256,
            podman,
            include_str!("../../../tests/data/payload-podman.p256.sig"),
        ),
        (
            ed25519,
            cosign,
            include_str!("../../../tests/data/payload.ed25519.sig"),
        ),
    ] {
        let key = PublicKey::from_pem(key).unwrap();
        let prefix = Prefix::parse("registry.example.com/team").unwrap();
        let policy = policy(&[Rule::signed_by(prefix, &[key], 1).unwrap().to_toml()]);
        let layer = SignatureLayer {
            payload: payload.to_vec(),
            signature: signature.to_owned(),
        };
        assert!(
            verify(
                &policy,
                &subject,
                &Evidence {
                    simple: &[layer],
                    bundles: &[]
                },
                &at(None)
            )
            .is_ok()
        );
    }
}

#[test]
fn without_a_rule_everything_is_refused() {
    let refusal = refused(&Policy::default(), NAME, &[]);
    assert_eq!(
        refusal.to_string(),
        format!("image a.io/foo:1@{INDEX} is not trusted: no trust rule covers a.io/foo")
    );
    let signed = |evidence: &[_]| match refused(&Policy::default(), NAME, evidence) {
        Refusal::NoRule { signed, .. } => signed,
        other => panic!("{other}"),
    };
    assert!(!signed(&[]));
    assert!(signed(&[sign(&key(), NAME, MANIFEST)]));
}

#[test]
fn an_unsigned_image_is_refused() {
    let key = key();
    let policy = policy(&[signed_by("a.io/foo", &[&key], 1)]);
    let refusal = refused(&policy, NAME, &[]);
    assert_eq!(
        refusal.to_string(),
        format!(
            "image a.io/foo:1@{INDEX} is not signed: rule \"a.io/foo\" of /etc/t/a.toml:1 requires key {}",
            key.public().fingerprint()
        )
    );
}

#[test]
fn the_longest_prefix_decides_alone() {
    let (team, company) = (key(), key());
    let policy = policy(&[
        rule("*", "accept-unsigned"),
        signed_by("a.io", &[&company], 1),
        signed_by("a.io/foo", &[&team], 1),
    ]);
    // The company's key is no key for the team's images: theirs decides.
    let refusal = refused(&policy, NAME, &[sign(&company, NAME, MANIFEST)]);
    assert!(matches!(refusal, Refusal::WrongKey { .. }), "{refusal}");
    assert!(judge(&policy, NAME, &[sign(&team, NAME, MANIFEST)]).is_ok());
    expect_wrong_key(judge(
        &policy,
        "a.io/bar",
        &[sign(&team, "a.io/bar", MANIFEST)],
    ));
    let unsigned = judge(&policy, "b.io/x", &[]).unwrap();
    assert_eq!(unsigned.verification().policy, Basis::AcceptUnsigned);
    let shown = "accepted unsigned (rule \"*\" of /etc/t/a.toml)";
    assert_eq!(unsigned.verification().to_string(), shown);
}

#[test]
fn reject_rules_reject_even_what_is_signed() {
    let key = key();
    let above = signed_by("*", &[&key], 1);
    let line = above.lines().count() + 1;
    let policy = policy(&[above, rule("a.io", "reject")]);
    let refusal = refused(&policy, NAME, &[sign(&key, NAME, MANIFEST)]);
    assert_eq!(
        refusal.to_string(),
        format!("image a.io/foo:1@{INDEX} is rejected by rule \"a.io\" of /etc/t/a.toml:{line}")
    );
}

#[test]
fn digest_rules_want_a_digest_of_the_chain() {
    let list = |listed: &str| {
        policy(&[format!(
            "{}digests = [\"{OTHER}\", \"{listed}\"]\n",
            rule("a.io", "digest")
        )])
    };
    for listed in [INDEX, MANIFEST] {
        let image = judge(&list(listed), NAME, &[]).unwrap();
        assert_eq!(image.verification().policy, Basis::Digest);
        assert_eq!(image.verification().signed_digest, Some(digest(listed)));
    }
    let unlisted = INDEX.replace('1', "4");
    let refusal = refused(&list(&unlisted), NAME, &[sign(&key(), NAME, MANIFEST)]);
    assert_eq!(
        refusal.to_string(),
        format!(
            "image a.io/foo:1@{INDEX} is not allowed: rule \"a.io\" of /etc/t/a.toml:1 does not list {MANIFEST}"
        )
    );
}

#[test]
fn a_broken_key_stops_its_rule_and_no_other() {
    let good = key();
    let above = signed_by("a.io", &[&good], 1);
    let line = above.lines().count() + 1;
    let policy = policy(&[
        above,
        format!(
            "{}keys = ['''{}''', 'x']\n",
            rule("b.io", "signed-by"),
            good.public().to_pem()
        ),
    ]);
    assert!(judge(&policy, NAME, &[sign(&good, NAME, MANIFEST)]).is_ok());
    // Even where another key of the rule would do.
    let refusal = refused(&policy, "b.io/x", &[sign(&good, "b.io/x", MANIFEST)]);
    assert_eq!(
        refusal.to_string(),
        format!(
            "image b.io/x:1@{INDEX} is refused: rule \"b.io\" of /etc/t/a.toml:{line} cannot be used: \
             its key 2 is unreadable"
        )
    );
    let cause = std::error::Error::source(&refusal).unwrap().to_string();
    assert!(cause.starts_with("not PEM text"), "{cause}");
}

#[test]
fn a_removed_or_masked_rule_counts_at_the_next_verdict() {
    let key = key();
    let signatures = [sign(&key, NAME, MANIFEST)];
    let source = |path: &str, text: String| PolicySource {
        path: PathBuf::from(path),
        text,
    };
    let system = [source("/usr/t/a.toml", signed_by("a.io", &[&key], 1))];
    let policy = |local: &[PolicySource]| Policy::parse(&system, local).unwrap();
    assert!(judge(&policy(&[]), NAME, &signatures).is_ok());
    let masked = policy(&[source("/etc/t/a.toml", String::new())]);
    assert!(matches!(
        refused(&masked, NAME, &signatures),
        Refusal::NoRule { .. }
    ));
    let replaced = policy(&[source(
        "/etc/t/a.toml",
        signed_by("a.io", &[&self::key()], 1),
    )]);
    assert!(matches!(
        refused(&replaced, NAME, &signatures),
        Refusal::WrongKey { .. }
    ));
    let beside = policy(&[source("/etc/t/b.toml", rule("a.io/foo", "reject"))]);
    assert!(matches!(
        refused(&beside, NAME, &signatures),
        Refusal::Rejected { .. }
    ));
}

#[test]
fn a_waived_image_is_recorded_as_waived() {
    let manifest = digest(MANIFEST);
    let subject = Subject {
        reference: &Reference::parse_full(NAME).unwrap(),
        digests: std::slice::from_ref(&manifest),
        manifest: &manifest,
    };
    let image = waive(&subject);
    assert_eq!(
        (image.manifest(), image.reference()),
        (&manifest, subject.reference)
    );
    let json = serde_json::to_string(image.verification()).unwrap();
    assert_eq!(json, r#"{"policy":"waived"}"#);
    let read: Verification = serde_json::from_str(&json).unwrap();
    assert_eq!(read.to_string(), "verification waived");
}

#[test]
fn a_rule_that_counts_in_other_namespaces_alone_is_told() {
    let text = "[[rule]]\nprefix = \"a.io\"\nkubernetes-namespaces = [\"dev\", \"test\"]\n\
         type = \"accept-unsigned\"\n";
    let policy = policy(&[text.to_owned()]);
    let elsewhere = "no trust rule covers a.io/foo here: rule \"a.io\" of /etc/t/a.toml:1 counts in \
         Kubernetes namespace dev, test alone";
    let told = |policy: &Policy| refused(policy, NAME, &[]).to_string();
    assert_eq!(
        told(&policy),
        format!("image a.io/foo:1@{INDEX} is not trusted: {elsewhere}")
    );
    let prod = policy.clone().for_kubernetes_namespace(Some("prod"));
    assert_eq!(
        told(&prod),
        format!(
            "image a.io/foo:1@{INDEX} for Kubernetes namespace prod is not trusted: {elsewhere}"
        )
    );
    let dev = policy.for_kubernetes_namespace(Some("dev"));
    assert!(judge(&dev, NAME, &[]).is_ok());
    // What is elsewhere is not what is for another name.
    let text = text.replace("\"a.io\"", "\"b.io\"");
    let other = self::policy(&[text]);
    assert!(!told(&other).contains("here"), "{}", told(&other));
}
