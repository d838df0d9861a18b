//! The seeds of the corpora: each is a form that a target has to know.
//!
//! `FAIRING_BLESS=1 cargo test -p fairing-image-store fuzzing` writes them to `fuzz/corpus/`.

use crate::fixture::Tar;
use replay::Seed;

pub(super) fn of(target: &str) -> Vec<Seed> {
    match target {
        "archive" => archives(),
        "aci_manifest" => appc(),
        "source" => sources(),
        other => panic!("{other} has no seeds"),
    }
}

fn appc() -> Vec<Seed> {
    let manifest = r#"{"acKind":"ImageManifest","acVersion":"0.8.11","name":"example.com/a",
        "labels":[{"name":"version","value":"1"},{"name":"os","value":"linux"},
            {"name":"arch","value":"armv7l"}],
        "app":{"exec":["/a","b"],"user":"/a","group":"0","supplementaryGIDs":[1],
            "eventHandlers":[{"name":"pre-start","exec":["/x"]}],"workingDirectory":"/w",
            "environment":[{"name":"A","value":"b"}],
            "mountPoints":[{"name":"d","path":"/d","readOnly":true}],
            "ports":[{"name":"p","protocol":"tcp","port":80,"count":2}],
            "isolators":[{"name":"resource/memory","value":{"limit":"1G"}}],
            "userAnnotations":{"a":"b"},"userLabels":{"c":"d"}},
        "annotations":[{"name":"created","value":"2016-01-01T00:00:00Z"},
            {"name":"authors","value":"x"}]}"#;
    let bare = r#"{"acKind":"ImageManifest","acVersion":"0.8.11","name":"a.io/b",
        "dependencies":[],"pathWhitelist":[]}"#;
    vec![("full", manifest.into()), ("bare", bare.into())]
}

fn archives() -> Vec<Seed> {
    let digest = "blobs/sha256/00";
    let layout = Tar::default()
        .file("oci-layout", b"{}")
        .file("./index.json", b"{}")
        .folder("blobs")
        .file(digest, b"blob");
    let docker = Tar::default()
        .file("manifest.json", b"[]")
        .file("a.tar", b"layer")
        .symlink("b/layer.tar", "../a.tar")
        .hard_link("c.tar", "a.tar")
        .symlink("loop", "loop");
    let pax = Tar::default()
        .pax(&[("path", b"pax/name"), ("size", b"5")])
        .file("cut", b"12345");
    vec![
        ("layout", layout.end()),
        ("docker", docker.end()),
        ("pax", pax.end()),
    ]
}

const HEX: &str = "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

fn sources() -> Vec<Seed> {
    let digest = format!("registry.example.com:5000/team/app:1.2@sha256:{HEX}");
    vec![
        ("short", b"busybox".to_vec()),
        ("whole", digest.into_bytes()),
        ("layout", b"oci:/tmp/layout:tag".to_vec()),
        ("archive", b"docker-archive:/tmp/a.tar:repo:tag".to_vec()),
    ]
}
