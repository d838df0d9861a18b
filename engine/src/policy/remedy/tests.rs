//! What is advised for each kind of refusal.

use image_name::{Digest, Reference, Repository};
use trust::{
    Algorithm, Circumstances, Evidence, Policy, PolicySource, PrivateKey, Rule, SignatureLayer,
    Subject, Timestamp,
};

use super::*;

const NAME: &str = "a.io/foo:1";
const MANIFEST: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
const ALLOW: &str = "fairing trust allow a.io/foo:1  # pins the digest that it has today";
const ONCE: &str = "fairing run --insecure-options=image a.io/foo:1  # once, without verification";

fn key() -> PrivateKey {
    PrivateKey::generate(Algorithm::Ed25519).unwrap()
}

fn signed_by(prefix: &str, key: &PrivateKey) -> String {
    let keys = [key.public().clone()];
    let rule = Rule::signed_by(Prefix::parse(prefix).unwrap(), &keys, 1);
    rule.unwrap().to_toml()
}

fn rule(prefix: &str, rest: &str) -> String {
    format!("[[rule]]\nprefix = \"{prefix}\"\n{rest}\n")
}

fn signature(key: &PrivateKey, digest: &str) -> SignatureLayer {
    let repository = Repository::parse("a.io/foo").unwrap();
    let payload = trust::payload(&repository, &Digest::parse(digest).unwrap(), None);
    let signature = key.sign(&payload);
    SignatureLayer { payload, signature }
}

/// The refusal of the image by these rules, and this evidence.
fn refusal(rules: &str, simple: &[SignatureLayer]) -> Refusal {
    refusal_in(None, rules, simple)
}

/// The same for a pod in a namespace of Kubernetes.
fn refusal_in(namespace: Option<&str>, rules: &str, simple: &[SignatureLayer]) -> Refusal {
    let source = PolicySource {
        path: "/etc/t/a.toml".into(),
        text: rules.to_owned(),
    };
    let manifest = Digest::parse(MANIFEST).unwrap();
    let subject = Subject {
        reference: &Reference::parse_full(NAME).unwrap(),
        digests: std::slice::from_ref(&manifest),
        manifest: &manifest,
    };
    let at = Circumstances {
        now: Timestamp::parse("2027-01-01T00:00:00Z").unwrap(),
        newest_seen: None,
    };
    let evidence = Evidence {
        simple,
        bundles: &[],
    };
    let policy = Policy::parse(&[], &[source]).unwrap();
    let policy = policy.for_kubernetes_namespace(namespace);
    trust::verify(&policy, &subject, &evidence, &at).unwrap_err()
}

fn told(rules: &str, simple: &[SignatureLayer]) -> Vec<String> {
    advice(&refusal(rules, simple), Origin::Name)
}

#[test]
fn an_image_of_no_rule_can_be_pinned_or_signed_or_run_once() {
    let sign = "fairing image sign --key KEY a.io/foo:1  # signs it, if it is yours";
    assert_eq!(told("", &[]), [ALLOW, sign, ONCE]);
    // Who has signed it can be trusted.
    let add = "fairing trust add --prefix a.io/foo KEY.pub  # trusts its publisher's key";
    assert_eq!(told("", &[signature(&key(), MANIFEST)]), [ALLOW, add, ONCE]);
    // A signature for another name or digest leads nowhere.
    let elsewhere = Repository::parse("a.io/bar").unwrap();
    let payload = trust::payload(&elsewhere, &Digest::parse(MANIFEST).unwrap(), None);
    let signature = key().sign(&payload);
    let of_other_name = SignatureLayer { payload, signature };
    assert_eq!(told("", &[of_other_name]), [ALLOW, sign, ONCE]);
    let of_other = self::signature(&key(), &MANIFEST.replace("22", "33"));
    assert_eq!(told("", &[of_other]), [ALLOW, sign, ONCE]);
    // What is in no registry can't be signed there.
    assert_eq!(
        advice(&refusal("", &[]), Origin::Place("oci:a b")),
        [
            "fairing trust allow 'oci:a b'  # pins the digest that it has today",
            "fairing run --insecure-options=image 'oci:a b'  # once, without verification"
        ]
    );
}

#[test]
fn what_is_imported_is_pinned_or_signed_once_it_is_there() {
    let import = Origin::Import("image import f.tar --name a.io/foo:1");
    let again = "fairing --insecure-options=image image import f.tar --name a.io/foo:1";
    assert_eq!(
        advice(&refusal("", &[]), import),
        [
            &*format!("{again} && {ALLOW}"),
            &*format!("{again}  # into the store alone, without verification"),
            "fairing trust allow --unsigned a.io/foo  # every image of that name, whoever made it"
        ]
    );
    let rules = signed_by("a.io", &key());
    let sign = "fairing image sign --local --key KEY a.io/foo:1";
    assert_eq!(
        advice(&refusal(&rules, &[]), import),
        [format!("{again} && {sign}")]
    );
    let fetch = "fairing --insecure-options=image fetch oci:a";
    assert_eq!(
        advice(&refusal(&rules, &[]), Origin::Place("oci:a")),
        [format!("{fetch} && {sign}")]
    );
}

#[test]
fn what_is_pulled_is_not_told_to_be_run() {
    assert_eq!(
        advice(&refusal("", &[]), Origin::Pull("pull a.io/foo:1"))
            .last()
            .unwrap(),
        "fairing --insecure-options=image pull a.io/foo:1  # into the store alone, without verification"
    );
}

#[test]
fn nothing_leads_around_a_rule_that_rejects() {
    for prefix in ["*", "a.io", "a.io/foo"] {
        assert_eq!(
            told(&rule(prefix, "type = \"reject\""), &[]),
            [format!(
                "the rule {prefix:?} is in /etc/t/a.toml:1: to be changed there, by whoever keeps it"
            )]
        );
    }
}

#[test]
fn where_keys_are_wanted_only_keys_help() {
    let trusted = key();
    let sign = "fairing image sign --key KEY a.io/foo:1";
    assert_eq!(told(&signed_by("a.io", &trusted), &[]), [sign]);
    let other = [signature(&key(), MANIFEST)];
    for (prefix, added) in [("a.io", "a.io"), ("*", "a.io/foo")] {
        let add = format!("or fairing trust add --prefix {added} KEY.pub");
        assert_eq!(told(&signed_by(prefix, &trusted), &other), [sign, &*add]);
    }
    let of_another = [signature(&trusted, &MANIFEST.replace("22", "33"))];
    assert_eq!(told(&signed_by("a.io", &trusted), &of_another), [sign]);
    let broken = rule("a.io", "type = \"signed-by\"\nkeys = [\"x\"]");
    assert_eq!(
        told(&broken, &[]),
        ["replace or remove key 1 of rule \"a.io\" in /etc/t/a.toml:1"]
    );
}

#[test]
fn a_key_out_of_its_time_needs_another() {
    let key = key();
    let expired = signed_by("a.io", &key)
        + &format!(
            "[[revoked]]\nfingerprint = \"{}\"\n",
            key.public().fingerprint()
        );
    let advice = told(&expired, &[signature(&key, MANIFEST)]);
    assert_eq!(
        advice,
        [
            "fairing image sign --key KEY a.io/foo:1",
            "fairing trust add --prefix a.io KEY.pub  # if that key is new"
        ]
    );
}

#[test]
fn an_attestation_that_is_missing_is_named() {
    let key = key();
    let demand = "[[rule.attestation]]\ntype = \"https://slsa.dev/provenance/v1\"\n";
    let rules = signed_by("a.io", &key) + demand;
    assert_eq!(
        told(&rules, &[signature(&key, MANIFEST)]),
        [
            "fairing image sign --key KEY --attest FILE --type https://slsa.dev/provenance/v1 a.io/foo:1"
        ]
    );
}

#[test]
fn another_digest_of_a_pinned_image_can_be_pinned_too() {
    let listed = |prefix| {
        let digest = MANIFEST.replace("22", "33");
        rule(
            prefix,
            &format!("type = \"digest\"\ndigests = [\"{digest}\"]"),
        )
    };
    // By its digest: the name may stand for the pinned one in the store.
    let allow = format!("fairing trust allow a.io/foo@{MANIFEST}  # pins that digest, too");
    assert_eq!(told(&listed("a.io/foo"), &[]), [allow]);
    assert_eq!(
        told(&listed("a.io"), &[]),
        ["add its digest to those in /etc/t/a.toml:1"]
    );
}

#[test]
fn what_is_said_of_namespaces_is_changed_in_its_file() {
    let told = |rules: &str, simple: &[SignatureLayer]| {
        advice(&refusal_in(Some("dev"), rules, simple), Origin::Node)
    };
    let of = |names: &str| format!("kubernetes-namespaces = [{names}]\n");
    let trusted = key();
    let sign = "fairing image sign --key KEY a.io/foo:1";
    let other = [signature(&key(), MANIFEST)];
    let keys = signed_by("a.io", &trusted) + &of("\"dev\"");
    let add = "or add the key to rule \"a.io\" in /etc/t/a.toml:1";
    assert_eq!(told(&keys, &other), [sign, add]);
    let listed = format!(
        "type = \"digest\"\ndigests = [\"{}\"]\n{}",
        MANIFEST.replace("22", "33"),
        of("\"dev\"")
    );
    assert_eq!(
        told(&rule("a.io/foo", &listed), &[]),
        ["add its digest to those in /etc/t/a.toml:1"]
    );
    let elsewhere = format!("type = \"accept-unsigned\"\n{}", of("\"prod\""));
    let told = told(&rule("a.io", &elsewhere), &[]);
    assert_eq!(
        told[..2],
        [
            "add \"dev\" to kubernetes-namespaces of rule \"a.io\" in /etc/t/a.toml:1",
            ALLOW
        ]
    );
}

#[test]
fn of_several_names_the_first_is_advised() {
    let all = vec![
        refusal("", &[]),
        refusal(&rule("*", "type = \"reject\""), &[]),
    ];
    let all = Refusal::by_every_name(all).unwrap();
    assert_eq!(advice(&all, Origin::Name), told("", &[]));
}

#[test]
fn words_are_safe_to_paste() {
    assert_eq!(
        shell_word("a.io:5000/x-y_z:1@sha256:00"),
        "a.io:5000/x-y_z:1@sha256:00"
    );
    assert_eq!(shell_word("[::1]/x"), "'[::1]/x'");
    assert_eq!(
        shell_word("x; rm -rf '$HOME'\n"),
        r"'x; rm -rf '\''$HOME'\''\n'"
    );
    assert_eq!(shell_word(""), "''");
}
