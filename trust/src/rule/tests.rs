use super::*;

fn prefix() -> Prefix {
    Prefix::parse("a.io/foo").unwrap()
}

#[test]
fn requirements_that_cannot_be_meant_are_refused() {
    let key = PublicKey::from_pem(include_str!("../../tests/data/p256.pub")).unwrap();
    let same = PublicKey::from_pem(include_str!("../../tests/data/p256-compressed.pub")).unwrap();
    let refused = |keys: &[PublicKey], threshold| {
        Rule::signed_by(prefix(), keys, threshold)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused(&[], 1), "a signed-by rule needs at least one key");
    let between = "is not between 1 and the number of keys, 1";
    assert_eq!(
        refused(std::slice::from_ref(&key), 0),
        format!("threshold 0 {between}")
    );
    assert_eq!(
        refused(std::slice::from_ref(&key), 2),
        format!("threshold 2 {between}")
    );
    let twice = refused(&[key.clone(), same], 2);
    assert_eq!(twice, format!("key {} appears twice", key.fingerprint()));
    let none = Rule::new(
        prefix(),
        Requirement::Digest {
            digests: Vec::new(),
        },
    );
    assert_eq!(none, Err(RuleError::NoDigests));
}

fn key_text(name: &str) -> KeyText {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    KeyText::new(&std::fs::read_to_string(path).unwrap())
}

#[test]
fn a_requirement_has_one_word() {
    for (requirement, word) in [
        (Requirement::signed_by(Vec::new(), 1), "signed-by"),
        (
            Requirement::Digest {
                digests: Vec::new(),
            },
            "digest",
        ),
        (Requirement::AcceptUnsigned, "accept-unsigned"),
        (Requirement::Reject, "reject"),
        (Requirement::All(Vec::new()), "all"),
        (Requirement::Unsupported("x".to_owned()), "unsupported"),
    ] {
        assert_eq!(requirement.word(), word);
    }
}

#[test]
fn what_only_signatures_have_is_refused_elsewhere() {
    let demand = || AttestationDemand {
        predicate_type: "a:b".to_owned(),
        keys: Vec::new(),
        conditions: Vec::new(),
    };
    let reject = || Rule::new(prefix(), Requirement::Reject).unwrap();
    let error = reject().with_monotonic(true).unwrap_err().to_string();
    assert_eq!(error, "the type reject has no \"monotonic\"");
    let error = reject()
        .with_attestations(vec![demand()])
        .unwrap_err()
        .to_string();
    assert_eq!(error, "the type reject has no \"attestation\"");
    // Saying that it isn't so is allowed.
    let plain = reject().with_monotonic(false).unwrap();
    let plain = plain.with_attestations(Vec::new()).unwrap();
    assert!(!plain.is_monotonic() && plain.attestations().is_empty());
    assert_eq!((plain.threshold(), plain.key_texts().len()), (0, 0));

    let signed = Requirement::signed_by(vec![key_text("p256.pub")], 1);
    let signed = Rule::new(prefix(), signed)
        .unwrap()
        .with_monotonic(true)
        .unwrap();
    let signed = signed.with_attestations(vec![demand()]).unwrap();
    assert!(signed.is_monotonic() && signed.attestations().len() == 1);
    assert_eq!((signed.threshold(), signed.key_texts().len()), (1, 1));
    // Other keys leave the rest as it is.
    let other = signed
        .with_integrity(Integrity::Full)
        .with_keys(vec![key_text("p256.pub")]);
    let other = other.unwrap();
    assert!(other.is_monotonic() && other.attestations().len() == 1);
    assert_eq!(
        (other.integrity(), other.prefix()),
        (Integrity::Full, &prefix())
    );
}

#[test]
fn all_keys_by_which_a_bundle_may_count_are_hinted_at() {
    let key = key_text("p256.pub");
    let hint = key.decode().unwrap().bundle_hint();
    let one = Requirement::signed_by(vec![key.clone()], 1);
    let hints = |requirement| Rule::new(prefix(), requirement).unwrap().bundle_hints();
    assert_eq!(hints(one.clone()), std::slice::from_ref(&hint));
    let both = Requirement::All(vec![Requirement::Reject, one.clone()]);
    assert_eq!(hints(both), std::slice::from_ref(&hint));
    let broken = Requirement::signed_by(vec![KeyText::new("garbage")], 1);
    assert!(hints(broken).is_empty() && hints(Requirement::AcceptUnsigned).is_empty());
    let attested = AttestationDemand {
        predicate_type: "a:b".to_owned(),
        keys: vec![key],
        conditions: Vec::new(),
    };
    let rule = Rule::new(prefix(), one).unwrap();
    let rule = rule.with_attestations(vec![attested]).unwrap();
    assert_eq!(rule.bundle_hints(), [hint.clone(), hint]);
}
