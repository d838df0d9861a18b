//! The seeds of the corpora: each is a form that a target has to know.
//!
//! `FAIRING_BLESS=1 cargo test -p fairing-image-document fuzzing` writes them to `fuzz/corpus/`.

use replay::Seed;

use crate::media_type::OCI_MANIFEST;
use crate::raw_manifest::RawManifest;
use crate::{cosign, referrer};

pub(super) fn of(target: &str) -> Vec<Seed> {
    match target {
        "manifest" => manifests(),
        "config" => configs(),
        "signatures" => signatures(),
        other => panic!("{other} has no seeds"),
    }
}

const HEX: &str = "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

fn manifests() -> Vec<Seed> {
    let blob = |kind: &str, more: &str| {
        format!(
            r#"{{"mediaType":"application/vnd.{kind}","digest":"sha256:{HEX}","size":7{more}}}"#
        )
    };
    let config = blob("oci.image.config.v1+json", "");
    let layer = blob(
        "oci.image.layer.v1.tar+zstd",
        r#","urls":["https://example.com/x"]"#,
    );
    let docker = blob("docker.image.rootfs.diff.tar.gzip", "");
    let platform = r#","platform":{"os":"linux","architecture":"arm64","variant":"v8"},"annotations":{"a":"b"}"#;
    let member = blob("oci.image.manifest.v1+json", platform);
    vec![
        ("manifest", format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer},{docker}]}}"#).into_bytes()),
        ("index", format!(r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{member},{member}]}}"#).into_bytes()),
        ("both", format!(r#"{{"schemaVersion":2,"config":{config},"layers":[],"manifests":[{member}]}}"#).into_bytes()),
        ("schema-1", br#"{"schemaVersion":1,"fsLayers":[]}"#.to_vec()),
    ]
}

fn configs() -> Vec<Seed> {
    let ids = format!(r#""sha256:{HEX}","sha256:{HEX}""#);
    let whole = format!(
        r#"{{"created":"2024-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{{"User":"1000:50","Env":["PATH=/bin","A=b"],"Entrypoint":["/init"],"Cmd":["-x"],"WorkingDir":"/srv","ExposedPorts":{{"80/tcp":{{}}}},"Volumes":{{"/data":{{}}}},"Labels":{{"a":"b"}},"StopSignal":"SIGTERM"}},"rootfs":{{"type":"layers","diff_ids":[{ids}]}},"history":[{{"created_by":"x","empty_layer":true}}]}}"#
    );
    let least =
        format!(r#"{{"architecture":"","os":"","rootfs":{{"type":"layers","diff_ids":[{ids}]}}}}"#);
    vec![("whole", whole.into_bytes()), ("least", least.into_bytes())]
}

fn signatures() -> Vec<Seed> {
    let signed = cosign::append(None, b"p", "cA==").unwrap().unwrap();
    let statement = "eyJwcmVkaWNhdGVUeXBlIjoiaHR0cHM6Ly9leGFtcGxlLmNvbS9wIn0=";
    let bundle = format!(r#"{{"dsseEnvelope":{{"payload":"{statement}"}}}}"#);
    let subject = RawManifest {
        media_type: OCI_MANIFEST.to_owned(),
        bytes: b"image".to_vec(),
        digest: image_layer::sha256(b"image"),
    };
    let made = referrer::of_bundle(&subject, bundle.as_bytes()).unwrap();
    let referrer = RawManifest {
        digest: image_layer::sha256(&made.manifest),
        bytes: made.manifest.clone(),
        ..subject
    };
    let list = referrer::add_to_list(None, &referrer).unwrap().unwrap();
    vec![
        ("signed", signed.manifest),
        ("bundle", bundle.into_bytes()),
        ("referrer", made.manifest),
        ("list", list),
    ]
}
