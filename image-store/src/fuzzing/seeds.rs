//! The seeds of the corpora: each is a form that a target has to know.
//!
//! `FAIRING_BLESS=1 cargo test -p fairing-image-store fuzzing` writes them to `fuzz/corpus/`.

use crate::fixture::{Head, Tar, gzip, zstd};

pub(super) type Seed = (&'static str, Vec<u8>);

/// Writes the seeds of a target, if asked to.
pub(super) fn bless(target: &str) {
    if std::env::var_os("FAIRING_BLESS").is_none() {
        return;
    }
    let folder = replay::corpus_folder(target);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in of(target) {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

pub(super) fn of(target: &str) -> Vec<Seed> {
    match target {
        "layer" => layers(),
        "archive" => archives(),
        "inflate" => streams(),
        "pax" => records(),
        "whiteout" => whiteouts(),
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
        digest: crate::digest::sha256(b"image"),
    };
    let made = crate::referrer::of_bundle(&subject, bundle.as_bytes()).unwrap();
    let referrer = crate::origin::RawManifest {
        digest: crate::digest::sha256(&made.manifest),
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

fn layers() -> Vec<Seed> {
    let long = |kind, data: &'static [u8]| Head {
        name: b"././@LongLink",
        kind,
        data,
        ..Head::default()
    };
    let special = |kind, name: &'static [u8]| Head {
        name,
        kind,
        mode: 0o4755,
        uid: 3_000_000,
        ..Head::default()
    };
    let plain = Tar::default()
        .folder("./")
        .folder("d")
        .file("d/f", b"content")
        .symlink("d/l", "../x")
        .hard_link("h", "d/f");
    let gnu = Tar::default()
        .head(&long(b'L', b"long/name\0"))
        .head(&long(b'K', b"long/target\0"))
        .symlink("cut", "cut");
    let pax = Tar::default()
        .pax(&[
            ("path", b"pax/name"),
            ("size", b"5"),
            ("uid", b"70000"),
            ("gid", b"3000000000"),
            ("mtime", b"-1.5"),
            ("SCHILY.xattr.user.a", b"value"),
            ("SCHILY.xattr.security.capability", b"\x01\0\0\x02"),
        ])
        .file("cut", b"12345");
    let records = |map: &'static [u8]| {
        let records: [(&str, &[u8]); 3] = [
            ("GNU.sparse.name", b"holes"),
            ("GNU.sparse.size", b"4096"),
            ("GNU.sparse.map", map),
        ];
        Tar::default().pax(&records).file("cut", b"abcdef")
    };
    let pairs = Tar::default()
        .pax(&[
            ("GNU.sparse.size", b"4096"),
            ("GNU.sparse.numblocks", b"2"),
            ("GNU.sparse.offset", b"0"),
            ("GNU.sparse.numbytes", b"3"),
            ("GNU.sparse.offset", b"512"),
            ("GNU.sparse.numbytes", b"3"),
        ])
        .file("holes", b"abcdef");
    let mut in_data = b"2\n0\n3\n512\n3\n".to_vec();
    in_data.resize(512, 0);
    in_data.extend_from_slice(b"abcdef");
    let in_data = Tar::default()
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"holes"),
            ("GNU.sparse.realsize", b"4096"),
        ])
        .file("cut", &in_data);
    // A map of GNU's old form that goes on in a block of its own.
    let mut more = b"00000001000\x0000000000003\0".to_vec();
    more.resize(512, 0);
    let old = Head {
        name: b"holes",
        kind: b'S',
        size: Some(6),
        ..Head::default()
    };
    let old = Tar::default().patched(
        &old,
        &[
            (257, b"ustar  \0"),
            (386, b"00000000000\x0000000000003\0"),
            (482, b"\x01"),
            (483, b"00000010000\0"),
        ],
    );
    let old = old.raw(&more).raw(b"abcdef").raw(&[0; 506]);
    let odd = Tar::default()
        .head(&Head {
            kind: b'g',
            data: b"16 comment=1234\n",
            ..Head::default()
        })
        .patched(
            &special(b'3', b"null"),
            &[(329, b"0000001\0"), (337, b"0000003\0")],
        )
        .head(&special(b'6', b"fifo"))
        .patched(&special(b'0', b"times"), &[(136, &[0xff; 12])])
        .file(".wh.gone", b"")
        .file("d/.wh..wh..opq", b"");
    vec![
        ("plain", plain.end()),
        ("gnu-names", gnu.end()),
        ("pax", pax.end()),
        ("sparse-old", old.end()),
        ("sparse-0.0", pairs.end()),
        ("sparse-0.1", records(b"0,3,512,3").end()),
        ("sparse-1.0", in_data.end()),
        ("odd-kinds", odd.end()),
    ]
}

fn streams() -> Vec<Seed> {
    let tar = Tar::default().file("f", b"content").end();
    let (head, tail) = tar.split_at(700);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    vec![
        ("tar", tar.clone()),
        ("gzip", gzip(&tar)),
        ("gzip-members", [gzip(head), gzip(tail)].concat()),
        ("zstd", zstd(&tar)),
        (
            "zstd-frames",
            [&zstd(head)[..], &skippable, &zstd(tail)].concat(),
        ),
        ("zeros", gzip(&[0; 1 << 20])),
        ("xz", b"\xfd7zXZ\0\0\x04".to_vec()),
    ]
}

fn records() -> Vec<Seed> {
    vec![
        ("names", b"12 path=a/b\n15 linkpath=c\n".to_vec()),
        (
            "numbers",
            b"9 size=5\n13 uid=70000\n20 mtime=-12.000001\n".to_vec(),
        ),
        ("xattr", b"28 SCHILY.xattr.user.a=\x00\xff=\n\n".to_vec()),
        (
            "sparse",
            b"26 GNU.sparse.map=0,1,5,2\n22 GNU.sparse.major=1\n".to_vec(),
        ),
    ]
}

fn whiteouts() -> Vec<Seed> {
    vec![
        ("file", b"\x03d/.wh.gone".to_vec()),
        ("opaque", b"\x03d/.wh..wh..opq".to_vec()),
        ("aufs", b"\x00.wh..wh.plnk/1.2".to_vec()),
        ("nothing", b"\x03.wh.".to_vec()),
        ("above", b"\x02.wh.d/file".to_vec()),
        ("plain", b"\x03/usr//./lib/x/".to_vec()),
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
