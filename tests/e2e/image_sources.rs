//! Where images come from, and in which forms.

use harness::{Artifact, Compression, Format, Host, ImageBuilder, Layer, Registry, index};

use crate::stocked::import;

/// busybox with a file that tells it from others.
fn marked(mark: &str) -> ImageBuilder {
    let layer = Layer::new().file("mark", mark, 0o644);
    let command = ["/bin/cat", "/mark"];
    ImageBuilder::busybox().layer(layer).cmd(command)
}

fn accepting_host() -> Host {
    let host = Host::new();
    host.accept_unsigned();
    host
}

/// Runs an image and expects it to be the marked one.
#[track_caller]
fn runs(host: &Host, flags: &[&str], source: &str, mark: &str) {
    let command = host.fairing(["run", "--rm"]).args(flags).arg(source);
    assert_eq!(command.run().ok().stdout, mark, "{source}");
}

/// The number of requests for this blob.
fn requests_for(registry: &Registry, blob: &str) -> usize {
    let log = registry.log();
    log.lines()
        .filter(|line| line.contains("GET") && line.contains(&format!("/blobs/{blob}")))
        .filter(|line| line.contains("HTTP/1.1\" 2"))
        .count()
}

#[test]
fn a_registry_serves_manifests_and_indexes_of_both_formats_and_all_compressions() {
    let registry = Registry::start();
    let host = accepting_host();
    for format in [Format::Oci, Format::Docker] {
        for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
            let mark = format!("{format:?} {compression:?}");
            let image = marked(&mark).compression(compression).format(format);
            let name = mark.to_lowercase().replace(' ', "-");
            let single = image.clone().build();
            let reference = single.push(&registry, &format!("{name}:single"));
            runs(&host, &[], &reference, &mark);
            let other = marked("other platform")
                .format(format)
                .platform("linux/s390x");
            let several = index(format, [other.build(), single]);
            let reference = several.push(&registry, &format!("{name}:several"));
            runs(&host, &[], &reference, &mark);
        }
    }
}

#[test]
fn a_reference_may_have_a_tag_a_digest_both_or_none() {
    let registry = Registry::start();
    let host = accepting_host();
    let latest = marked("latest").build();
    latest.push(&registry, "team/image:latest");
    let old = marked("old").build();
    old.push(&registry, "team/image:old");
    let name = registry.name("team/image");
    runs(&host, &[], &name, "latest");
    runs(&host, &[], &format!("{name}:old"), "old");
    runs(&host, &[], &format!("docker://{name}:old"), "old");
    runs(&host, &[], &format!("{name}@{}", old.digest()), "old");
    runs(
        &host,
        &[],
        &format!("{name}:latest@{}", old.digest()),
        "old",
    );
    // And by the digest alone, once it is in the store.
    runs(&host, &[], &old.digest(), "old");
}

#[test]
fn pull_says_when_the_registry_is_asked() {
    let registry = Registry::start();
    let host = accepting_host();
    let reference = marked("first").build().push(&registry, "team/moving:1");
    host.fairing(["run", "--rm", "--pull=never", &reference])
        .run()
        .expect_code(110);
    runs(&host, &["--pull=missing"], &reference, "first");
    marked("second").build().push(&registry, "team/moving:1");
    runs(&host, &["--pull=missing"], &reference, "first");
    runs(&host, &["--pull=never"], &reference, "first");
    runs(&host, &["--pull=always"], &reference, "second");
    runs(&host, &[], &reference, "second");
    marked("third").build().push(&registry, "team/moving:1");
    host.fairing(["fetch", &reference]).run().ok();
    registry.stop();
    runs(&host, &[], &reference, "third");
    host.fairing(["run", "--rm", "--pull=always", &reference])
        .run()
        .expect_code(122);
}

#[test]
fn a_layer_that_is_there_is_not_fetched_again() {
    let registry = Registry::start();
    let host = accepting_host();
    let images: [Artifact; 2] = ["one", "two"].map(|mark| marked(mark).build());
    let base = images[0].layer_digests()[0].clone();
    assert_eq!(base, images[1].layer_digests()[0]);
    for (image, name) in images.iter().zip(["team/one:1", "team/two:1"]) {
        let reference = image.push(&registry, name);
        host.fairing(["fetch", &reference]).run().ok();
        assert_eq!(requests_for(&registry, &image.layer_digests()[1]), 1);
    }
    assert_eq!(requests_for(&registry, &base), 1, "{}", registry.log());
}

#[test]
fn fetch_prints_the_digest_of_what_will_run() {
    let registry = Registry::start();
    let host = accepting_host();
    let image = marked("x").build();
    let other = marked("y").platform("linux/s390x").build();
    let several = index(Format::Oci, [other, image.clone()]);
    let reference = several.push(&registry, "team/several:1");
    let output = host.fairing(["fetch", &reference]).run().ok();
    assert_eq!(output.text(), image.digest());
    let inspected = host
        .fairing(["image", "inspect", &reference])
        .run()
        .ok()
        .json();
    assert_eq!(inspected["digest"], several.digest());
    assert_eq!(inspected["manifest"], image.digest());
}

#[test]
fn layouts_and_archives_run_without_a_registry() {
    let host = accepting_host();
    let folder = host.base().join("sources");
    std::fs::create_dir(&folder).unwrap();
    let at = folder.display();
    for format in [Format::Oci, Format::Docker] {
        for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
            let mark = format!("{format:?}-{compression:?}").to_lowercase();
            let image = marked(&mark)
                .format(format)
                .compression(compression)
                .build();
            image.write_layout(&folder.join(&mark), "1");
            image.write_oci_archive(&folder.join(format!("{mark}.tar")), "1");
            for source in [
                format!("oci:{at}/{mark}:1"),
                format!("oci:{at}/{mark}"),
                format!("{at}/{mark}"),
                format!("oci-archive:{at}/{mark}.tar:1"),
                format!("{at}/{mark}.tar"),
            ] {
                runs(&host, &[], &source, &mark);
            }
        }
    }
    let plain = marked("saved").compression(Compression::None).build();
    plain.write_docker_archive(&folder.join("saved.tar"), "example.com/saved:1");
    for source in [
        format!("docker-archive:{at}/saved.tar"),
        format!("docker-archive:{at}/saved.tar:example.com/saved:1"),
        format!("{at}/saved.tar"),
    ] {
        runs(&host, &[], &source, "saved");
    }
    // From then on it is in the store, under its own name.
    runs(&host, &["--pull=never"], "example.com/saved:1", "saved");
}

#[test]
fn a_compressed_archive_is_an_image_whatever_it_shall_be_called() {
    let host = accepting_host();
    let file = host.base().join("saved.tar");
    let image = marked("packed").compression(Compression::None).build();
    image.write_docker_archive(&file, "example.com/saved:1");
    let packed = std::process::Command::new("gzip").arg(&file).status();
    assert!(packed.unwrap().success());
    let source = format!("{}.gz", file.display());
    runs(&host, &[], &source, "packed");
    let name = "example.com/named:1";
    let import = ["image", "import", &source, "--name", name];
    assert_eq!(host.fairing(import).run().ok().text(), name);
    runs(&host, &["--pull=never"], name, "packed");
    assert!(host.leftovers().is_empty(), "{}", host.leftovers());
}

#[test]
fn a_layout_of_several_images_needs_a_tag() {
    let host = accepting_host();
    let layout = host.base().join("several");
    for mark in ["one", "two"] {
        marked(mark).build().write_layout(&layout, mark);
    }
    let source = format!("oci:{}", layout.display());
    for mark in ["one", "two"] {
        runs(&host, &[], &format!("{source}:{mark}"), mark);
    }
    let how = format!("holds several images: one, two; `{source}:one` names one");
    host.fairing(["run", &source])
        .run()
        .expect_error(2, &[&how]);
    host.fairing(["run", &format!("{source}:three")])
        .run()
        .expect_error(110, &["three"]);
}

/// Errors whose code is not fixed, but is none of the app's.
trait ExpectErrorNaming {
    fn expect_error_naming(self, parts: &[&str]);
}

impl ExpectErrorNaming for harness::Output {
    #[track_caller]
    fn expect_error_naming(self, parts: &[&str]) {
        let code = self.code.unwrap_or_default();
        assert!((110..=125).contains(&code), "{self}");
        self.expect_error(code, parts);
    }
}

#[test]
fn sources_that_are_no_images_are_refused() {
    let host = accepting_host();
    let empty = host.base().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let text = host.write("text.tar", "no tar at all");
    let cut = host.base().join("cut.tar");
    marked("x").build().write_oci_archive(&cut, "1");
    let whole = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    for path in [&empty, &text, &cut, &host.base().join("missing")] {
        let source = path.to_str().unwrap();
        host.fairing(["run", source])
            .run()
            .expect_error_naming(&[source]);
        assert_eq!(host.pod_folders(), []);
        assert!(host.leftovers().is_empty(), "{}", host.leftovers());
    }
    let listed = host.fairing(["image", "list", "--format=json"]).run().ok();
    assert_eq!(listed.json(), serde_json::json!([]));
}

#[test]
fn upper_layers_change_and_remove_what_lower_ones_have() {
    let host = accepting_host();
    let lower = Layer::new()
        .folder("data", 0o755)
        .file("data/kept", "kept", 0o644)
        .file("data/changed", "old", 0o644)
        .file("data/removed", "gone", 0o644)
        .folder("opaque", 0o755)
        .file("opaque/hidden", "gone", 0o644);
    let upper = Layer::new()
        .folder("data", 0o755)
        .file("data/changed", "new", 0o640)
        .whiteout("data/removed")
        .folder("opaque", 0o700)
        .opaque("opaque")
        .file("opaque/seen", "seen", 0o644)
        .hardlink("opaque/again", "opaque/seen");
    let image = ImageBuilder::busybox().layer(lower).layer(upper).build();
    import(&host, &image, "example.com/layers:1");
    let script = "cd /data; echo *; cat kept changed; stat -c %a changed; \
        cd /opaque; echo *; cat again; stat -c %a .; stat -c %h seen";
    let output = host
        .fairing([
            "run",
            "--rm",
            "example.com/layers:1",
            "--",
            "/bin/sh",
            "-c",
            script,
        ])
        .run()
        .ok();
    assert_eq!(
        output.stdout,
        "changed kept\nkeptnew640\nagain seen\nseen700\n2\n"
    );
}

#[test]
fn a_word_for_another_place_is_no_name_and_what_is_missing_is_not_fetched() {
    let host = accepting_host();
    std::fs::create_dir_all(host.base().join("root/etc")).unwrap();
    marked("x")
        .build()
        .write_layout(&host.base().join("layout"), "1");
    for command in [&["run", "--rm"][..], &["fetch"], &["image", "import"]] {
        let said = host.fairing(command.iter().copied()).arg("dir:x").run();
        let said = said.expect_error(113, &["\"dir:\""]);
        assert!(!said.stderr.contains("docker.io"), "{said}");
    }
    let hint = host.fairing(["run", "--rm", "./root"]).run();
    hint.expect_error(113, &["a root filesystem, not an image", "rootfs:./root"]);
    for missing in [
        &["run", "--rm", "--pull=never", "./layout"][..],
        &["image", "rm", "nosuch"],
    ] {
        let said = host.fairing(missing.iter().copied()).run();
        let said = said.expect_error(110, &[missing[missing.len() - 1]]);
        assert!(!said.stderr.contains("fairing fetch"), "{said}");
    }
    // One text for what isn't there, whatever it would have been.
    for missing in [
        "./no",
        "oci:no",
        "oci-archive:no",
        "docker-archive:no",
        "aci:no",
        "rootfs:no",
    ] {
        let said = host.fairing(["fetch", missing]).run();
        let said = said.expect_error(125, &["cannot open", "No such file or directory"]);
        assert!(said.stderr.contains("no"), "{said}");
    }
}
