//! Images as people who come from docker, podman or rkt name, save and look at them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::{Host, ImageBuilder, Layer};

use crate::stocked::{IMAGE, busybox, import};
use crate::trust::rule;

fn names(host: &Host) -> Vec<String> {
    let output = host.fairing(["images", "--format", "{{.Name}}"]).run().ok();
    output.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_tag_is_a_further_name_and_without_a_registry_a_local_one() {
    let host = busybox();
    let tagged = host.fairing(["tag", IMAGE, "app:1"]).run().ok();
    assert_eq!(tagged.text(), "localhost/app:1");
    host.fairing(["image", "tag", "app:1", "a.example/b"])
        .run()
        .ok();
    let all = ["a.example/b:latest", "localhost/app:1", IMAGE];
    assert_eq!(names(&host), all);
    // The local name is found by what was typed.
    let run = host
        .fairing(["run", "--rm", "app:1", "--", "/bin/echo", "ran"])
        .run()
        .ok();
    assert_eq!(run.stdout, "ran\n");
    host.fairing(["rmi", IMAGE]).run().ok();
    host.fairing(["run", "--rm", "localhost/app:1", "--", "/bin/true"])
        .run()
        .ok();
    host.fairing(["tag", "nobody.example/x", "y"])
        .run()
        .expect_error(110, &["nobody.example/x"]);
    host.fairing(["tag", "app:1", "Not/A/Name"])
        .run()
        .expect_error(2, &["Not/A/Name"]);
}

#[test]
fn a_name_that_was_given_is_judged_by_the_rules_for_it() {
    let host = busybox();
    host.write_policy(
        "tests.toml",
        "[[rule]]\nprefix = \"test.example\"\ntype = \"accept-unsigned\"\n",
    );
    host.fairing(["tag", IMAGE, "other.example/app"]).run().ok();
    host.fairing(["run", "--rm", IMAGE, "--", "/bin/true"])
        .run()
        .ok();
    host.fairing(["run", "--rm", "other.example/app", "--", "/bin/true"])
        .run()
        .expect_error(115, &["other.example/app", "no trust rule covers"]);
}

#[test]
fn what_save_writes_load_reads_by_file_and_by_pipe() {
    let host = busybox();
    let file = host.base().join("image.tar");
    fs::write(&file, "something else").unwrap();
    host.fairing(["save", "-o"])
        .arg(&file)
        .arg(IMAGE)
        .run()
        .ok();
    for format in ["docker-archive", "oci-archive"] {
        let saved = host.base().join(format);
        host.fairing(["save", "--format", format, "--output"])
            .arg(&saved)
            .arg(IMAGE)
            .run()
            .ok();
        host.fairing(["rmi", IMAGE]).run().ok();
        let loaded = host.fairing(["load", "-i"]).arg(&saved).run().ok();
        assert_eq!(loaded.text(), IMAGE);
        host.fairing(["run", "--rm", IMAGE, "--", "/bin/true"])
            .run()
            .ok();
    }
    host.fairing(["rmi", IMAGE]).run().ok();
    let bytes = fs::read(&file).unwrap();
    let loaded = host.fairing(["load"]).stdin(bytes).run().ok();
    assert_eq!(loaded.text(), IMAGE);
    let mut piped = Vec::new();
    piped.extend_from_slice(host.fairing(["save", IMAGE]).run().ok().stdout.as_bytes());
    assert!(piped.len() > 100_000);
    // Twice the same is once.
    host.fairing(["save", IMAGE, IMAGE, "-o"])
        .arg(&file)
        .run()
        .ok();
    let loaded = host.fairing(["load", "-i"]).arg(&file).run().ok();
    assert_eq!(loaded.text(), IMAGE);
    let left: Vec<_> = fs::read_dir(host.base())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".saved"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn several_images_go_into_one_file_and_come_back_each_by_its_rule() {
    let host = busybox();
    let layer = Layer::new().file("only-here", "x", 0o644);
    let other = ImageBuilder::busybox().layer(layer).build();
    import(&host, &other, "other.example/app:2");
    host.fairing(["tag", IMAGE, "test.example/again:1"])
        .run()
        .ok();
    let names = ["other.example/app:2", "test.example/again:1", IMAGE];
    for format in ["docker-archive", "oci-archive"] {
        let saved = host.base().join(format);
        host.fairing(["save", "--format", format, "-o"])
            .arg(&saved)
            .args(names)
            .run()
            .ok();
        host.fairing(["rmi"]).args(names).run().ok();
        let loaded = host.fairing(["load", "-i"]).arg(&saved).run().ok();
        let mut lines: Vec<&str> = loaded.stdout.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, names, "{format}");
        host.fairing(["run", "--rm", "other.example/app:2", "cat", "/only-here"])
            .run()
            .ok()
            .expect_stdout("x");
        // A name that may not run is left out, and the others come.
        host.fairing(["rmi"]).args(names).run().ok();
        host.write_policy("other.toml", &rule("other.example", "type = \"reject\""));
        let refused = host.fairing(["load", "-i"]).arg(&saved).run();
        let refused = refused.expect_error(115, &["other.example/app:2@sha256:", " is rejected"]);
        assert_eq!(refused.stdout.lines().count(), 2, "{refused}");
        fs::remove_file(host.base().join("etc/trust.d/other.toml")).unwrap();
        host.fairing(["load", "-i"]).arg(&saved).run().ok();
    }
}

#[test]
fn the_history_and_the_manifest_of_an_image_are_shown() {
    let host = busybox();
    let history = host.fairing(["history", IMAGE]).run().ok();
    assert!(history.stdout.starts_with("LAYER"), "{history}");
    let steps = host
        .fairing(["image", "history", "--format", "json", IMAGE])
        .run()
        .ok()
        .json();
    let image = host.fairing(["image", "inspect", IMAGE]).run().ok().json();
    let made: Vec<&str> = steps
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|step| step["layer"].as_str())
        .collect();
    let layers = image["config"]["rootfs"]["diff_ids"].as_array().unwrap();
    let mut from_base: Vec<&str> = layers.iter().map(|layer| layer.as_str().unwrap()).collect();
    from_base.reverse();
    assert_eq!(made, from_base);
    let manifest = host.fairing(["image", "cat-manifest", IMAGE]).run().ok();
    assert_eq!(
        harness::digest_of(manifest.stdout.as_bytes()),
        image["manifest"]
    );
}

#[test]
fn the_files_of_an_image_are_extracted_with_owners_and_modes() {
    let host = busybox();
    let dest = host.base().join("root");
    host.fairing(["image", "extract", IMAGE])
        .arg(&dest)
        .run()
        .ok();
    let shell = fs::metadata(dest.join("bin/busybox")).unwrap();
    assert_eq!(shell.permissions().mode() & 0o111, 0o111);
    host.fairing(["image", "render", IMAGE])
        .arg(&dest)
        .run()
        .expect_error(125, &["root", "exists"]);
    // Who may not run an image may look at it.
    host.write_policy(
        "tests.toml",
        "[[rule]]\nprefix = \"*\"\ntype = \"reject\"\n",
    );
    host.fairing(["image", "extract", IMAGE])
        .arg(host.base().join("other"))
        .run()
        .ok();
}

#[test]
fn the_files_of_a_pod_are_exported_with_what_it_changed() {
    let host = busybox();
    let script = "echo made > /made; rm /bin/vi; mkdir /opt; ln -s made /opt/link; chown 7:8 /made";
    host.fairing([
        "run", "--name", "changed", IMAGE, "--", "/bin/sh", "-c", script,
    ])
    .run()
    .ok();
    let file = host.base().join("root.tar");
    host.fairing(["export", "changed", "-o"])
        .arg(&file)
        .run()
        .ok();
    let list = |arguments: &[&str]| {
        let output = std::process::Command::new("tar")
            .args(arguments)
            .arg(&file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let names = list(&["--numeric-owner", "-tvf"]);
    let line = names
        .lines()
        .find(|line| line.ends_with(" made"))
        .expect("the new file");
    assert!(line.contains(" 7/8 "), "{line}");
    assert!(names.contains("opt/link -> made"), "{names}");
    assert!(names.contains("bin/busybox"), "{names}");
    assert!(
        !names.lines().any(|line| line.ends_with("bin/vi")),
        "{names}"
    );
    let piped = host.base().join("piped.tar");
    host.fairing(["export", "changed"])
        .stdout_file(fs::File::create(&piped).unwrap())
        .run()
        .ok();
    assert_eq!(fs::read(&piped).unwrap(), fs::read(&file).unwrap());
    host.fairing(["export", "changed", "--app", "other"])
        .run()
        .expect_error(121, &["pod changed has no app `other`"]);
}

#[test]
fn a_short_name_that_is_removed_is_the_local_one() {
    let host = busybox();
    host.fairing(["tag", IMAGE, "my:1"]).run().ok();
    let removed = host.fairing(["rmi", "my:1"]).run().ok();
    assert_eq!(removed.text(), "localhost/my:1");
    host.fairing(["inspect", "my:1"])
        .run()
        .expect_error(121, &["`my:1`", "neither a pod nor an image"]);
}

#[test]
fn what_is_saved_to_a_pipe_goes_through_it_and_the_pipe_stays() {
    use std::os::unix::fs::FileTypeExt;
    let host = busybox();
    let pipe = host.base().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let pod = host.fairing(["prepare", IMAGE, "true"]).run().ok();
    let pod = pod.text();
    for words in [["save", "-o", "pipe", IMAGE], ["export", "-o", "pipe", pod]] {
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || std::fs::read(pipe).unwrap()
        });
        host.fairing(words).run().ok();
        let through = reader.join().unwrap();
        assert_eq!(
            through.get(257..262),
            Some(b"ustar".as_slice()),
            "{words:?}"
        );
        let kind = std::fs::metadata(&pipe).unwrap().file_type();
        assert!(kind.is_fifo(), "{words:?}");
    }
    host.fairing(["rm", pod]).run().ok();
}

#[test]
fn directories_without_a_bottom_are_left_out_and_told() {
    let host = busybox();
    let script = "echo kept > /kept; mkdir -p /home; cd /home; i=0; \
        while [ $i -lt 300 ]; do mkdir a; cd a; i=$((i + 1)); done";
    let run = host.fairing(["run", "--name=deep", IMAGE, "--", "/bin/sh", "-c", script]);
    run.run().ok();
    let file = host.base().join("deep.tar");
    let output = host.fairing(["export", "deep"]).arg(&file).run().ok();
    assert!(output.stderr.contains("nested too deeply"), "{output}");
    let listed = std::process::Command::new("tar")
        .arg("-tf")
        .arg(&file)
        .output();
    let listed = listed.unwrap();
    assert!(listed.status.success());
    assert!(String::from_utf8_lossy(&listed.stdout).contains("kept\n"));
}

#[test]
fn who_is_at_a_terminal_is_asked_before_all_images_go() {
    let host = busybox();
    for (answer, code, left) in [("no", 125, 1), ("yes", 0, 0)] {
        let prune = host.fairing(["image", "prune", "-a"]);
        let mut prune = prune.spawn_on_terminal(24, 80);
        prune.wait_screen("Remove all images that no pod needs? (yes/no)");
        prune.type_keys(format!("{answer}\r"));
        prune.wait().expect_code(code);
        assert_eq!(names(&host).len(), left, "{answer}");
    }
    // Nobody is asked who isn't there, or has said so.
    host.fairing(["image", "prune", "-a"]).run().ok();
    let force = host.fairing(["image", "prune", "-a", "-f"]);
    force.spawn_on_terminal(24, 80).wait().ok();
}
