use super::*;
use crate::Algorithm;

#[test]
fn bundles_are_written_as_cosign_writes_them() {
    let recorded = include_bytes!("../../tests/data/cosign-3/sign.p256.bundle.json");
    let text = include_str!("../../tests/data/cosign-3/p256.key");
    let key = PrivateKey::from_encrypted_pem(text, b"correct-horse").unwrap();
    let read = Bundle::parse(recorded).unwrap();
    let made = key.sign_statement(read.payload());
    // The same but for the signature, which is made with another nonce.
    let before = |bundle: &[u8]| {
        let text = String::from_utf8(bundle.to_vec()).unwrap();
        text.split("\"sig\"").next().unwrap().to_owned()
    };
    assert_eq!(before(&made), before(recorded));
    let again = Bundle::parse(&made).unwrap();
    assert_eq!(again.payload(), read.payload());
    assert!(again.is_signed_by(key.public()) && read.is_signed_by(key.public()));
    assert!(again.hints_at(key.public()) && read.hints_at(key.public()));
    let other = PrivateKey::generate(Algorithm::EcdsaP256).unwrap();
    assert!(!read.is_signed_by(other.public()) && !read.hints_at(other.public()));
}

#[test]
fn the_message_is_the_pre_authentication_encoding() {
    assert_eq!(
        message(b"hello"),
        b"DSSEv1 28 application/vnd.in-toto+json 5 hello"
    );
}
