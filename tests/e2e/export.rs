//! Images of the store in files, as other tools read them.

use harness::{Artifact, Compression, Format, index};

use crate::imported::{accepting_host, import, marked};
use crate::other_tools::{add_bundle, bundles, podman_pulls, skopeo_copies, skopeo_digest};
use crate::stocked::{busybox, detached};

#[test]
fn skopeo_and_podman_read_every_format_with_equal_digests() {
    let host = accepting_host();
    let at = host.base().display().to_string();
    let images: Vec<(&str, Artifact)> = vec![
        ("oci-gzip", marked("a").build()),
        (
            "oci-zstd",
            marked("b").compression(Compression::Zstd).build(),
        ),
        ("docker", marked("c").format(Format::Docker).build()),
        ("index", index(Format::Oci, [marked("d").build()])),
        (
            "list",
            index(Format::Docker, [marked("e").format(Format::Docker).build()]),
        ),
    ];
    for (name, image) in &images {
        let reference = import(&host, image, &format!("{name}:1"));
        for (format, file) in [("oci", *name), ("oci-archive", &format!("{name}.tar"))] {
            let exported = host
                .fairing(["image", "export", &reference, file])
                .run()
                .ok();
            // Those tools look for a name among OCI's manifests only; it is said.
            let is_docker = image.media_type().contains("docker");
            assert_eq!(exported.stderr.contains("without a name"), is_docker);
            let source = match is_docker {
                true => format!("{format}:{at}/{file}"),
                false => format!("{format}:{at}/{file}:{reference}"),
            };
            assert_eq!(skopeo_digest(&source), image.digest(), "{source}");
            // Blobs too: of an index, skopeo takes the manifest of this platform.
            let copied = skopeo_copies(&host, &source);
            assert!(image.blobs.contains_key(&copied), "{source}");
        }
        host.fairing(["image", "export", "--format=docker-archive", &reference])
            .arg(format!("{name}.docker"))
            .run()
            .ok();
        skopeo_copies(
            &host,
            &format!("docker-archive:{at}/{name}.docker:{reference}"),
        );
    }
    // podman keeps the digest where it needn't pack anew, and always the configuration's.
    for (name, image) in [&images[0], &images[2]] {
        let config = image.manifest()["config"]["digest"].clone();
        let source = format!("oci-archive:{at}/{name}.tar");
        let (digest, id) = podman_pulls(&host, &source);
        assert_eq!(
            (digest, id.into()),
            (image.digest(), config.clone()),
            "{name}"
        );
        let source = format!("docker-archive:{at}/{name}.docker");
        let (_, id) = podman_pulls(&host, &source);
        assert_eq!(config, id, "{name}");
    }
}

#[test]
fn signatures_and_bundles_are_in_the_layout_and_come_back() {
    let (here, there) = (accepting_host(), accepting_host());
    let image = marked("x").build();
    let layout = here.base().join("layout");
    image.write_layout(&layout, "1");
    add_bundle(&layout, &image, br#"{"bundle":1}"#);
    let name = "example.com/app:1";
    here.fairing(["image", "import", "oci:layout", "--name", name])
        .run()
        .ok();
    let key = harness::Key::generate(&here, "k");
    here.fairing(["image", "sign", "--format=simple", name, "--key"])
        .arg(key.private())
        .run()
        .ok();
    for (flags, count) in [(&[][..], 1), (&["--no-signatures"][..], 0)] {
        let file = there.base().join(format!("out-{count}.tar"));
        here.fairing(["image", "export", name])
            .args(flags)
            .arg(&file)
            .run()
            .ok();
        there
            .fairing(["image", "import", "--name", &format!("example.com/{count}")])
            .arg(&file)
            .run()
            .ok();
        if count == 0 {
            let listed = std::fs::read(&file).unwrap();
            let tag = format!("sha256-{}", &image.digest()[7..]);
            assert!(!listed.windows(tag.len()).any(|part| part == tag.as_bytes()));
        }
    }
    assert_eq!(
        bundles(&there, "example.com/1"),
        [serde_json::json!({"bundle": 1})]
    );
    let inspected = there
        .fairing(["image", "inspect", "example.com/1"])
        .run()
        .ok();
    assert_eq!(inspected.json()["signatures"].as_array().unwrap().len(), 1);
}

#[test]
fn a_signed_image_in_docker_s_format_is_read_by_skopeo_and_comes_back_signed() {
    let (here, there) = (accepting_host(), accepting_host());
    let image = marked("x").format(Format::Docker).build();
    let name = import(&here, &image, "signed:1");
    let key = harness::Key::generate(&here, "k");
    here.fairing(["image", "sign", &name, "--key"])
        .arg(key.private())
        .run()
        .ok();
    let at = there.base().join("out");
    here.fairing(["image", "export", &name]).arg(&at).run().ok();
    let source = format!("oci:{}", at.display());
    assert_eq!(skopeo_digest(&source), image.digest());
    skopeo_copies(&here, &source);
    there
        .fairing(["image", "import", &source, "--name", "example.com/back:1"])
        .run()
        .ok();
    let signatures = |host: &harness::Host, name: &str| {
        let listed = host.fairing(["image", "signatures", "--no-legend", name]);
        listed.run().ok().stdout.lines().count()
    };
    let back = signatures(&there, "example.com/back:1");
    assert!(back > 0 && back == signatures(&here, &name), "{back}");
}

#[test]
fn one_platform_of_an_index_is_exported_under_the_index() {
    let host = accepting_host();
    let other = marked("other").platform("linux/s390x").build();
    let several = index(Format::Oci, [other, marked("own").build()]);
    let reference = import(&host, &several, "several:1");
    host.fairing(["image", "export", &reference, "out"])
        .run()
        .ok();
    let at = host.base().display();
    assert_eq!(skopeo_digest(&format!("oci:{at}/out")), several.digest());
    skopeo_copies(&host, &format!("oci:{at}/out"));
    let docker = [
        "image",
        "export",
        "--format=docker-archive",
        &reference,
        "d.tar",
    ];
    host.fairing(docker).run().ok();
    host.fairing(["image", "import", "d.tar", "--name", "example.com/d:1"])
        .run()
        .ok();
    let ran = host.fairing(["run", "--rm", "example.com/d:1"]).run().ok();
    assert_eq!(ran.stdout, "own");
}

#[test]
fn a_destination_may_say_what_it_is_as_for_a_copy() {
    let host = accepting_host();
    let one = import(&host, &marked("one").build(), "one:1");
    let two = import(&host, &marked("two").build(), "two:1");
    let export = |image: &str, dest: &str| host.fairing(["image", "export", image, dest]).run();
    export(&one, "oci:layout:first").ok();
    export(&two, "oci:layout:second").ok();
    export(&one, "oci-archive:one.file").ok();
    export(&two, "docker-archive:two.file").ok();
    for (source, mark) in [
        ("oci:layout:first", "one"),
        ("oci:layout:second", "two"),
        ("oci-archive:one.file", "one"),
        ("docker-archive:two.file", "two"),
    ] {
        let ran = host.fairing(["run", "--rm", source]).run().ok();
        assert_eq!(ran.text(), mark, "{source}");
    }
    export(&one, "one.file").expect_error(125, &["destination one.file already exists"]);
    export(&one, "docker://registry.example.com/a").expect_error(2, &["fairing push"]);
    let twice = ["image", "export", "--format=oci", &one, "oci:other"];
    host.fairing(twice).run().expect_error(2, &["--format"]);
}

#[test]
fn what_was_read_of_a_pod_that_was_removed_meanwhile_is_no_success() {
    let host = busybox();
    let script = "mkdir /many; cd /many; for n in 1 2 3 4; do head -c 4000000 /dev/zero > $n; done";
    for words in [&["export"][..], &["cp"][..]] {
        let pod = detached(&host, &[], script);
        host.fairing(["wait", &pod]).run().ok();
        let (reader, writer) = std::io::pipe().unwrap();
        let reads = match words {
            ["cp"] => host.fairing(["cp", &format!("{pod}:/many"), "-"]),
            _ => host.fairing(["export", &pod]),
        };
        // It waits for a reader with most of the files before it.
        let reads = reads
            .stdout_file(std::os::fd::OwnedFd::from(writer))
            .spawn();
        let mut reader = reader;
        let mut first = [0; 512];
        std::io::Read::read_exact(&mut reader, &mut first).unwrap();
        host.fairing(["rm", &pod]).run().ok();
        std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
        let output = reads.wait();
        assert_ne!(output.code, Some(0), "{words:?}: {output}");
        assert!(!output.stderr.is_empty(), "{words:?}");
    }
}
