//! What cosign itself made, judged as at a start.

use super::*;

const IMAGE: &str = "sha256:b405a80eecdca1ecb2160cd35e69673affd6a723a72be924a2bb46cd740e157e";

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("../../../tests/data/", $name))
    };
}

fn judge(
    policy: &Policy,
    name: &str,
    simple: &[SignatureLayer],
    bundles: &[&str],
) -> Result<VerifiedImage, Refusal> {
    let image = digest(IMAGE);
    let reference = Reference::parse_full(&format!("{name}:1")).unwrap();
    let subject = Subject {
        reference: &reference,
        digests: std::slice::from_ref(&image),
        manifest: &image,
    };
    let bundles: Vec<_> = bundles
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    let evidence = Evidence {
        simple,
        bundles: &bundles,
    };
    verify(policy, &subject, &evidence, &at(None))
}

fn rule_for(key: &str, more: &str) -> Policy {
    let key = PublicKey::from_pem(key).unwrap();
    let prefix = Prefix::parse("127.0.0.1:5917/team").unwrap();
    let rule = Rule::signed_by(prefix, &[key], 1).unwrap().to_toml();
    policy_of(&(rule + more))
}

fn recorded(payload: &str, signature: &str) -> [SignatureLayer; 1] {
    [SignatureLayer {
        payload: payload.into(),
        signature: signature.to_owned(),
    }]
}

#[test]
fn signatures_in_the_tag_format_count() {
    for (key, name, payload, signature) in [
        (
            data!("cosign-2/p256.pub"),
            "app2",
            data!("cosign-2/payload.json"),
            data!("cosign-2/payload.p256.sig"),
        ),
        (
            data!("cosign-2/ed25519.pub"),
            "app2",
            data!("cosign-2/payload.json"),
            data!("cosign-2/payload.ed25519.sig"),
        ),
        (
            data!("cosign-2/p256.pub"),
            "app2",
            data!("cosign-2/payload-annotated.json"),
            data!("cosign-2/payload-annotated.p256.sig"),
        ),
        (
            data!("cosign-3/p256.pub"),
            "tag3",
            data!("cosign-3/payload.json"),
            data!("cosign-3/payload.p256.sig"),
        ),
        (
            data!("cosign-3/ed25519.pub"),
            "tag3",
            data!("cosign-3/payload.json"),
            data!("cosign-3/payload.ed25519.sig"),
        ),
    ] {
        let policy = rule_for(key, "");
        let layer = recorded(payload, signature);
        let judged = judge(&policy, &format!("127.0.0.1:5917/team/{name}"), &layer, &[]);
        assert!(judged.is_ok(), "{judged:?}");
        let other = judge(&policy, "127.0.0.1:5917/team/other", &layer, &[]).unwrap_err();
        assert!(
            other.to_string().contains("it is for another name"),
            "{other}"
        );
    }
}

#[test]
fn bundles_count_as_signatures_and_as_attestations() {
    for (key, bundle) in [
        (
            data!("cosign-3/p256.pub"),
            data!("cosign-3/sign.p256.bundle.json"),
        ),
        (
            data!("cosign-3/ed25519.pub"),
            data!("cosign-3/sign.ed25519.bundle.json"),
        ),
        (
            data!("cosign-3/p384.pub"),
            data!("cosign-3/sign.p384.bundle.json"),
        ),
    ] {
        let judged = judge(
            &rule_for(key, ""),
            "127.0.0.1:5917/team/app3",
            &[],
            &[bundle],
        );
        assert!(judged.is_ok(), "{judged:?}");
    }
    let provenance = "[[rule.attestation]]\ntype = \"slsaprovenance1\"\n[[rule.attestation.condition]]\n\
                      field = \"predicate.runDetails.builder.id\"\nequals = \"https://ci.example.com/builder\"\n";
    let both = [
        data!("cosign-3/sign.p256.bundle.json"),
        data!("cosign-3/provenance.p256.bundle.json"),
    ];
    let policy = rule_for(data!("cosign-3/p256.pub"), provenance);
    assert!(judge(&policy, "127.0.0.1:5917/team/app3", &[], &both).is_ok());
    let scanned = |limit: &str, key: &str| {
        format!(
            "[[rule.attestation]]\ntype = \"vuln\"\nkeys = ['''{key}''']\n[[rule.attestation.condition]]\n\
             field = \"predicate.scanner.result.high\"\nat-most = {limit}\n"
        )
    };
    for (scanner, scan) in [
        (
            data!("cosign-3/p384.pub"),
            data!("cosign-3/vuln.p384.bundle.json"),
        ),
        (
            data!("cosign-2/ed25519.pub"),
            data!("cosign-2/vuln.ed25519.bundle.json"),
        ),
    ] {
        let judge = |limit| {
            let policy = rule_for(data!("cosign-3/p256.pub"), &scanned(limit, scanner));
            judge(&policy, "127.0.0.1:5917/team/x", &[], &[both[0], scan])
        };
        assert!(judge("2").is_ok());
        assert!(matches!(judge("1"), Err(Refusal::NotAttested { .. })));
    }
}

#[test]
fn the_times_that_cosign_signs_are_understood() {
    let monotonic = |key| {
        let mut text = rule_for(key, "").rules()[0].rule().to_toml();
        text = text.replace("type =", "monotonic = true\ntype =");
        policy_of(&text)
    };
    let layer = recorded(
        data!("cosign-2/payload-timestamp.json"),
        data!("cosign-2/payload-timestamp.p256.sig"),
    );
    let policy = monotonic(data!("cosign-2/p256.pub"));
    let image = judge(&policy, "127.0.0.1:5917/team/ann3", &layer, &[]).unwrap();
    assert_eq!(image.signed_at(), Timestamp::from_seconds(1_795_000_000));
    let policy = monotonic(data!("cosign-3/p256.pub"));
    let bundle = data!("cosign-3/sign-timestamp.p256.bundle.json");
    let image = judge(&policy, "127.0.0.1:5917/team/ann3", &[], &[bundle]).unwrap();
    assert_eq!(image.signed_at(), Some(time("2026-11-20T10:00:00Z")));
    let bundle = data!("cosign-3/sign.p256.bundle.json");
    expect_refusal(
        judge(&policy, "127.0.0.1:5917/team/ann3", &[], &[bundle]),
        "it carries no timestamp",
    );
}
