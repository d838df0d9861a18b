use image_name::{Digest, Reference};
use serde_json::Value;

use super::*;

/// Also compared with skopeo, by the end-to-end tests.
const TABLE: &str = include_str!("../identities.json");

/// The table, for this host and image.
fn table() -> Value {
    let (digest, other) = (digest(), "0b".repeat(32));
    let text = TABLE
        .replace("HOST", "a.io")
        .replace("DIGEST", digest.as_ref())
        .replace("OTHER", &format!("sha256:{other}"));
    serde_json::from_str(&text).unwrap()
}

fn digest() -> Digest {
    Digest::parse(&format!("sha256:{}", "0a".repeat(32))).unwrap()
}

/// What the `signedIdentity` of a requirement is read as.
fn identity(signed_identity: &Value) -> Result<Identity, String> {
    let member = match signed_identity {
        Value::Null => String::new(),
        given => format!(r#","signedIdentity":{given}"#),
    };
    let text = format!(
        r#"{{"type":"sigstoreSigned","keyData":{:?}{member}}}"#,
        key_data()
    );
    let policy = parse(&docker(&format!(r#""a.io":[{text}]"#)))?;
    let repository = Repository::parse("a.io/x").unwrap();
    match policy.deciding(&repository).unwrap().rule().requirement() {
        Requirement::SignedBy { identity, .. } => Ok(identity.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_identity_gives_the_verdict_of_containers_image_for_every_form_of_name() {
    let table = table();
    let versions: Vec<_> = table["versions"].as_array().unwrap().iter().collect();
    for row in table["rows"].as_array().unwrap() {
        let identity = identity(&row["identity"]).unwrap();
        for (asked_by, version) in [
            ("none", String::new()),
            ("tag", ":1".to_owned()),
            ("digest", format!("@{}", digest())),
            // podman leaves out a tag beside a digest.
            ("digest", format!(":1@{}", digest())),
        ] {
            let image = Reference::parse(&format!("a.io/team/x{version}")).unwrap();
            let counts = versions.iter().map(|version| {
                let signed = format!(
                    "{}{}",
                    row["signed"].as_str().unwrap(),
                    version.as_str().unwrap()
                );
                match identity.accepts(Some(&signed), &image) {
                    true => '+',
                    false => '-',
                }
            });
            let found: String = counts.collect();
            assert_eq!(found, row[asked_by].as_str().unwrap(), "{version}: {row}");
        }
    }
}

#[test]
fn an_identity_that_could_never_match_refuses_the_policy() {
    for mistake in table()["mistakes"].as_array().unwrap() {
        assert!(identity(mistake).is_err(), "{mistake}");
    }
}
