//! Signatures and statements in the forms in which cosign 1 and 2 keep them beside an image: manifests at
//! tags (`.sig`, `.att`) and as referrers. They are made here, with openssl.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::{Algorithm, Answer, Host, ImageBuilder, Key, Registry, ScriptedRegistry, digest_of};
use serde_json::{Value, json};

use crate::trust::{rule, run};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const IN_TOTO: &str = "application/vnd.in-toto+json";
const SCAN: &str = "https://scan.example/v1";
const REPOSITORY: &str = "team/app";

/// What a tool makes of its input.
#[track_caller]
pub(crate) fn piped(command: &mut Command, input: &[u8]) -> Vec<u8> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {errors}");
    output.stdout
}

/// A signature by an ECDSA key, as cosign writes it.
fn signature(key: &Key, message: &[u8]) -> String {
    let mut sign = Command::new("openssl");
    sign.args(["dgst", "-sha256", "-sign"]).arg(key.private());
    STANDARD.encode(piped(&mut sign, message))
}

/// A manifest beside an image, with its blobs.
pub(crate) struct Beside {
    manifest: Value,
    blobs: Vec<Vec<u8>>,
}

impl Beside {
    fn new() -> Self {
        let config = json!({ "mediaType": CONFIG, "digest": digest_of(b"{}"), "size": 2 });
        Self {
            manifest: json!({
                "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [],
            }),
            blobs: vec![b"{}".to_vec()],
        }
    }

    fn layer(mut self, media_type: &str, blob: Vec<u8>, annotations: &Value) -> Self {
        let layers = self.manifest["layers"].as_array_mut().unwrap();
        layers.push(json!({
            "mediaType": media_type, "digest": digest_of(&blob), "size": blob.len(),
            "annotations": annotations,
        }));
        self.blobs.push(blob);
        self
    }

    /// One simple signature: that a name stands for a digest.
    pub(crate) fn signed(key: &Key, name: &str, digest: &str) -> Self {
        let critical = json!({
            "identity": { "docker-reference": name },
            "image": { "docker-manifest-digest": digest },
            "type": "cosign container image signature",
        });
        let payload = json!({ "critical": critical, "optional": null }).to_string();
        let signature = signature(key, payload.as_bytes());
        let annotations = json!({ "dev.cosignproject.cosign/signature": signature });
        let media_type = "application/vnd.dev.cosign.simplesigning.v1+json";
        Self::new().layer(media_type, payload.into_bytes(), &annotations)
    }

    /// One more statement about an image.
    fn attested(self, key: &Key, digest: &str, kind: &str, predicate: &Value) -> Self {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": kind,
            "subject": [{ "name": "", "digest": { "sha256": &digest[7..] } }],
            "predicate": predicate,
        });
        let statement = statement.to_string();
        let (type_length, length) = (IN_TOTO.len(), statement.len());
        let message = format!("DSSEv1 {type_length} {IN_TOTO} {length} {statement}");
        let envelope = json!({
            "payloadType": IN_TOTO,
            "payload": STANDARD.encode(&statement),
            "signatures": [{ "keyid": "", "sig": signature(key, message.as_bytes()) }],
        });
        let annotations = json!({
            "dev.cosignproject.cosign/signature": "", "predicateType": kind,
        });
        let envelope = envelope.to_string().into_bytes();
        self.layer(
            "application/vnd.dsse.envelope.v1+json",
            envelope,
            &annotations,
        )
    }

    /// Offers it at a tag.
    pub(crate) fn offer(&self, registry: &ScriptedRegistry, repository: &str, tag: &str) {
        for blob in &self.blobs {
            let path = format!("/v2/{repository}/blobs/{}", digest_of(blob));
            registry.answer(&path, Answer::ok("application/octet-stream", blob.clone()));
        }
        let manifest = self.manifest.to_string();
        for reference in [tag, &digest_of(manifest.as_bytes())] {
            let path = format!("/v2/{repository}/manifests/{reference}");
            registry.answer(&path, Answer::ok(MANIFEST, manifest.clone()));
        }
    }

    /// Offers it as the one referrer of an image, of this type.
    fn offer_as_referrer(mut self, registry: &ScriptedRegistry, image: &str, kind: &str) {
        self.manifest["artifactType"] = json!(kind);
        self.manifest["subject"] = json!({ "mediaType": MANIFEST, "digest": image, "size": 1 });
        self.offer(registry, REPOSITORY, "unused");
        let manifest = self.manifest.to_string();
        let entry = json!({
            "mediaType": MANIFEST, "artifactType": kind,
            "digest": digest_of(manifest.as_bytes()), "size": manifest.len(),
        });
        let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
        let path = format!("/v2/{REPOSITORY}/referrers/{image}");
        registry.answer(&path, Answer::ok(INDEX, list.to_string()));
    }
}

/// A registry with an image, and a host that trusts one of two keys for it.
struct Ground {
    registry: ScriptedRegistry,
    host: Host,
    image: String,
    digest: String,
    trusted: Key,
    other: Key,
}

impl Ground {
    fn new(demand: &str) -> Self {
        let (registry, host) = (ScriptedRegistry::start(), Host::new());
        let artifact = ImageBuilder::busybox().build();
        let image = registry.offer(&artifact, &format!("{REPOSITORY}:1"));
        let key = |name| Key::generate_as(&host, name, Algorithm::EcdsaP256);
        let (trusted, other) = (key("trusted"), key("other"));
        let pem = fs::read_to_string(trusted.public()).unwrap();
        let keys = format!("type = \"signed-by\"\nkeys = ['''{pem}''']\n{demand}");
        host.write_policy("team.toml", &rule(&registry.reference("team"), &keys));
        Self {
            registry,
            host,
            image,
            digest: artifact.digest(),
            trusted,
            other,
        }
    }

    fn name(&self) -> String {
        self.registry.reference(REPOSITORY)
    }

    fn tag(&self, kind: &str) -> String {
        format!("{}.{kind}", self.digest.replace(':', "-"))
    }

    fn signed(&self, key: &Key) -> Beside {
        Beside::signed(key, &self.name(), &self.digest)
    }

    /// Offers statements at the tag `.att`.
    fn attest(&self, statements: &[(&Key, &str, Value)]) {
        let mut beside = Beside::new();
        for (key, kind, predicate) in statements {
            beside = beside.attested(key, &self.digest, kind, predicate);
        }
        beside.offer(&self.registry, REPOSITORY, &self.tag("att"));
    }

    fn fetch(&self) -> harness::Output {
        self.host.fairing(["fetch", &self.image]).run()
    }
}

/// Wants a scan without findings.
fn scanned() -> String {
    format!(
        "[[rule.attestation]]\ntype = \"{SCAN}\"\n\
         [[rule.attestation.condition]]\nfield = \"predicate.findings\"\nat-most = 0\n"
    )
}

#[test]
fn statements_at_cosigns_tag_are_judged_at_fetch_and_start() {
    let ground = Ground::new(&scanned());
    let (trusted, other) = (&ground.trusted, &ground.other);
    let signed = ground.signed(trusted);
    signed.offer(&ground.registry, REPOSITORY, &ground.tag("sig"));
    let clean = || json!({ "findings": 0 });
    let image = ground.image.as_str();
    ground.fetch().expect_error(116, &[image, SCAN]);
    for (statements, part) in [
        (vec![(other, SCAN, clean())], SCAN),
        (vec![(trusted, "https://scan.example/v2", clean())], SCAN),
        (vec![(trusted, SCAN, json!({ "findings": 3 }))], "findings"),
    ] {
        ground.attest(&statements);
        ground.fetch().expect_error(116, &[image, part]);
    }
    // What else is there hides none.
    let mut statements = vec![(trusted, SCAN, clean())];
    statements
        .extend((0..20).map(|day| (other, "https://build.example/v1", json!({ "day": day }))));
    ground.attest(&statements);
    ground.fetch().ok();
    drop(ground.registry);
    run(&ground.host, &ground.image).ok();
}

#[test]
fn simple_signatures_and_statements_as_referrers_are_judged() {
    let ground = Ground::new("");
    let kind = "application/vnd.dev.cosign.artifact.sig.v1+json";
    let by_other = ground.signed(&ground.other);
    by_other.offer_as_referrer(&ground.registry, &ground.digest, kind);
    ground.fetch().expect_error(116, &[&ground.image]);
    let elsewhere = Beside::signed(&ground.trusted, "a.example/team/app", &ground.digest);
    elsewhere.offer_as_referrer(&ground.registry, &ground.digest, kind);
    ground.fetch().expect_error(116, &[&ground.image]);
    let signed = ground.signed(&ground.trusted);
    signed.offer_as_referrer(&ground.registry, &ground.digest, kind);
    ground.fetch().ok();
    drop(ground.registry);
    run(&ground.host, &ground.image).ok();

    let ground = Ground::new(&scanned());
    let signed = ground.signed(&ground.trusted);
    signed.offer(&ground.registry, REPOSITORY, &ground.tag("sig"));
    let kind = "application/vnd.dev.cosign.artifact.att.v1+json";
    let (good, bad) = (json!({ "findings": 0 }), json!({ "findings": 1 }));
    for (key, predicate, code) in [
        (&ground.other, &good, Some(116)),
        (&ground.trusted, &bad, Some(116)),
        (&ground.trusted, &good, Some(0)),
    ] {
        let attested = Beside::new().attested(key, &ground.digest, SCAN, predicate);
        attested.offer_as_referrer(&ground.registry, &ground.digest, kind);
        let fetched = ground.fetch();
        assert_eq!(fetched.code, code, "{fetched}");
    }
}

#[test]
fn a_copy_takes_statements_and_signatures_of_every_form_along() {
    let ground = Ground::new("");
    ground.attest(&[(&ground.trusted, SCAN, json!({ "findings": 0 }))]);
    let signed = ground.signed(&ground.trusted);
    let kind = "application/vnd.dev.cosign.artifact.sig.v1+json";
    signed.offer_as_referrer(&ground.registry, &ground.digest, kind);
    let mirror = Registry::start();
    let copied = mirror.reference("copy/app:1");
    let copy = ["image", "copy", &ground.image, &copied];
    ground.host.fairing(copy).run().ok();
    let other = Host::new();
    other.accept_unsigned();
    other.fairing(["fetch", &copied]).run().ok();
    let listed = other
        .fairing(["image", "signatures", "--format=json", &copied])
        .run()
        .ok()
        .json();
    let formats: Vec<_> = listed["signatures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["format"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(formats, ["simple", "bundle"], "{listed}");
}
