use super::*;
use crate::{Algorithm, PublicKey};

const PASSPHRASE: &[u8] = b"correct-horse";
const P256: &str = include_str!("../../tests/data/cosign-3/p256.key");

/// A text in the form of an encrypted key, around this JSON.
fn wrap(json: &str) -> String {
    pem::encode(pem::SIGSTORE, json.as_bytes())
        .as_str()
        .to_owned()
}

fn json(text: &str) -> String {
    let bytes = pem::decode(text.trim(), pem::SIGSTORE).unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn refused(text: &str) -> String {
    let error = PrivateKey::from_encrypted_pem(text, PASSPHRASE)
        .unwrap_err()
        .to_string();
    assert!(!error.contains('\n') && error.len() < 400, "{error}");
    error
}

#[test]
fn keys_of_cosign_open_with_their_passphrase() {
    for (key, public) in [
        (
            include_str!("../../tests/data/cosign-2/p256.key"),
            include_str!("../../tests/data/cosign-2/p256.pub"),
        ),
        (
            include_str!("../../tests/data/cosign-2/ed25519.key"),
            include_str!("../../tests/data/cosign-2/ed25519.pub"),
        ),
        (P256, include_str!("../../tests/data/cosign-3/p256.pub")),
    ] {
        assert!(PrivateKey::is_encrypted(key));
        let opened = PrivateKey::from_encrypted_pem(key, PASSPHRASE).unwrap();
        assert_eq!(opened.public(), &PublicKey::from_pem(public).unwrap());
        let older = key.replace("SIGSTORE", "COSIGN").replace('\n', "\r\n");
        assert!(PrivateKey::is_encrypted(&older));
        assert!(PrivateKey::from_encrypted_pem(&older, PASSPHRASE).is_ok());
        let plain = PrivateKey::from_pem(key).unwrap_err().to_string();
        assert!(plain.contains("give its passphrase"), "{plain}");
    }
    let p384 = include_str!("../../tests/data/cosign-3/p384.key");
    assert_eq!(
        refused(p384),
        "signing with ecdsa-p384 keys is not supported: use ecdsa-p256 or ed25519"
    );
}

#[test]
fn keys_are_written_and_opened_again() {
    let key = PrivateKey::generate(Algorithm::Ed25519).unwrap();
    let text = key.to_encrypted_pem(PASSPHRASE).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    assert!(!PrivateKey::is_encrypted(&key.to_pem()));
    let opened = PrivateKey::from_encrypted_pem(&text, PASSPHRASE).unwrap();
    assert_eq!(opened.public(), key.public());
    assert_ne!(text, key.to_encrypted_pem(PASSPHRASE).unwrap());
    let wrong = PrivateKey::from_encrypted_pem(&text, b"").unwrap_err();
    assert_eq!(wrong, KeyError::WrongPassphrase);
}

#[test]
fn a_changed_key_does_not_open() {
    let json = json(P256);
    let (before, after) = json.split_once("\"ciphertext\":\"").unwrap();
    for at in [0, 30, 100] {
        let mut bytes = after.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let after = String::from_utf8(bytes).unwrap();
        let error = refused(&wrap(&format!("{before}\"ciphertext\":\"{after}")));
        assert_eq!(error, "wrong passphrase, or a damaged key");
    }
}

#[test]
fn hostile_parameters_are_refused_before_any_memory_is_taken() {
    let json = json(P256);
    for (from, to) in [
        ("\"N\":65536", "\"N\":1099511627776"),
        ("\"N\":65536", "\"N\":18446744073709551615"),
        ("\"N\":65536", "\"N\":9223372036854775808"),
        ("\"N\":65536", "\"N\":524288"),
        ("\"N\":65536", "\"N\":65535"),
        ("\"N\":65536", "\"N\":1"),
        ("\"N\":65536", "\"N\":0"),
        ("\"r\":8", "\"r\":4294967296"),
        ("\"r\":8", "\"r\":0"),
        ("\"p\":1", "\"p\":0"),
        ("\"p\":1", "\"p\":17"),
        ("\"p\":1", "\"p\":18446744073709551615"),
    ] {
        let error = refused(&wrap(&json.replace(from, to)));
        assert!(error.contains("is not possible within 256 MiB"), "{error}");
    }
}

#[test]
fn what_is_no_encrypted_key_is_refused() {
    let json = json(P256);
    for (text, part) in [
        (wrap("{}"), "kdf is missing"),
        (wrap("[]"), "the key is not an object"),
        (
            wrap(&json.replace("\"r\":8", "\"r\":8,\"r\":8")),
            "appears twice",
        ),
        (
            wrap(&json.replace("\"r\":8", "\"r\":8,\"x\":8")),
            "kdf.params has an unknown member",
        ),
        (
            wrap(&json.replace("\"r\":8", "\"r\":-8")),
            "kdf.params.r is not a whole number",
        ),
        (
            wrap(&json.replace("scrypt", "argon2")),
            "\"argon2\" with \"nacl/secretbox\" is not",
        ),
        (
            wrap(&json.replace("nacl/secretbox", "none")),
            "is not scrypt with",
        ),
        (
            wrap(&json.replace("\"nonce\":\"", "\"nonce\":\"AAAA")),
            "cipher.nonce is not 24 bytes",
        ),
        (
            wrap(&json.replace("\"nonce\":\"", "\"nonce\":\"?")),
            "cipher.nonce is not base64",
        ),
        (P256.replace("eyJ", "?"), "not base64 between its lines"),
        (
            P256.replace("-----END ENCRYPTED", "-----END"),
            "not base64 between",
        ),
        ("x".repeat(20_000), "too long"),
        (String::new(), "not PEM text"),
        (
            include_str!("../../tests/data/p256.pub").to_owned(),
            "it is a \"PUBLIC KEY\"",
        ),
    ] {
        let error = refused(&text);
        assert!(error.contains(part), "{error}");
    }
    let short =
        json.split("\"ciphertext\"").next().unwrap().to_owned() + "\"ciphertext\":\"AAAA\"}";
    assert!(refused(&wrap(&short)).contains("too short"));
}
