use super::*;

fn image() -> RawManifest {
    RawManifest {
        media_type: OCI_MANIFEST.to_owned(),
        bytes: b"image".to_vec(),
        digest: sha256(b"image"),
    }
}

fn bundle(predicate: &str) -> Vec<u8> {
    let statement = json!({ "predicateType": predicate });
    let payload = STANDARD.encode(statement.to_string());
    json!({ "dsseEnvelope": { "payload": payload } })
        .to_string()
        .into_bytes()
}

#[test]
fn lists_take_each_referrer_once_and_keep_what_others_wrote() {
    let referrer = |name: &str| {
        let referrer = of_bundle(&image(), &bundle(name)).unwrap();
        RawManifest {
            media_type: OCI_MANIFEST.to_owned(),
            digest: sha256(&referrer.manifest),
            bytes: referrer.manifest,
        }
    };
    let first = add_to_list(None, &referrer("a")).unwrap().unwrap();
    assert!(add_to_list(Some(&first), &referrer("a")).unwrap().is_none());
    let second = add_to_list(Some(&first), &referrer("b")).unwrap().unwrap();
    let listed = parse_list("list", &second).unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1].digest, referrer("b").digest);
    assert_eq!(listed[1].artifact_type.as_deref(), Some(BUNDLE));
    for bad in [&b"<html>"[..], b"{}", b"[]", br#"{"manifests":{}}"#] {
        for error in [
            add_to_list(Some(bad), &referrer("a")).unwrap_err(),
            parse_list("list", bad).unwrap_err(),
        ] {
            let is_refusal = matches!(
                error,
                DocumentError::NotJson { .. } | DocumentError::BadManifest { .. }
            );
            assert!(is_refusal, "{error}");
        }
    }
    let odd = br#"{"manifests":[1,{},{"digest":"sha512:x","size":1}]}"#;
    assert_eq!(parse_list("list", odd).unwrap().len(), 0);
}
