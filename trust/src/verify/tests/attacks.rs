//! What must never run, however it is dressed up.

use super::*;

#[test]
fn a_key_for_a_neighbour_is_no_key() {
    let key = key();
    for (prefix, name) in [
        ("a.io/foo", "a.io/foobar"),
        ("a.io/foo", "a.io/foo-x/y"),
        ("a.io/foo/x", "a.io/foo"),
        ("a.io:5000", "a.io/foo"),
        ("a.io", "a.io:5000/foo"),
        ("a.io:500", "a.io:5000/foo"),
        ("a.io", "a.io.evil.net/foo"),
    ] {
        let policy = policy(&[signed_by(prefix, &[&key], 1)]);
        let refusal = refused(&policy, name, &[sign(&key, name, MANIFEST)]);
        assert!(
            matches!(refusal, Refusal::NoRule { .. }),
            "{prefix} {name}: {refusal}"
        );
    }
}

#[test]
fn another_spelling_of_a_name_is_another_name() {
    // Names in another case never become repositories; a rule for one never becomes a rule.
    for name in ["A.io/foo", "a.io/Foo"] {
        let error = Repository::parse(name).unwrap_err().to_string();
        assert!(error.contains("lower case"), "{name}: {error}");
    }
    let error = Prefix::parse("a.io/Foo").unwrap_err().to_string();
    assert!(error.contains("lower case"), "{error}");
    let key = key();
    let policy = policy(&[signed_by("a.io", &[&key], 1)]);
    let good = String::from_utf8(payload(
        &Repository::parse(NAME).unwrap(),
        &digest(MANIFEST),
        None,
    ));
    for name in [
        "a.io/Foo",
        "A.io/foo",
        "a.io/foo/",
        "a.io:443/foo",
        "foo",
        "",
        "a.io/foo@x",
    ] {
        let text = good.clone().unwrap().replace(NAME, name);
        let refusal = refused(&policy, NAME, &[layer(&key, text.into_bytes())]);
        let Refusal::WrongSignature { flaw, .. } = &refusal else {
            panic!("{refusal}")
        };
        assert_eq!(
            **flaw,
            Flaw::OtherName {
                signed: name.to_owned()
            }
        );
    }
}

#[test]
fn a_signature_by_another_key_does_not_count() {
    let (trusted, other) = (key(), PrivateKey::generate(Algorithm::EcdsaP256).unwrap());
    let policy = policy(&[signed_by("a.io/foo", &[&trusted], 1)]);
    let refusal = refused(&policy, NAME, &[sign(&other, NAME, MANIFEST)]);
    let wanted = trusted.public().fingerprint();
    assert_eq!(
        refusal.to_string(),
        format!(
            "image a.io/foo:1@{INDEX} is not signed by a trusted key: 1 signature by another key found, \
             rule \"a.io/foo\" of /etc/t/a.toml:1 requires key {wanted}"
        )
    );
    // Not all of many keys are listed.
    for (number, end) in [
        (2, None),
        (3, None),
        (4, Some("1 more")),
        (7, Some("4 more")),
    ] {
        let keys: Vec<_> = (0..number).map(|_| key()).collect();
        let policy = self::policy(&[signed_by("a.io/foo", &keys.iter().collect::<Vec<_>>(), 2)]);
        let refusal = refused(&policy, NAME, &[sign(&other, NAME, MANIFEST)]).to_string();
        let listed = keys
            .iter()
            .take(3)
            .map(|key| key.public().fingerprint().to_string());
        let listed: Vec<_> = listed.chain(end.map(str::to_owned)).collect();
        let wanted = format!("requires 2 of the keys {}", listed.join(", "));
        assert!(refusal.ends_with(&wanted), "{refusal}");
    }
    // Those of both formats are counted.
    let simple = vec![sign(&other, NAME, MANIFEST); 2];
    let bundles = vec![bundle(&other, NAME, MANIFEST); 3];
    let refusal = judge_all(&policy, NAME, &simple, &bundles, &at(None)).unwrap_err();
    let found = "5 signatures by other keys found";
    assert!(refusal.to_string().contains(found), "{refusal}");
    // Among others, the good one is found.
    let both = [sign(&other, NAME, MANIFEST), sign(&trusted, NAME, MANIFEST)];
    assert!(judge(&policy, NAME, &both).is_ok());
}

#[test]
fn a_signature_for_another_image_does_not_count() {
    let key = key();
    let policy = policy(&[signed_by("a.io", &[&key], 1)]);
    let refusal = refused(&policy, NAME, &[sign(&key, NAME, OTHER)]);
    assert!(
        refusal
            .to_string()
            .ends_with(&format!("it is for another image, {OTHER}"))
    );
    let refusal = refused(&policy, NAME, &[sign(&key, "a.io/bar", MANIFEST)]);
    assert!(
        refusal
            .to_string()
            .ends_with("it is for another name, \"a.io/bar\""),
        "{refusal}"
    );
}

#[test]
fn a_swapped_payload_breaks_the_signature() {
    let key = key();
    let policy = policy(&[signed_by("a.io", &[&key], 1)]);
    let good = sign(&key, NAME, OTHER);
    let wanted = sign(&key, NAME, MANIFEST);
    let swapped = SignatureLayer {
        payload: wanted.payload.clone(),
        signature: good.signature,
    };
    assert!(matches!(
        refused(&policy, NAME, &[swapped]),
        Refusal::WrongKey { found: 1, .. }
    ));
    for at in 0..wanted.payload.len() {
        let mut changed = wanted.clone();
        changed.payload[at] ^= 1;
        expect_wrong_key(judge(&policy, NAME, &[changed]));
    }
    assert!(judge(&policy, NAME, &[wanted]).is_ok());
}

#[test]
fn payloads_that_readers_could_take_differently_are_refused_although_signed() {
    let key = key();
    let policy = policy(&[signed_by("a.io", &[&key], 1)]);
    let good = String::from_utf8(payload(
        &Repository::parse(NAME).unwrap(),
        &digest(MANIFEST),
        None,
    ))
    .unwrap();
    for text in [
        // The first digest is another's, the last this one's, and the other way round.
        good.replace(
            "{\"docker-manifest",
            &format!("{{\"docker-manifest-digest\":\"{OTHER}\",\"docker-manifest"),
        ),
        good.replace(
            "\"},\"type",
            &format!("\",\"docker-manifest-digest\":\"{OTHER}\"}},\"type"),
        ),
        good.replace("\"type\"", "\"expires\":1,\"type\""),
        good.replace("cosign container", "some other"),
        format!("{good}{good}"),
        String::new(),
    ] {
        let refusal = refused(&policy, NAME, &[layer(&key, text.clone().into_bytes())]);
        let Refusal::WrongSignature { flaw, .. } = &refusal else {
            panic!("{text}: {refusal}")
        };
        assert!(matches!(**flaw, Flaw::Payload(_)), "{text}: {flaw}");
    }
}

#[test]
fn huge_and_garbled_signatures_do_not_count() {
    let key = key();
    let policy = policy(&[signed_by("a.io", &[&key], 1)]);
    let good = sign(&key, NAME, MANIFEST);
    let padded = |length| {
        let mut payload = good.payload.clone();
        payload.resize(length, b' ');
        [layer(&key, payload)]
    };
    assert!(judge(&policy, NAME, &padded(MAX_PAYLOAD)).is_ok());
    expect_wrong_key(judge(&policy, NAME, &padded(MAX_PAYLOAD + 1)));
    let line = format!("{}\n", good.signature);
    for signature in [
        "",
        "=",
        "!!!!",
        "AAAA",
        &good.signature[1..],
        &line,
        &"A".repeat(1 << 20),
    ] {
        let garbled = SignatureLayer {
            payload: good.payload.clone(),
            signature: signature.to_owned(),
        };
        assert!(matches!(
            refused(&policy, NAME, &[garbled]),
            Refusal::WrongKey { .. }
        ));
    }
}

#[test]
fn no_more_than_the_limit_is_looked_at() {
    let (trusted, other) = (key(), key());
    let policy = policy(&[signed_by("a.io", &[&trusted], 1)]);
    let mut signatures = vec![sign(&other, NAME, MANIFEST); crate::MAX_SIGNATURES - 1];
    signatures.push(sign(&trusted, NAME, MANIFEST));
    assert!(judge(&policy, NAME, &signatures).is_ok());
    signatures.insert(0, sign(&other, NAME, MANIFEST));
    expect_wrong_key(judge(&policy, NAME, &signatures));
}

#[test]
fn thresholds_count_keys_not_signatures() {
    let (a, b, c) = (
        key(),
        PrivateKey::generate(Algorithm::EcdsaP256).unwrap(),
        key(),
    );
    let policy = policy(&[signed_by("a.io", &[&a, &b, &c], 2)]);
    let [by_a, by_b] = [sign(&a, NAME, MANIFEST), sign(&b, NAME, MANIFEST)];

    // The same signature twice, and two signatures by one key.
    for signatures in [
        [by_a.clone(), by_a.clone()],
        [by_a.clone(), sign(&a, NAME, INDEX)],
    ] {
        let refusal = refused(&policy, NAME, &signatures);
        let Refusal::NotEnough { have, demand } = &refusal else {
            panic!("{refusal}")
        };
        assert_eq!(*have, [a.public().fingerprint()]);
        assert_eq!((demand.threshold, demand.keys.len()), (2, 3));
        let text = refusal.to_string();
        assert!(
            text.contains("@sha256:") && text.contains(" is signed by 1 of 2 needed keys: "),
            "{text}"
        );
    }
    // A second key that signed something else.
    let elsewhere = [
        by_a.clone(),
        sign(&b, NAME, OTHER),
        sign(&c, "a.io/bar", MANIFEST),
    ];
    assert!(matches!(
        refused(&policy, NAME, &elsewhere),
        Refusal::NotEnough { .. }
    ));

    let image = judge(&policy, NAME, &[by_a.clone(), by_a, by_b]).unwrap();
    let keys: Vec<Fingerprint> = vec![a.public().fingerprint(), b.public().fingerprint()];
    assert_eq!(image.verification().keys, keys);
    // One signed the index, the other the manifest in it.
    let mixed = [sign(&c, NAME, INDEX), sign(&b, NAME, MANIFEST)];
    assert_eq!(
        judge(&policy, NAME, &mixed)
            .unwrap()
            .verification()
            .signed_digest,
        Some(digest(INDEX))
    );
}

#[test]
fn one_key_written_in_two_ways_is_one_signer() {
    let key = PrivateKey::from_pem(include_str!("../../../tests/data/p256.key")).unwrap();
    let (plain, compressed) = (
        include_str!("../../../tests/data/p256.pub"),
        include_str!("../../../tests/data/p256-compressed.pub"),
    );
    let policy = policy(&[format!(
        "{}threshold = 2\nkeys = ['''{plain}''', '''{compressed}''']\n",
        rule("a.io", "signed-by")
    )]);
    let refusal = refused(
        &policy,
        NAME,
        &[sign(&key, NAME, MANIFEST), sign(&key, NAME, INDEX)],
    );
    assert!(matches!(refusal, Refusal::NotEnough { .. }), "{refusal}");
}

#[test]
fn a_manifest_outside_the_chain_is_refused_whatever_the_rule() {
    let (index, other) = (digest(INDEX), digest(OTHER));
    let subject = Subject {
        reference: &Reference::parse_full(NAME).unwrap(),
        digests: std::slice::from_ref(&index),
        manifest: &other,
    };
    let refusal = verify(
        &policy(&[rule("*", "accept-unsigned")]),
        &subject,
        &Evidence::default(),
        &at(None),
    )
    .unwrap_err();
    assert!(matches!(refusal, Refusal::BrokenChain { .. }), "{refusal}");
}

#[test]
fn hostile_names_stay_one_line() {
    let key = key();
    let policy = policy(&[signed_by("*", &[&key], 1)]);
    let repository = Repository::parse(NAME).unwrap();
    let manifest = digest(MANIFEST);
    let subject = Subject {
        reference: &Reference::parse_full(NAME).unwrap(),
        digests: std::slice::from_ref(&manifest),
        manifest: &manifest,
    };
    let name = "\\n\\u001b".repeat(1000);
    let text = String::from_utf8(payload(&repository, &manifest, None))
        .unwrap()
        .replace(NAME, &name);
    for signatures in [vec![], vec![layer(&key, text.into_bytes())]] {
        let refusal = verify(
            &policy,
            &subject,
            &Evidence {
                simple: &signatures,
                bundles: &[],
            },
            &at(None),
        )
        .unwrap_err();
        let line = refusal.to_string();
        assert!(
            !line.contains(['\n', '\u{1b}']) && line.len() < 4000,
            "{line}"
        );
    }
}
