use image_name::Reference;

use super::*;
use crate::{Algorithm, PolicySource, PrivateKey, Rule, SignatureLayer, payload};

const MANIFEST: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
const OTHER: &str = "sha256:3333333333333333333333333333333333333333333333333333333333333333";
const NAME: &str = "a.io/foo";

fn reference(text: &str) -> Reference {
    Reference::parse_full(text).unwrap()
}

fn digest(text: &str) -> Digest {
    Digest::parse(text).unwrap()
}

fn key(text: &str) -> PrivateKey {
    PrivateKey::from_pem(text).unwrap()
}

fn p256() -> PrivateKey {
    key(include_str!("../../tests/data/p256.key"))
}

fn sign(key: &PrivateKey, signed: &str) -> SignatureLayer {
    let payload = payload(&Repository::parse(NAME).unwrap(), &digest(signed), None);
    SignatureLayer {
        signature: key.sign(&payload),
        payload,
    }
}

fn evidence(simple: &[SignatureLayer]) -> Evidence<'_> {
    Evidence {
        simple,
        bundles: &[],
    }
}

fn at() -> Circumstances {
    Circumstances {
        now: Timestamp::parse("2027-01-01T00:00:00Z").unwrap(),
        newest_seen: None,
    }
}

fn policy() -> Policy {
    let source = |path: &str, text: &str| PolicySource {
        path: PathBuf::from(path),
        text: text.to_owned(),
    };
    let prefix = Prefix::parse(NAME).unwrap();
    let signed = Rule::signed_by(prefix, &[p256().public().clone()], 1)
        .unwrap()
        .to_toml();
    let rule = |prefix, kind| format!("[[rule]]\nprefix = \"{prefix}\"\ntype = \"{kind}\"\n");
    let system = [
        source("/usr/t/default.toml", &rule("*", "reject")),
        source("/usr/t/old.toml", &rule("a.io", "accept-unsigned")),
    ];
    let local = [
        source("/etc/t/old.toml", ""),
        source("/etc/t/foo.toml", &signed),
        source("/etc/t/bar.toml", &rule("a.io/foobar", "accept-unsigned")),
    ];
    Policy::parse(&system, &local).unwrap()
}

fn explained(signatures: &[SignatureLayer]) -> Explanation {
    let manifest = digest(MANIFEST);
    let subject = Subject {
        reference: &reference("a.io/foo:1"),
        digests: std::slice::from_ref(&manifest),
        manifest: &manifest,
    };
    explain(&policy(), &subject, &evidence(signatures), &at())
}

#[test]
fn shows_what_decides_and_why() {
    let good = p256();
    let wrong = PrivateKey::generate(Algorithm::Ed25519).unwrap();
    let signatures = [
        sign(&wrong, MANIFEST),
        sign(&good, OTHER),
        sign(&good, MANIFEST),
        sign(&good, MANIFEST),
    ];
    let fingerprint = good.public().fingerprint();
    let expected = format!(
        "image:      a.io/foo:1\n\
         repository: a.io/foo\n\
         manifest:   {MANIFEST}\n\
         rule:       \"a.io/foo\" signed-by of /etc/t/foo.toml:1 decides: requires a signature by {fingerprint}\n\
         rule:       \"*\" reject of /usr/t/default.toml:1 matches: \"a.io/foo\" is longer\n\
         rules for other names: 1\n\
         masked:     /usr/t/old.toml\n\
         signature:  does not count: no key of the rule made it\n\
         signature:  by {fingerprint} does not count: it is for another image, {OTHER}\n\
         signature:  by {fingerprint} counts: signs {MANIFEST}\n\
         verdict:    allowed: signed by {fingerprint} (rule \"a.io/foo\" of /etc/t/foo.toml)"
    );
    assert_eq!(explained(&signatures).to_string(), expected);
}

#[test]
fn each_signature_is_shown_to_each_of_several_requirements() {
    let (first, second) = (p256(), PrivateKey::generate(Algorithm::Ed25519).unwrap());
    let by =
        |key: &PrivateKey| Requirement::signed_by(vec![KeyText::new(&key.public().to_pem())], 1);
    let both = Requirement::All(vec![by(&first), by(&second)]);
    let rule = Rule::new(Prefix::parse(NAME).unwrap(), both).unwrap();
    let policy = Policy::of_rules(vec![rule], "/etc/policy.json".as_ref()).unwrap();
    let manifest = digest(MANIFEST);
    let subject = Subject {
        reference: &reference("a.io/foo:1"),
        digests: std::slice::from_ref(&manifest),
        manifest: &manifest,
    };
    let signed = [sign(&first, MANIFEST)];
    let text = explain(&policy, &subject, &evidence(&signed), &at()).to_string();
    let [one, other] = [&first, &second].map(|key| key.public().fingerprint());
    for line in [
        format!("requires a signature by {one}, and requires a signature by {other}"),
        format!("signature:  by {one} counts: signs {MANIFEST}"),
        "signature:  does not count: no key of the rule made it".to_owned(),
        "verdict:    refused: ".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}\n{text}");
    }
    assert!(!text.contains("rules for other names"), "{text}");
}

#[test]
fn shows_the_refusal() {
    let explanation = explained(&[]);
    assert_eq!(explanation.allowed, Some(false));
    let text = explanation.to_string();
    assert!(
        text.contains(&format!(
            "verdict:    refused: image a.io/foo:1@{MANIFEST} is not signed"
        )),
        "{text}"
    );
    assert!(matches!(
        explanation.refusal,
        Some(Refusal::Unsigned { .. })
    ));
}

#[test]
fn serialised_for_programs() {
    let json = serde_json::to_value(explained(&[sign(&p256(), MANIFEST)])).unwrap();
    assert_eq!(json["allowed"], true);
    assert_eq!(json["rules"][0]["decides"], true);
    assert_eq!(json["rules"][0]["type"], "signed-by");
    assert_eq!(json["rules"][1]["decides"], false);
    assert_eq!(json["other-rules"], 1);
    assert_eq!(json["masked"][0], "/usr/t/old.toml");
    assert_eq!(json["signatures"][0]["counts"], true);
    assert_eq!(json["verification"]["policy"], "signed-by");
}

#[test]
fn names_are_explained_without_an_image() {
    let name = |name: &str| explain_name(&policy(), &reference(name), at().now);
    let explanation = name("a.io/foobar/x");
    assert_eq!((explanation.allowed, &explanation.manifest), (None, &None));
    let verdict = "decided by rule \"a.io/foobar\": accepts every image without a signature";
    assert_eq!(explanation.verdict, verdict);
    assert_eq!(
        name("a.io/fo").verdict,
        "decided by rule \"*\": rejects every image"
    );
    let none = explain_name(&Policy::default(), &reference(NAME), at().now);
    assert_eq!(none.verdict, "refused: no trust rule covers a.io/foo");
}

#[test]
fn an_unreadable_key_is_the_verdict() {
    let text = "[[rule]]\nprefix = \"a.io\"\ntype = \"signed-by\"\nkeys = [\"x\"]\n";
    let source = PolicySource {
        path: PathBuf::from("/etc/t/a.toml"),
        text: text.to_owned(),
    };
    let policy = Policy::parse(&[], &[source]).unwrap();
    let manifest = digest(MANIFEST);
    let subject = Subject {
        reference: &reference(NAME),
        digests: std::slice::from_ref(&manifest),
        manifest: &manifest,
    };
    let explanation = explain(
        &policy,
        &subject,
        &evidence(&[sign(&p256(), MANIFEST)]),
        &at(),
    );
    assert!(
        explanation
            .verdict
            .contains("key 1 is unreadable: not PEM text")
    );
    assert!(
        explanation.rules[0]
            .why
            .contains("an unreadable key (not PEM text")
    );
}

#[test]
fn every_newer_part_is_explained() {
    let (good, old) = (p256(), PrivateKey::generate(Algorithm::Ed25519).unwrap());
    let text = format!(
        "[[rule]]\nprefix = \"{NAME}\"\nmonotonic = true\nintegrity = \"full\"\ntype = \"signed-by\"\nkeys = ['''{}''']\n\
         [[rule.key]]\npem = '''{}'''\nnot-after = 2026-01-01T00:00:00Z\n\
         [[rule.attestation]]\ntype = \"vuln\"\n\
         [[rule.attestation.condition]]\nfield = \"predicate.high\"\nat-most = 0\n",
        good.public().to_pem(),
        old.public().to_pem(),
    );
    let path = PathBuf::from("/etc/t/a.toml");
    let policy = Policy::parse(&[], &[PolicySource { path, text }]).unwrap();
    let repository = Repository::parse(NAME).unwrap();
    let manifest = digest(MANIFEST);
    let time = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
    let statement = crate::signature_statement(&repository, &manifest, Some(time));
    let scan = |high: &str| {
        let kind = "https://cosign.sigstore.dev/attestation/vuln/v1";
        let predicate = format!("{{\"high\":{high}}}");
        let made =
            crate::attestation_statement(&repository, &manifest, None, kind, predicate.as_bytes());
        good.sign_statement(&made.unwrap())
    };
    let explained = |bundles: &[Vec<u8>]| {
        let subject = Subject {
            reference: &reference(NAME),
            digests: std::slice::from_ref(&manifest),
            manifest: &manifest,
        };
        explain(
            &policy,
            &subject,
            &Evidence {
                simple: &[],
                bundles,
            },
            &at(),
        )
    };
    let (signed, expired) = (
        good.sign_statement(&statement),
        old.sign_statement(&statement),
    );
    let bad = explained(&[expired.clone(), signed.clone(), scan("2")]);
    assert_eq!(bad.allowed, Some(false));
    let (key, old_key) = (good.public().fingerprint(), old.public().fingerprint());
    let shown = bad.to_string();
    for line in [
        format!("{old_key} (the key expired on 2026-01-01T00:00:00Z), and an attestation"),
        "vuln/v1: predicate.high is at most 0, none older than one seen before, and integrity full".to_owned(),
        format!("signature:  by {old_key} does not count: the key expired on 2026-01-01T00:00:00Z"),
        format!("signature:  by {key} counts: signs {MANIFEST} on 2026-06-01T00:00:00Z"),
        format!("signature:  by {key} does not count: it is a statement of type"),
        "attestation: https://cosign.sigstore.dev/attestation/vuln/v1 missing: ".to_owned(),
        "does not count, its predicate.high is 2, and the rule requires that predicate.high is at most 0".to_owned(),
    ] {
        assert!(shown.contains(&line), "{line}\n{shown}");
    }
    let good = explained(&[signed, scan("0")]).to_string();
    assert!(
        good.contains("vuln/v1 found: predicate.high is at most 0"),
        "{good}"
    );
    assert!(good.contains("verdict:    allowed: signed by"), "{good}");
}
