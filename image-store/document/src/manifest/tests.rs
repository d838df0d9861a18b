use super::*;
use crate::error::DocumentError;
use crate::media_type::{DOCKER_LIST, OCI_INDEX, OCI_MANIFEST};

const HEX: &str = "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

fn descriptor(media_type: &str, extra: &str) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{HEX}","size":7{extra}}}"#)
}

fn config() -> String {
    descriptor("application/vnd.oci.image.config.v1+json", "")
}

fn manifest(layer_type: &str) -> String {
    let layer = descriptor(layer_type, "");
    format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{layer}]}}"#,
        config()
    )
}

fn parse(text: &str) -> Result<Document, DocumentError> {
    Document::parse("manifest", text.as_bytes(), "")
}

fn as_manifest(text: &str) -> Manifest {
    match parse(text).unwrap() {
        Document::Manifest(manifest) => manifest,
        Document::Index(_) => panic!("an index"),
    }
}

#[test]
fn layers_of_oci_and_docker_are_known_and_others_are_not() {
    for good in [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ] {
        as_manifest(&manifest(good)).check_image("m").unwrap();
    }
    for bad in [
        "application/vnd.oci.image.layer.v1.tar+xz",
        "text/plain",
        "",
    ] {
        assert!(
            as_manifest(&manifest(bad)).check_image("m").is_err(),
            "{bad}"
        );
    }
}

#[test]
fn foreign_layers_are_refused() {
    for suffix in ["", ".gzip"] {
        let foreign = format!("application/vnd.docker.image.rootfs.foreign.diff.tar{suffix}");
        let error = as_manifest(&manifest(&foreign))
            .check_image("m")
            .unwrap_err();
        let error = error.to_string();
        assert!(error.contains("foreign") && error.contains(HEX), "{error}");
    }
    // Who copies images may not copy these; they are in registries all the same.
    let marked = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    as_manifest(&manifest(marked)).check_image("m").unwrap();
}

#[test]
fn a_document_that_is_both_is_refused() {
    let both = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}}"#,
        config()
    );
    assert!(matches!(
        parse(&both),
        Err(DocumentError::BadManifest { .. })
    ));
    let layers_and_manifests = r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#;
    assert!(matches!(
        parse(layers_and_manifests),
        Err(DocumentError::BadManifest { .. })
    ));
}

#[test]
fn the_media_type_must_fit_the_members() {
    let index_as_manifest =
        format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","manifests":[]}}"#);
    assert!(matches!(
        parse(&index_as_manifest),
        Err(DocumentError::BadManifest { .. })
    ));
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[]}}"#);
    parse(&index).unwrap();
    let served = Document::parse("m", index.as_bytes(), OCI_MANIFEST);
    assert!(matches!(served, Err(DocumentError::BadManifest { .. })));
    let list = format!(r#"{{"schemaVersion":2,"mediaType":"{DOCKER_LIST}","manifests":[]}}"#);
    parse(&list).unwrap();
}

#[test]
fn configurations_of_old_tools_are_known_and_other_artifacts_are_none() {
    let text = manifest("application/vnd.oci.image.layer.v1.tar");
    let oci = "application/vnd.oci.image.config.v1+json";
    for known in ["application/octet-stream", "text/html", "text/plain", ""] {
        let manifest = as_manifest(&text.replace(oci, known));
        assert!(manifest.check_image("manifest").is_ok(), "{known:?}");
    }
    for other in [
        "application/vnd.oci.empty.v1+json",
        "application/vnd.cncf.helm.config.v1+json",
    ] {
        let manifest = as_manifest(&text.replace(oci, other));
        let error = manifest.check_image("manifest").unwrap_err().to_string();
        assert!(error.contains("not a container image"), "{error}");
    }
}

#[test]
fn what_is_no_manifest_is_told_apart() {
    assert!(matches!(
        parse("<html>"),
        Err(DocumentError::NotJson { .. })
    ));
    assert!(matches!(parse(""), Err(DocumentError::NotJson { .. })));
    assert!(matches!(
        parse("{}"),
        Err(DocumentError::BadManifest { .. })
    ));
    assert!(matches!(
        parse("[]"),
        Err(DocumentError::BadManifest { .. })
    ));
    let schema1 = r#"{"schemaVersion":1,"fsLayers":[]}"#;
    assert!(parse(schema1).unwrap_err().to_string().contains("schema 1"));
    let twice = r#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#;
    assert!(parse(twice).is_err(), "duplicate members");
    let negative = manifest("x").replace(":7", ":-7");
    assert!(matches!(
        parse(&negative),
        Err(DocumentError::BadManifest { .. })
    ));
}

#[test]
fn digests_that_are_paths_are_refused() {
    for bad in [
        "sha256:../../etc/passwd",
        "sha256:ABC",
        "md5:d41d8cd98f00b204e9800998ecf8427e",
    ] {
        let text = manifest("x").replace(&format!("sha256:{HEX}"), bad);
        assert!(
            matches!(
                parse(&text),
                Err(DocumentError::Name(image_name::NameError::Digest { .. }))
            ),
            "{bad}"
        );
    }
}

#[test]
fn the_platform_is_picked_and_attestations_are_not() {
    let member = |platform: &str, hex: &str| {
        descriptor(OCI_MANIFEST, &format!(r#","platform":{platform}"#)).replace(HEX, hex)
    };
    let (a, b, c) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
    let text = format!(
        r#"{{"schemaVersion":2,"manifests":[{},{},{}]}}"#,
        member(r#"{"os":"unknown","architecture":"unknown"}"#, &a),
        member(
            r#"{"os":"linux","architecture":"arm64","variant":"v8"}"#,
            &b
        ),
        member(r#"{"os":"linux","architecture":"amd64"}"#, &c),
    );
    let Document::Index(index) = parse(&text).unwrap() else {
        panic!("a manifest")
    };
    let pick = |p: &str| index.pick("index", &p.parse().unwrap());
    assert_eq!(pick("linux/amd64").unwrap().digest.hex(), c);
    assert_eq!(pick("linux/arm64").unwrap().digest.hex(), b);
    let error = pick("linux/s390x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "index has no image for platform linux/s390x (available: linux/arm64/v8, linux/amd64)"
    );
}

#[test]
fn the_configuration_must_fit_the_manifest() {
    let manifest = as_manifest(&manifest("application/vnd.oci.image.layer.v1.tar"));
    let config = |ids: &str, arch: &str| {
        let text = format!(
            r#"{{"architecture":"{arch}","os":"linux","rootfs":{{"type":"layers","diff_ids":[{ids}]}}}}"#
        );
        let platform = "linux/amd64".parse().unwrap();
        parse_config("config", text.as_bytes(), &manifest, &platform).map(|(_, ids)| ids.len())
    };
    let id = format!("\"sha256:{HEX}\"");
    assert_eq!(config(&id, "amd64").unwrap(), 1);
    assert!(matches!(
        config("", "amd64"),
        Err(DocumentError::BadManifest { .. })
    ));
    assert!(matches!(
        config(&format!("{id},{id}"), "amd64"),
        Err(DocumentError::BadManifest { .. })
    ));
    assert!(matches!(
        config("\"sha256:..\"", "amd64"),
        Err(DocumentError::Name(image_name::NameError::Digest { .. }))
    ));
    assert!(matches!(
        config(&id, "arm64"),
        Err(DocumentError::NoPlatform { .. })
    ));
}

#[test]
fn documents_are_read_as_go_reads_them() {
    let manifest = as_manifest(&manifest("application/vnd.oci.image.layer.v1.tar"));
    let parse = |text: &str| {
        let text = text.replace("[ID]", &format!("[\"sha256:{HEX}\"]"));
        let platform = "linux/amd64".parse().unwrap();
        parse_config("config", text.as_bytes(), &manifest, &platform)
            .map(|(config, _)| config)
            .map_err(|error| error.to_string())
    };
    for doubtful in [
        r#"{"rootfs":{"diff_ids":[ID]}}"#,
        r#"{"OS":"","Architecture":null,"RootFS":{"type":null,"Diff_IDs":[ID]}}"#,
        r#"{"os":"linux","rootfs":{"type":"","diff_ids":[ID]},"config":null,"history":null}"#,
    ] {
        let config = parse(doubtful).unwrap();
        assert!(is_of_doubtful_platform(&config), "{doubtful}");
    }
    let text = r#"{"os":"linux","ARCHITECTURE":"amd64","rootfs":{"diff_ids":[ID]},
        "Config":{"cmd":["/x"],"env":null,"Labels":{"a":null},"exposedports":{"80/tcp":null}}}"#;
    let config = parse(text).unwrap();
    assert!(!is_of_doubtful_platform(&config));
    let inner = config.config().clone().unwrap();
    assert_eq!(inner.cmd().as_deref(), Some(&["/x".to_owned()][..]));
    assert_eq!(
        inner.exposed_ports().as_deref(),
        Some(&["80/tcp".to_owned()][..])
    );
    assert_eq!(*inner.env(), None);

    for (bad, reason) in [
        (
            r#"{"rootfs":{"diff_ids":[ID]},"config":{},"Config":{}}"#,
            "there twice",
        ),
        (
            r#"{"rootfs":{"diff_ids":[ID],"Diff_ids":[]}}"#,
            "there twice",
        ),
        (
            r#"{"rootfs":{"type":"tree","diff_ids":[ID]}}"#,
            "rootfs type",
        ),
        (r#"{"rootfs":null}"#, "0 diff IDs"),
        (r#"{}"#, "0 diff IDs"),
        (r#"{"os":"windows","rootfs":{"diff_ids":[ID]}}"#, "windows/"),
        (
            r#"{"architecture":"arm64","rootfs":{"diff_ids":[ID]}}"#,
            "/arm64",
        ),
    ] {
        let message = parse(bad).unwrap_err();
        assert!(message.contains(reason), "{bad}: {message}");
    }
}

#[test]
fn manifests_have_members_in_any_case_and_null_is_none() {
    let text = format!(
        r#"{{"SchemaVersion":2,"mediatype":null,"Config":{},"LAYERS":[{}],"manifests":null,
        "subject":null,"annotations":null,"artifactType":null,"fsLayers":null}}"#,
        config(),
        descriptor(
            "application/vnd.oci.image.layer.v1.tar",
            r#","annotations":null,"platform":null"#
        )
    );
    assert_eq!(as_manifest(&text).layers.len(), 1);
    let media_type = crate::media_type::of_manifest(text.as_bytes(), "");
    assert_eq!(media_type, OCI_MANIFEST);
    // Two readers could run two different images.
    let twice = text.replace("\"manifests\":null", "\"layers\":[]");
    let message = parse(&twice).unwrap_err().to_string();
    assert!(message.contains("`layers` is there twice"), "{message}");
    let empty = r#"{"schemaVersion":2,"mediaType":"","manifests":[]}"#;
    assert!(matches!(parse(empty), Ok(Document::Index(_))));
}
