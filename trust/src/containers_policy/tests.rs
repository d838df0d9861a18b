mod identities;

use image_name::{Reference, Repository};

use super::*;
use crate::{Algorithm, PrivateKey};

fn parse(text: &str) -> Result<Policy, String> {
    let policy = ContainersPolicy::parse(text).map_err(|error| error.to_string())?;
    policy
        .into_policy(Path::new("/etc/containers/policy.json"), &BTreeMap::new())
        .map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    let error = parse(text).unwrap_err();
    assert!(!error.contains('\n') && error.len() < 400, "{error}");
    error
}

const REJECT: &str = r#""default":[{"type":"reject"}]"#;

/// A policy with these scopes of `docker`.
fn docker(scopes: &str) -> String {
    format!(r#"{{{REJECT},"transports":{{"docker":{{{scopes}}}}}}}"#)
}

/// The requirement of one scope.
fn requirement(text: &str) -> Requirement {
    let policy = parse(&docker(&format!(r#""a.io":[{text}]"#))).unwrap();
    let repository = Repository::parse("a.io/x").unwrap();
    let placed = policy.deciding(&repository).unwrap();
    placed.rule().requirement().clone()
}

fn key_data() -> String {
    let key = PrivateKey::generate(Algorithm::Ed25519).unwrap();
    STANDARD.encode(key.public().to_pem())
}

#[test]
fn the_most_specific_scope_decides() {
    let digest = image_name::Digest::parse(&format!("sha256:{}", "0a".repeat(32))).unwrap();
    let accept = r#"[{"type":"insecureAcceptAnything"}]"#;
    let scopes = [
        "",
        "*.example.com",
        "*.b.example.com",
        "a.io",
        "a.io:5000",
        "a.io/x",
        "a.io/x/y",
        "a.io/x/y:1",
        &format!("a.io/x/y@{digest}"),
    ];
    let texts: Vec<_> = scopes
        .iter()
        .map(|scope| format!("{scope:?}:{accept}"))
        .collect();
    let policy = parse(&docker(&texts.join(","))).unwrap();
    let decider = |repository: &str, tag: &str, pinned: bool| {
        let version = match pinned {
            true => format!("{tag}@{digest}"),
            false => tag.to_owned(),
        };
        let image = Reference::parse_full(&format!("{repository}:{version}")).unwrap();
        let placed = policy.deciding(&image).unwrap();
        assert_eq!(placed.file(), Path::new("/etc/containers/policy.json"));
        placed.rule().prefix().to_string()
    };
    for (repository, tag, pinned, scope) in [
        ("c.io/x", "1", false, "*"),
        ("example.com/x", "1", false, "*"),
        ("a.example.com/x", "1", false, "*.example.com"),
        ("a.b.example.com:99/x", "1", false, "*.b.example.com"),
        ("a.io/z", "1", false, "a.io"),
        ("a.io:5000/x/y", "1", false, "a.io:5000"),
        ("a.io/xy", "1", false, "a.io"),
        ("a.io/x", "1", false, "a.io/x"),
        ("a.io/x/z", "1", false, "a.io/x"),
        ("a.io/x/y", "2", false, "a.io/x/y"),
        ("a.io/x/y", "1", false, "a.io/x/y:1"),
        ("a.io/x/y", "1", true, scopes[8]),
        ("a.io/x/y/z", "1", false, "a.io/x/y"),
    ] {
        assert_eq!(decider(repository, tag, pinned), scope, "{repository}");
    }
    let rejecting = parse(&docker(r#""a.io":[{"type":"reject"}]"#)).unwrap();
    assert_eq!(rejecting.rules().len(), 2, "the default is for all others");
}

#[test]
fn every_requirement_has_its_rule() {
    assert_eq!(
        requirement(r#"{"type":"insecureAcceptAnything"}"#),
        Requirement::AcceptUnsigned
    );
    assert_eq!(requirement(r#"{"type":"reject"}"#), Requirement::Reject);
    let data = key_data();
    let signed = |more: &str| {
        requirement(&format!(
            r#"{{"type":"sigstoreSigned","keyData":"{data}"{more}}}"#
        ))
    };
    let identity_of = |requirement| match requirement {
        Requirement::SignedBy {
            identity,
            threshold: 1,
            keys,
        } => {
            assert!(keys[0].decode().is_ok());
            identity
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(identity_of(signed("")), Identity::MatchRepoDigestOrExact);
    for (text, identity) in [
        (r#""type":"matchExact""#, Identity::MatchExact),
        (
            r#""type":"matchRepoDigestOrExact""#,
            Identity::MatchRepoDigestOrExact,
        ),
        (r#""type":"matchRepository""#, Identity::MatchRepository),
        (
            r#""type":"exactReference","dockerReference":"b.io/x:1""#,
            Identity::ExactReference("b.io/x:1".to_owned()),
        ),
        (
            r#""type":"exactRepository","dockerRepository":"b.io/x""#,
            Identity::ExactRepository("b.io/x".to_owned()),
        ),
        (
            r#""type":"remapIdentity","prefix":"a.io","signedPrefix":"b.io/y""#,
            Identity::RemapIdentity {
                prefix: "a.io".to_owned(),
                signed_prefix: "b.io/y".to_owned(),
            },
        ),
    ] {
        let more = format!(",\"signedIdentity\":{{{text}}}");
        assert_eq!(identity_of(signed(&more)), identity);
    }
    let two = requirement(&format!(
        r#"{{"type":"sigstoreSigned","keyDatas":["{data}","{data}"]}},{{"type":"reject"}}"#
    ));
    let Requirement::All(all) = two else {
        panic!("{two:?}");
    };
    assert_eq!(all.len(), 2);
    assert_eq!(all[1], Requirement::Reject);
}

#[test]
fn what_can_not_be_verified_refuses_its_scope_and_no_other() {
    for (text, what) in [
        (
            r#"{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k"}"#.to_owned(),
            "GPG signatures",
        ),
        (
            r#"{"type":"signedBy","keyType":"GPGKeys","keyPaths":["/k"],"signedIdentity":{"type":"matchExact"}}"#
                .to_owned(),
            "GPG signatures",
        ),
        (
            r#"{"type":"sigstoreSigned","fulcio":{"caPath":"/ca"},"rekorPublicKeyPath":"/r"}"#.to_owned(),
            "certificates",
        ),
        (
            r#"{"type":"signedBy","keyType":"signedByGPGKeys","keyPath":"/k"}"#.to_owned(),
            "GPG signatures",
        ),
        (
            r#"{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchRepository"}}"#.to_owned(),
            "base layers",
        ),
        (r#"{"type":"sigstoreSigned","pki":{}}"#.to_owned(), "certificates"),
        (
            format!(
                r#"{{"type":"sigstoreSigned","keyData":"{}","rekorPublicKeyDatas":["AA=="]}}"#,
                key_data()
            ),
            "transparency log",
        ),
    ] {
        let Requirement::Unsupported(found) = requirement(&text) else {
            panic!("{text}");
        };
        assert!(found.contains(what), "{found}");
    }
}

#[test]
fn key_files_are_asked_for_and_fed_back() {
    let text = docker(
        r#""a.io":[{"type":"sigstoreSigned","keyPath":"/k/a"}],
           "a.io/x":[{"type":"sigstoreSigned","keyPaths":["/k/c","/k/b","/k/b"]}],
           "b.io":[{"type":"reject"}]"#,
    );
    let policy = ContainersPolicy::parse(&text).unwrap();
    let all = ["/k/a", "/k/b", "/k/c"].map(Path::new);
    assert_eq!(policy.key_files(), all);
    let files_for = |name: &str| {
        let repository = Repository::parse(name).unwrap();
        let files = policy.key_files_for(&repository);
        files.into_iter().map(Path::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(files_for("a.io/y"), [PathBuf::from("/k/a")]);
    assert_eq!(
        files_for("a.io/x/z"),
        [PathBuf::from("/k/b"), PathBuf::from("/k/c")]
    );
    assert!(files_for("b.io/x").is_empty() && files_for("c.io/x").is_empty());
    let key = PrivateKey::generate(Algorithm::Ed25519).unwrap();
    let keys = BTreeMap::from([(PathBuf::from("/k/a"), key.public().to_pem())]);
    let policy = policy.into_policy(Path::new("/p"), &keys).unwrap();
    let check = policy.check().unwrap_err().to_string();
    assert_eq!(check, "policy file /p: rule \"a.io/x\": key 1");
}

#[test]
fn mistakes_refuse_the_whole_file() {
    let scope = |text: &str| docker(&format!(r#""a.io":[{text}]"#));
    let key = key_data();
    for (text, part) in [
        (String::new(), "EOF"),
        ("[]".to_owned(), "the policy is not an object"),
        ("{}".to_owned(), "default is missing"),
        (
            r#"{"default":[]}"#.to_owned(),
            "default lists no requirement",
        ),
        (
            r#"{"default":[{"type":"reject"}],"x":1}"#.to_owned(),
            "unknown member \"x\"",
        ),
        (
            format!("{{{REJECT},{REJECT}}}"),
            "member \"default\" appears twice",
        ),
        (
            format!(r#"{{{REJECT},"transports":[]}}"#),
            "transports is not an object",
        ),
        (
            docker(r#""a.io":[],"a.io":[]"#),
            "member \"a.io\" appears twice",
        ),
        (
            docker(r#""a.io":[]"#),
            "transports.docker[\"a.io\"] lists no requirement",
        ),
        (docker(r#""a.io":{}"#), "is not a list"),
        (scope("1"), "[0] is not an object"),
        (scope("{}"), "[0].type is missing"),
        (
            scope(r#"{"type":"accept"}"#),
            "type is \"accept\", which is not known",
        ),
        (
            scope(r#"{"type":"reject","x":1}"#),
            "has an unknown member \"x\"",
        ),
        (
            scope(r#"{"type":"sigstoreSigned"}"#),
            "needs exactly one of keyPath",
        ),
        (
            scope(r#"{"type":"sigstoreSigned","keyPath":"/a","keyData":"YQ=="}"#),
            "needs exactly one of",
        ),
        (
            scope(r#"{"type":"sigstoreSigned","keyPath":"a"}"#),
            "is not an absolute path",
        ),
        (
            scope(r#"{"type":"sigstoreSigned","keyPath":1}"#),
            "keyPath is not a string",
        ),
        (
            scope(r#"{"type":"sigstoreSigned","keyPaths":[]}"#),
            "keyPaths lists nothing",
        ),
        (
            scope(r#"{"type":"sigstoreSigned","keyData":"?"}"#),
            "is not base64",
        ),
        (
            scope(r#"{"type":"sigstoreSigned","keyData":"/w=="}"#),
            "is not base64 of PEM",
        ),
        (
            scope(&format!(
                r#"{{"type":"sigstoreSigned","keyData":"{key}","signedIdentity":{{"type":"any"}}}}"#
            )),
            "signedIdentity.type is \"any\"",
        ),
        (
            scope(&format!(
                r#"{{"type":"sigstoreSigned","keyData":"{key}","signedIdentity":{{"type":"exactReference"}}}}"#
            )),
            "dockerReference is missing",
        ),
        (
            scope(&format!(
                r#"{{"type":"sigstoreSigned","keyData":"{key}","signedIdentity":{{"type":"exactReference","dockerReference":"a.io/x"}}}}"#
            )),
            "signedIdentity: \"a.io/x\" has neither tag nor digest",
        ),
        (
            scope(r#"{"type":"signedBaseLayer"}"#),
            "baseLayerIdentity is missing",
        ),
        (
            scope(r#"{"type":"signedBy","keyPath":"/k"}"#),
            "keyType is missing",
        ),
        (
            scope(r#"{"type":"signedBy","keyType":"X","keyPath":"/k"}"#),
            "keyType is \"X\", which is not known",
        ),
        // Other transports are not used, and are read all the same.
        (
            format!(r#"{{{REJECT},"transports":{{"dir":{{"/x":[{{"type":"no"}}]}}}}}}"#),
            "which is not known",
        ),
    ] {
        let error = refused(&text);
        assert!(error.contains(part), "{text}: {error}");
    }
    let good = scope(r#"{"type":"reject"}"#);
    for end in 0..good.len() {
        refused(&good[..end]);
    }
    refused(&"[".repeat(100_000));
}
