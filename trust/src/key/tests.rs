use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const P256: &str = include_str!("../../tests/data/p256.pub");
const COMPRESSED: &str = include_str!("../../tests/data/p256-compressed.pub");
const ED: &str = include_str!("../../tests/data/ed25519.pub");
const PAYLOAD: &[u8] = include_bytes!("../../tests/data/payload.json");

fn signature(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

#[test]
fn keys_of_openssl_are_read_and_written_byte_for_byte() {
    for (text, algorithm, fingerprint) in [
        (
            P256,
            "ecdsa-p256",
            "sha256:6a23a702cc189fe80b84f8ff0f084d8ddbb73cc8eb487bcefa30a501963d245d",
        ),
        (
            ED,
            "ed25519",
            "sha256:953b37fa0254f36a641d567ac999f4976d98a7db494b4f7663cbe472132daba1",
        ),
    ] {
        let key = PublicKey::from_pem(text).unwrap();
        assert_eq!(key.to_pem(), text);
        assert_eq!(key.algorithm().to_string(), algorithm);
        assert_eq!(algorithm.parse::<Algorithm>().unwrap(), key.algorithm());
        assert_eq!(key.fingerprint().to_string(), fingerprint);
    }
}

#[test]
fn a_key_in_compressed_form_is_the_same_key() {
    let key = PublicKey::from_pem(COMPRESSED).unwrap();
    assert_eq!(key, PublicKey::from_pem(P256).unwrap());
    assert_eq!(key.to_pem(), P256);
}

#[test]
fn white_space_and_line_ends_of_other_systems_are_taken() {
    let text = format!("\n  {}\n\n", P256.replace('\n', "\r\n").trim_end());
    assert_eq!(PublicKey::from_pem(&text), PublicKey::from_pem(P256));
}

#[test]
fn signatures_of_openssl_verify() {
    let p256 = PublicKey::from_pem(P256).unwrap();
    let low = signature(include_str!("../../tests/data/payload.p256.sig"));
    let high = signature(include_str!("../../tests/data/payload.p256-high-s.sig"));
    let ed = PublicKey::from_pem(ED).unwrap();
    let pure = signature(include_str!("../../tests/data/payload.ed25519.sig"));
    assert_ne!(low, high);
    assert!(p256.verifies(PAYLOAD, &low) && p256.verifies(PAYLOAD, &high));
    assert!(ed.verifies(PAYLOAD, &pure));
    assert!(!p256.verifies(PAYLOAD, &pure) && !ed.verifies(PAYLOAD, &low));
}

#[test]
fn every_changed_bit_breaks_a_signature() {
    for (key, text) in [
        (P256, include_str!("../../tests/data/payload.p256.sig")),
        (ED, include_str!("../../tests/data/payload.ed25519.sig")),
    ] {
        let key = PublicKey::from_pem(key).unwrap();
        let good = signature(text);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(!key.verifies(PAYLOAD, &bad), "byte {at}");
            assert!(!key.verifies(PAYLOAD, &good[..at]), "cut at {at}");
        }
        let mut longer = good;
        longer.push(0);
        assert!(!key.verifies(PAYLOAD, &longer));
        assert!(!key.verifies(PAYLOAD, &vec![0x30; 4096]));
    }
}

#[test]
fn prehashed_ed25519_verifies_and_contexts_do_not() {
    let seed = [7; 32];
    let signer = ed25519_dalek::SigningKey::from_bytes(&seed);
    let key = PublicKey::from_ed25519(signer.verifying_key()).unwrap();
    let hash = || Sha512::new_with_prefix(PAYLOAD);
    let prehashed = signer.sign_prehashed(hash(), None).unwrap().to_bytes();
    assert!(key.verifies(PAYLOAD, &prehashed));
    assert!(!key.verifies(b"other", &prehashed));
    let elsewhere = signer
        .sign_prehashed(hash(), Some(b"elsewhere"))
        .unwrap()
        .to_bytes();
    assert!(!key.verifies(PAYLOAD, &elsewhere));
}

/// Wraps 32 bytes as an Ed25519 key.
fn ed25519_pem(bytes: [u8; 32]) -> String {
    pem::encode(pem::PUBLIC, &[ED25519_SPKI.as_slice(), &bytes].concat()).to_string()
}

#[test]
fn weak_ed25519_keys_are_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    for bytes in [identity, [0; 32]] {
        assert_eq!(
            PublicKey::from_pem(&ed25519_pem(bytes)),
            Err(KeyError::Weak)
        );
    }
}

#[test]
fn points_off_the_curve_are_refused() {
    let point = [&[4_u8][..], &[1; 64]].concat();
    let text = pem::encode(pem::PUBLIC, &[&P256_SPKI, point.as_slice()].concat());
    let error = PublicKey::from_pem(&text).unwrap_err().to_string();
    assert_eq!(error, "broken key: not a point on the curve P-256");
}

#[test]
fn other_texts_are_refused_with_a_hint() {
    for (text, part) in [
        (
            "",
            "not PEM text: it must begin with \"-----BEGIN PUBLIC KEY-----\"",
        ),
        ("ssh-ed25519 AAAA", "not PEM text"),
        ("-----BEGIN PUBLIC KEY-----", "broken key"),
        (
            include_str!("../../tests/data/p256.key"),
            "the public key is needed here",
        ),
        ("-----BEGIN CERTIFICATE-----\n", "openssl x509 -pubkey"),
        ("-----BEGIN X\u{1b}-----\n", "it is of a different kind"),
    ] {
        let error = PublicKey::from_pem(text).unwrap_err().to_string();
        assert!(
            error.contains(part) && !error.contains('\u{1b}'),
            "{text:?}: {error}"
        );
    }
    let long = "-----BEGIN PUBLIC KEY-----\n".repeat(10_000);
    assert!(matches!(
        PublicKey::from_pem(&long),
        Err(KeyError::TooLong { .. })
    ));
}

#[test]
fn a_text_as_long_as_the_limit_is_read_and_a_longer_one_is_not() {
    let key = include_str!("../../tests/data/p256.pub").trim();
    // White space around it doesn't count.
    let spaces = " ".repeat(MAX_PEM);
    PublicKey::from_pem(&format!("{spaces}{key}{spaces}")).unwrap();
    let longest = format!("{key}{}", "x".repeat(MAX_PEM - key.len()));
    for (text, is_too_long) in [(longest.clone(), false), (longest + "x", true)] {
        let error = PublicKey::from_pem(&text).unwrap_err();
        let found = error == KeyError::TooLong { size: text.len() };
        assert_eq!(found, is_too_long, "{error}");
    }
}

#[test]
fn other_algorithms_are_named() {
    // An X25519 key: right shape, wrong purpose.
    let mut der = [ED25519_SPKI.as_slice(), &[9; 32]].concat();
    der[8] = 0x6e;
    let error = PublicKey::from_pem(&pem::encode(pem::PUBLIC, &der)).unwrap_err();
    assert_eq!(
        error,
        KeyError::Unsupported {
            oid: "1.3.101.110".to_owned()
        }
    );
}

#[test]
fn algorithms_are_called_as_keys_are_shown() {
    for (algorithm, name) in [
        (Algorithm::EcdsaP256, "ecdsa-p256"),
        (Algorithm::EcdsaP384, "ecdsa-p384"),
        (Algorithm::Ed25519, "ed25519"),
    ] {
        assert_eq!(algorithm.to_string(), name);
        assert_eq!(name.parse(), Ok(algorithm));
    }
    for other in ["", "rsa", "ED25519", "ecdsa-p521"] {
        let error = other.parse::<Algorithm>().unwrap_err();
        let expected = matches!(error, KeyError::UnknownAlgorithm { .. });
        assert!(expected, "{other}: {error}");
    }
}

#[test]
fn torn_keys_never_parse() {
    for text in [P256, ED] {
        for end in 0..text.trim_end().len() {
            assert!(PublicKey::from_pem(&text[..end]).is_err(), "cut at {end}");
        }
    }
}

#[test]
fn signatures_of_cosign_verify() {
    macro_rules! data {
        ($name:literal) => {
            include_str!(concat!("../../tests/data/", $name))
        };
    }
    for (key, payload, base64) in [
        (
            data!("cosign-2/p256.pub"),
            data!("cosign-2/payload.json"),
            data!("cosign-2/payload.p256.sig"),
        ),
        (
            data!("cosign-2/ed25519.pub"),
            data!("cosign-2/payload.json"),
            data!("cosign-2/payload.ed25519.sig"),
        ),
        (
            data!("cosign-3/p256.pub"),
            data!("cosign-3/payload.json"),
            data!("cosign-3/payload.p256.sig"),
        ),
        (
            data!("cosign-3/ed25519.pub"),
            data!("cosign-3/payload.json"),
            data!("cosign-3/payload.ed25519.sig"),
        ),
    ] {
        let key = PublicKey::from_pem(key).unwrap();
        assert!(
            key.verifies(payload.as_bytes(), &signature(base64)),
            "{key:?}"
        );
        assert!(!key.verifies(PAYLOAD, &signature(base64)));
    }
}

#[test]
fn p384_signs_another_hash_in_each_format() {
    let key = PublicKey::from_pem(include_str!("../../tests/data/p384.pub")).unwrap();
    assert_eq!(key.algorithm(), Algorithm::EcdsaP384);
    assert_eq!(key.to_pem(), include_str!("../../tests/data/p384.pub"));
    let sha256 = signature(include_str!("../../tests/data/payload.p384-sha256.sig"));
    let sha384 = signature(include_str!("../../tests/data/payload.p384-sha384.sig"));
    assert!(key.verifies(PAYLOAD, &sha256) && !key.verifies(PAYLOAD, &sha384));
    assert!(key.verifies_envelope(PAYLOAD, &sha384) && !key.verifies_envelope(PAYLOAD, &sha256));
    assert!(!key.verifies(b"x", &sha256) && !key.verifies_envelope(b"x", &sha384));
}
