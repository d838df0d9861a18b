//! Bundles as signatures: what counts, and every way to get one wrong.

use super::*;

fn text(bundle: &[u8]) -> String {
    String::from_utf8(bundle.to_vec()).unwrap()
}

/// A bundle of the right shape around any statement.
fn around(key: &PrivateKey, statement: &str) -> Vec<u8> {
    key.sign_statement(statement.as_bytes())
}

#[test]
fn a_bundle_counts_like_any_signature() {
    for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let policy = policy(&[signed_by("a.io", &[&key], 1)]);
        for signed in [INDEX, MANIFEST] {
            let image = judge_bundles(&policy, &[bundle(&key, NAME, signed)]).unwrap();
            assert_eq!(image.verification().keys, [key.public().fingerprint()]);
            assert_eq!(image.verification().signed_digest, Some(digest(signed)));
        }
    }
}

#[test]
fn both_formats_count_together_and_a_key_once() {
    let (a, b) = (key(), key());
    let policy = policy(&[signed_by("a.io", &[&a, &b], 2)]);
    let simple = [sign(&a, NAME, INDEX)];
    let judge = |bundles: &[Vec<u8>]| judge_all(&policy, NAME, &simple, bundles, &at(None));
    let both = judge(&[bundle(&b, NAME, MANIFEST)]).unwrap();
    let signers = [a.public().fingerprint(), b.public().fingerprint()];
    assert_eq!(both.verification().keys, signers);
    let twice = judge(&[bundle(&a, NAME, MANIFEST)]).unwrap_err();
    assert!(matches!(twice, Refusal::NotEnough { .. }), "{twice}");
}

#[test]
fn the_name_is_checked_where_there_is_one() {
    let key = key();
    let policy = policy(&[signed_by("a.io", &[&key], 1)]);
    let good = text(&statement(NAME, MANIFEST));
    for name in [
        "a.io/foobar",
        "a.io/fo",
        "a.io/foo/",
        "a.io/foo.",
        "a.io./foo",
        "a.io:443/foo",
        "b.io/foo",
        "A.io/foo",
        "a.io/Foo",
        "а.io/foo",
        "a.io/fo\u{200b}o",
        "a.io%2ffoo",
        "https://a.io/foo",
        "docker.io/a.io/foo",
        "foo",
        "a.io/foo@sha256:00",
        " a.io/foo",
    ] {
        let named = good.replace("\"a.io/foo\"", &format!("\"{name}\""));
        assert_ne!(named, good);
        let refusal = judge_bundles(&policy, &[around(&key, &named)]).unwrap_err();
        let message = refusal.to_string();
        assert!(message.contains("it is for another name"), "{message}");
    }
    let nameless = text(&statement(NAME, MANIFEST)).replace("\"name\":\"a.io/foo\",", "");
    assert!(judge_bundles(&policy, &[around(&key, &nameless)]).is_ok());
}

#[test]
fn what_was_signed_for_something_else_does_not_count() {
    let key = key();
    let policy = policy(&[signed_by("a.io", &[&key], 1)]);
    let good = text(&statement(NAME, MANIFEST));
    for (from, to, part) in [
        (MANIFEST, OTHER, "it is for another image, sha256:3333"),
        (
            "https://sigstore.dev/cosign/sign/v1",
            "https://slsa.dev/provenance/v1",
            "it is a statement of type \"https://slsa.dev/provenance/v1\", not a signature",
        ),
        (
            "https://in-toto.io/Statement/v1",
            "https://in-toto.io/Statement/v2",
            "its statement is of type",
        ),
        ("\"sha256\"", "\"sha512\"", "it names no digest of an image"),
        (
            "{\"name\"",
            "{\"extra\":1,\"name\"",
            "subject.0 has an unknown member \"extra\"",
        ),
        (
            "{\"_type\"",
            "{\"extra\":1,\"_type\"",
            "the statement has an unknown member",
        ),
        (
            "\"subject\":",
            "\"subject\":[],\"subject\":",
            "member \"subject\" appears twice",
        ),
        (
            "\"subject\":[",
            "\"subject\":[1,",
            "subject.0 is not an object",
        ),
        (
            "\"predicate\":{}",
            "\"predicate\":[]",
            "predicate is not an object",
        ),
        ("\"_type\":", "\"_typ\":", "_type is missing"),
    ] {
        let hex = |text: &str| text.replace("sha256:", "");
        let forged = match from.strip_prefix("sha256:") {
            Some(from) => good.replace(from, &hex(to)),
            None => good.replace(from, to),
        };
        assert_ne!(forged, good);
        let refusal = judge_bundles(&policy, &[around(&key, &forged)]).unwrap_err();
        assert!(
            matches!(refusal, Refusal::WrongSignature { .. }),
            "{refusal}"
        );
        assert!(refusal.to_string().contains(part), "{refusal}");
    }
}

#[test]
fn a_swapped_payload_or_signature_does_not_count() {
    let (good, other) = (key(), key());
    let policy = policy(&[signed_by("a.io", &[&good], 1)]);
    let ours = text(&bundle(&good, NAME, OTHER));
    let theirs = text(&bundle(&other, NAME, MANIFEST));
    let part = |text: &str, name: &str| {
        let start = text.find(name).unwrap() + name.len() + 3;
        text[start..].split('"').next().unwrap().to_owned()
    };
    // The statement of another, under our signature and with our key's name.
    let swapped = ours.replace(&part(&ours, "payload"), &part(&theirs, "payload"));
    let hinted = theirs.replace(&part(&theirs, "hint"), &part(&ours, "hint"));
    for forged in [swapped, hinted, theirs] {
        let refusal = judge_bundles(&policy, &[forged.into_bytes()]).unwrap_err();
        assert!(matches!(refusal, Refusal::WrongKey { .. }), "{refusal}");
    }
    // A hint is a hint: a wrong one, or none, changes nothing.
    let good = text(&bundle(&good, NAME, MANIFEST));
    for hint in ["AAAA", "", "?"] {
        let hinted = good.replace(&part(&good, "hint"), hint);
        assert!(judge_bundles(&policy, &[hinted.into_bytes()]).is_ok());
    }
}

#[test]
fn a_simple_signature_can_not_stand_for_a_bundle() {
    // The same key over the same bytes, but not over their pre-authentication encoding.
    let key = key();
    let policy = policy(&[signed_by("a.io", &[&key], 1)]);
    let good = text(&bundle(&key, NAME, MANIFEST));
    let statement = statement(NAME, MANIFEST);
    let start = good.find("\"sig\":\"").unwrap() + 7;
    let signature = good[start..].split('"').next().unwrap();
    let forged = good.replace(signature, &key.sign(&statement));
    expect_wrong_key(judge_bundles(&policy, &[forged.into_bytes()]));
    let layer = SignatureLayer {
        signature: signature.to_owned(),
        payload: statement,
    };
    expect_wrong_key(judge(&policy, NAME, &[layer]));
}

#[test]
fn bundles_of_other_shapes_are_told_apart() {
    let key = key();
    let policy = policy(&[signed_by("a.io", &[&key], 1)]);
    let good = text(&bundle(&key, NAME, MANIFEST));
    let refused = |from: &str, to: &str| {
        let forged = good.replace(from, to);
        assert_ne!(forged, good, "{from}");
        let error = Bundle::parse(forged.as_bytes()).unwrap_err().to_string();
        assert!(!error.contains('\n') && error.len() < 400, "{error}");
        expect_wrong_key(judge_bundles(&policy, &[forged.into_bytes()]));
        error
    };
    let second = "\"signatures\":[{\"sig\":\"AAAA\"},";
    for (from, to, part) in [
        ("\"signatures\":[", second, "it holds 2 signatures, not one"),
        ("bundle.v0.3+json", "bundle.v0.4+json", "its media type is"),
        (
            "\"publicKey\":{",
            "\"certificate\":{",
            "with a certificate, not with a key",
        ),
        (
            "\"publicKey\":{",
            "\"x509CertificateChain\":{},\"publicKey\":{",
            "both a key and a certificate",
        ),
        (
            "\"publicKey\":{",
            "\"publicKeys\":{",
            "verificationMaterial.publicKey is missing",
        ),
        (
            "\"dsseEnvelope\"",
            "\"messageSignature\"",
            "the signature of a file",
        ),
        (
            "\"dsseEnvelope\"",
            "\"messageSignature\":{},\"dsseEnvelope\"",
            "both",
        ),
        (
            "\"dsseEnvelope\"",
            "\"dsse_envelope\"",
            "dsseEnvelope is missing",
        ),
        (
            "application/vnd.in-toto+json",
            "text/plain",
            "its payload type is \"text/plain\"",
        ),
        (
            "\"payload\":",
            "\"payload\":\"e30=\",\"payload\":",
            "appears twice",
        ),
        (
            "\"payload\":\"",
            "\"payload\":\"?",
            "dsseEnvelope.payload is not base64",
        ),
        ("\"sig\":\"", "\"sig\":\"?", "sig is not base64"),
        ("\"sig\"", "\"sign\"", "signatures.0.sig is missing"),
        ("{\"mediaType\"", "[{\"mediaType\"", "it is not strict JSON"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(part), "{error}");
    }
    let signatures = good.find("\"signatures\":[").unwrap() + 14;
    let none = format!("{}]}}}}", &good[..signatures]);
    let error = Bundle::parse(none.as_bytes()).unwrap_err().to_string();
    assert_eq!(error, "it holds 0 signatures, not one");
    for end in 0..good.len() {
        let error = Bundle::parse(&good.as_bytes()[..end]).unwrap_err();
        assert!(
            matches!(error, crate::BundleError::Json { .. }),
            "{end}: {error}"
        );
    }
    // What is around the signed part may grow.
    let newer = good.replace("{\"mediaType\"", "{\"later\":[{}],\"mediaType\"");
    let newer = newer.replace("\"hint\"", "\"rawBytes\":\"\",\"hint\"");
    let newer = newer.replace("\"sig\"", "\"keyid\":\"x\",\"sig\"");
    assert!(judge_bundles(&policy, &[newer.into_bytes()]).is_ok());
}

#[test]
fn huge_bundles_are_refused_unread() {
    let key = key();
    let padding = " ".repeat(MAX_BUNDLE);
    let good = format!("{}{padding}", text(&bundle(&key, NAME, MANIFEST)));
    assert!(Bundle::parse(&good.as_bytes()[..MAX_BUNDLE]).is_ok());
    let error = Bundle::parse(good.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains(&format!("the limit is {MAX_BUNDLE}")),
        "{error}"
    );
    let lists = "[".repeat(MAX_BUNDLE);
    let error = Bundle::parse(lists.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("recursion limit"), "{error}");
    let values = format!("[{}1]", "1,".repeat(MAX_BUNDLE / 2 - 2));
    let error = Bundle::parse(values.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("more than 65536 values"), "{error}");
}

#[test]
fn no_more_bundles_are_looked_at_than_the_limit() {
    let (good, other) = (key(), key());
    let policy = policy(&[signed_by("a.io", &[&good], 1)]);
    let mut bundles = vec![bundle(&other, NAME, MANIFEST); MAX_BUNDLES - 1];
    bundles.push(bundle(&good, NAME, MANIFEST));
    assert!(judge_bundles(&policy, &bundles).is_ok());
    bundles.insert(0, Vec::new());
    expect_wrong_key(judge_bundles(&policy, &bundles));
}
