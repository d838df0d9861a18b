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
