//! Bad images and registries: a clear line, an exit code of its own, and nothing left behind.

use std::net::{Ipv4Addr, TcpListener};

use harness::store_contents::store_files;
use harness::{
    Answer, Artifact, Fault, Format, Host, ImageBuilder, Key, Layer, Output, Registry,
    ScriptedRegistry, index,
};

/// A layer of which the middle can be broken: larger than all buffers, and not compressible away.
fn layer() -> Layer {
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    })
    .take(300_000)
    .collect();
    Layer::new().file("noise", noise, 0o644)
}

fn image() -> ImageBuilder {
    ImageBuilder::new().layer(layer()).cmd(["/noise"])
}

fn accepting_host() -> Host {
    let host = Host::new();
    host.accept_unsigned();
    // What doesn't pass is not waited for.
    host.write("etc/registries.toml", "retries = 1\n");
    host
}

/// Expects this error, in one line but for what `trust` advises, progress and warnings.
#[track_caller]
pub(crate) fn refused(output: Output, code: i32, parts: &[&str]) {
    let output = output.expect_error(code, parts);
    for line in output.stderr.lines() {
        let is_known = line.starts_with("fairing: ")
            || line.starts_with("  ")
            || line.starts_with("warning: ")
            || line.contains(": layer sha256:");
        assert!(
            is_known,
            "{line:?} is more than one line of error\n{output}"
        );
    }
    assert_eq!(output.stdout, "", "{output}");
}

/// Expects that a command that failed has left no pod, no image, no name and no half-fetched file,
/// without any collection.
#[track_caller]
fn nothing_is_left(host: &Host) {
    let leftovers = host.leftovers();
    assert!(leftovers.is_empty(), "{leftovers}");
    let listed = host
        .fairing(["image", "list", "--format", "json"])
        .run()
        .ok();
    assert_eq!(listed.json(), serde_json::json!([]));
    let files = store_files(host);
    assert!(files.is_empty(), "left in the store: {files:#?}");
}

/// `fetch` and `run` both refuse an image, and leave nothing.
#[track_caller]
fn both_refuse(host: &Host, reference: &str, code: i32, parts: &[&str]) {
    for arguments in [
        vec!["fetch", reference],
        vec!["run", "--name", "x", reference],
    ] {
        refused(host.fairing(arguments).run(), code, parts);
        nothing_is_left(host);
    }
}

#[track_caller]
fn broken(fault: Fault, code: i32, parts: &[&str]) {
    let registry = ScriptedRegistry::start();
    let reference = registry.offer(&image().fault(fault).build(), "team/broken:1");
    both_refuse(&accepting_host(), &reference, code, parts);
}

#[test]
fn an_unknown_image() {
    let registry = Registry::start();
    let present = image().build().push(&registry, "team/present:1");
    let host = accepting_host();
    let unknown = registry.reference("team/unknown:1");
    both_refuse(&host, &unknown, 110, &[&unknown]);
    let other_tag = registry.reference("team/present:2");
    both_refuse(&host, &other_tag, 110, &[&other_tag]);
    for command in ["fetch", "run", "prepare"] {
        refused(
            host.fairing([command, "--pull=never", &present]).run(),
            110,
            &[&present, "store"],
        );
        nothing_is_left(&host);
    }
    for arguments in [
        vec!["image", "inspect", &present],
        vec!["image", "rm", &present],
        vec!["image", "export", &present, "exported"],
    ] {
        refused(host.fairing(arguments).run(), 110, &[&present]);
    }
    assert!(!host.base().join("exported").exists());
}

#[test]
fn a_manifest_of_another_digest_than_asked_for() {
    let registry = ScriptedRegistry::start();
    let (asked, given) = (image().build(), image().env("A", "b").build());
    registry.offer(&given, "team/image:1");
    let body = given.blobs[&given.digest()].clone();
    let path = format!("/v2/team/image/manifests/{}", asked.digest());
    registry.answer(&path, Answer::ok(given.media_type(), body));
    let reference = registry.reference(&format!("team/image@{}", asked.digest()));
    let parts = [asked.digest(), given.digest()];
    both_refuse(
        &accepting_host(),
        &reference,
        111,
        &parts.each_ref().map(String::as_str),
    );
}

#[test]
fn a_layer_of_another_digest() {
    broken(Fault::ChangedLayer, 111, &["sha256:"]);
}

#[test]
fn a_layer_of_another_diff_id() {
    broken(Fault::WrongDiffId, 111, &["sha256:"]);
}

#[test]
fn a_configuration_of_another_digest() {
    broken(Fault::ChangedConfig, 111, &["config", "sha256:"]);
}

#[test]
fn a_truncated_layer() {
    broken(Fault::TruncatedLayer, 112, &["sha256:", "bytes"]);
}

#[test]
fn a_connection_that_ends_within_a_layer_and_a_second_try() {
    let registry = ScriptedRegistry::start();
    let whole = image().build();
    let reference = registry.offer(&whole, "team/cut:1");
    let path = format!("/v2/team/cut/blobs/{}", whole.layer_digests()[0]);
    registry.change(&path, Answer::cut);
    let host = accepting_host();
    host.write("etc/registries.toml", "retries = 1\n");
    both_refuse(
        &host,
        &reference,
        112,
        &["layer", &whole.layer_digests()[0]],
    );
    registry.offer(&whole, "team/cut:1");
    let fetched = host.fairing(["fetch", &reference]).run().ok();
    assert_eq!(fetched.text(), whole.digest());
}

#[test]
fn a_corrupt_gzip() {
    broken(Fault::CorruptGzip, 112, &["layer", "sha256:"]);
}

#[test]
fn a_layer_that_is_not_there() {
    broken(Fault::MissingLayer, 122, &["sha256:", "404"]);
}

#[test]
fn a_manifest_that_is_not_json() {
    broken(Fault::ManifestNotJson, 113, &["manifest", "JSON"]);
}

#[test]
fn a_configuration_that_is_not_json() {
    broken(Fault::ConfigNotJson, 113, &["config", "JSON"]);
}

#[test]
fn json_that_is_no_manifest() {
    let registry = ScriptedRegistry::start();
    let reference = registry.reference("team/odd:1");
    let host = accepting_host();
    for body in [
        "[]",
        "{}",
        r#"{"schemaVersion":1}"#,
        r#"{"schemaVersion":2,"config":{},"layers":[]}"#,
    ] {
        let answer = Answer::ok("application/vnd.oci.image.manifest.v1+json", body);
        registry.answer("/v2/team/odd/manifests/1", answer);
        both_refuse(&host, &reference, 113, &["manifest"]);
    }
}

#[test]
fn an_index_without_this_platform() {
    let registry = ScriptedRegistry::start();
    let others = ["linux/s390x", "linux/riscv64"];
    let images = others.map(|platform| image().platform(platform).build());
    for format in [Format::Oci, Format::Docker] {
        let reference = registry.offer(&index(format, images.clone()), "team/others:1");
        both_refuse(
            &accepting_host(),
            &reference,
            114,
            &["platform", others[0], others[1]],
        );
    }
}

#[test]
fn an_image_for_another_platform() {
    let registry = ScriptedRegistry::start();
    let image = image().platform("linux/s390x").build();
    let reference = registry.offer(&image, "team/other:1");
    both_refuse(&accepting_host(), &reference, 114, &["linux/s390x"]);
}

#[test]
fn an_image_without_a_rule_is_not_even_fetched() {
    let registry = ScriptedRegistry::start();
    let image = image().build();
    let reference = registry.offer(&image, "team/image:1");
    both_refuse(&Host::new(), &reference, 115, &[&reference]);
    let layer = format!("GET /v2/team/image/blobs/{}", image.layer_digests()[0]);
    assert!(
        !registry.requests().contains(&layer),
        "the layer was fetched"
    );
}

#[test]
fn an_unsigned_image_one_of_another_key_and_a_sibling_prefix() {
    let registry = Registry::start();
    let unsigned = image().build().push(&registry, "foo/unsigned:1");
    let signed = image()
        .env("A", "b")
        .build()
        .push(&registry, "foo/signed:1");
    let sibling = image().env("A", "c").build().push(&registry, "foobar:1");
    let signer = Host::new();
    let right = Key::generate(&signer, "right");
    let wrong = Key::generate(&signer, "wrong");
    wrong.sign(&signer, &signed);
    right.sign(&signer, &sibling);
    let host = Host::new();
    right.trust(&host, &registry.name("foo"));
    both_refuse(&host, &unsigned, 115, &[&unsigned]);
    both_refuse(&host, &signed, 116, &[&signed]);
    both_refuse(&host, &sibling, 115, &[&sibling]);
    wrong.trust(&host, &registry.name("foobar"));
    both_refuse(&host, &sibling, 116, &[&sibling]);
}

#[test]
fn no_space_left_in_the_store() {
    let host = Host::builder().data_size("4m").build();
    host.accept_unsigned();
    let registry = Registry::start();
    let zeros = Layer::new().file("zeros", vec![0; 16 << 20], 0o644);
    let large = ImageBuilder::new().layer(zeros).cmd(["/x"]).build();
    let reference = large.push(&registry, "team/large:1");
    both_refuse(&host, &reference, 117, &["space"]);
    // What fits still does.
    let small = image().build().push(&registry, "team/small:1");
    host.fairing(["fetch", &small]).run().ok();
}

#[test]
fn a_registry_that_does_not_answer_or_refuses() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let host = accepting_host();
    let address = format!("127.0.0.1:{port}");
    both_refuse(&host, &format!("{address}/team/image:1"), 122, &[&address]);
    let registry = ScriptedRegistry::start();
    let reference = registry.reference("team/image:1");
    for status in [401, 403, 500, 503] {
        registry.answer("/v2/team/image/manifests/1", Answer::status(status, "{}"));
        both_refuse(&host, &reference, 122, &["127.0.0.1"]);
    }
}

#[test]
fn a_layer_that_leaves_its_folder() {
    let registry = ScriptedRegistry::start();
    let host = accepting_host();
    let outside = host.base().join("escaped");
    for entry in ["../../../../../../escaped", "a/../../../../../../escaped"] {
        let layer = Layer::new().file(entry, "x", 0o644);
        let image = ImageBuilder::new().layer(layer).cmd(["/x"]).build();
        let reference = registry.offer(&image, "team/escape:1");
        both_refuse(&host, &reference, 112, &["escaped"]);
    }
    let through_link = Layer::new()
        .symlink("link", host.base().to_str().unwrap())
        .file("link/escaped", "x", 0o644);
    let image = ImageBuilder::new().layer(through_link).cmd(["/x"]).build();
    let reference = registry.offer(&image, "team/escape:1");
    // Within the root of the layer a link leads where it leads in the pod: no program is there.
    let output = host.fairing(["run", "--rm", &reference]).run();
    assert!(output.stderr.contains("/x"), "{output:?}");
    assert!(!outside.exists(), "a layer wrote outside of the store");
}

#[test]
fn hostile_names_make_no_second_line_and_no_terminal_commands() {
    let registry = ScriptedRegistry::start();
    let layer = Layer::new().file("../a\nfairing: all is well\x1b[2J", "x", 0o644);
    let image: Artifact = ImageBuilder::new().layer(layer).cmd(["/x"]).build();
    let reference = registry.offer(&image, "team/escape:1");
    let host = accepting_host();
    let output = host.fairing(["fetch", &reference]).run();
    assert!(!output.stderr.contains('\x1b'), "{output:?}");
    refused(output, 112, &[]);
    nothing_is_left(&host);
}
