//! The seeds of the corpora: each is a form that a target has to know.
//!
//! `FAIRING_BLESS=1 cargo test -p fairing-image-store fuzzing` writes them to `fuzz/corpus/`.

use crate::fixture::Tar;
use replay::Seed;

pub(super) fn of(target: &str) -> Vec<Seed> {
    match target {
        "archive" => archives(),
        "manifest" => manifests(),
        "config" => configs(),
        "signatures" => signatures(),
        "aci_manifest" => appc(),
        "source" => sources(),
        "registry_headers" => headers(),
        other => panic!("{other} has no seeds"),
    }
}

fn signatures() -> Vec<Seed> {
    let signed = crate::cosign::append(None, b"p", "cA==").unwrap().unwrap();
    let statement = "eyJwcmVkaWNhdGVUeXBlIjoiaHR0cHM6Ly9leGFtcGxlLmNvbS9wIn0=";
    let bundle = format!(r#"{{"dsseEnvelope":{{"payload":"{statement}"}}}}"#);
    let subject = crate::origin::RawManifest {
        media_type: crate::media_type::OCI_MANIFEST.to_owned(),
        bytes: b"image".to_vec(),
        digest: image_layer::sha256(b"image"),
    };
    let made = crate::referrer::of_bundle(&subject, bundle.as_bytes()).unwrap();
    let referrer = crate::origin::RawManifest {
        digest: image_layer::sha256(&made.manifest),
        bytes: made.manifest.clone(),
        ..subject
    };
    let list = crate::referrer::add_to_list(None, &referrer)
        .unwrap()
        .unwrap();
    vec![
        ("signed", signed.manifest),
        ("bundle", bundle.into_bytes()),
        ("referrer", made.manifest),
        ("list", list),
    ]
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

fn sources() -> Vec<Seed> {
    let digest = format!("registry.example.com:5000/team/app:1.2@sha256:{HEX}");
    vec![
        ("short", b"busybox".to_vec()),
        ("whole", digest.into_bytes()),
        ("layout", b"oci:/tmp/layout:tag".to_vec()),
        ("archive", b"docker-archive:/tmp/a.tar:repo:tag".to_vec()),
    ]
}

fn headers() -> Vec<Seed> {
    vec![
        ("bearer", br#"Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="repository:a:pull""#.to_vec()),
        ("several", b"BASIC realm=\"x, y\", bearer service = s , realm=\"a\\\"b\"\nNegotiate".to_vec()),
        ("locations", b"/v2/a/blobs/uploads/1?x=y\nhttps://cdn.example.com/b\n//other/c\n../d".to_vec()),
        ("ranges", b"bytes 0-99/100\nbytes */100\n0-99".to_vec()),
        ("links", b"</v2/_catalog?last=a&n=2>; rel=\"next\"".to_vec()),
        ("text", "a\u{1b}[31mb\r\n c\u{202e}d".as_bytes().to_vec()),
    ]
}
