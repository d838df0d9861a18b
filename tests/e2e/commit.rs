//! `fairing commit`: what an app has changed, as a new image.

use std::fs;
use std::process::Command;

use harness::{Host, ImageBuilder, Key, Layer, Output};

use crate::stocked::{IDLE, IMAGE, busybox, detached, host_with, status, wait_log};

const MADE: &str = "test.example/made:1";

fn commit(host: &Host, flags: &[&str], pod: &str) -> Output {
    let output = host.fairing(["commit"]).args(flags).args([pod, MADE]).run();
    output.ok()
}

/// What a script says in a pod of the new image.
fn seen(host: &Host, flags: &[&str], script: &str) -> String {
    let run = host.fairing(["run", "--rm"]).args(flags).arg(MADE);
    run.args(["--", "/bin/sh", "-c", script]).run().ok().stdout
}

#[test]
fn changes_of_an_app_that_runs_and_of_one_that_has_ended_become_an_image() {
    let lower = Layer::new()
        .folder("srv", 0o755)
        .file("srv/changed", "old", 0o644)
        .file("srv/gone", "old", 0o644)
        .folder("srv/tree", 0o755)
        .file("srv/tree/leaf", "old", 0o644)
        .folder("srv/replaced", 0o755)
        .file("srv/replaced/inner", "old", 0o644);
    let host = host_with(ImageBuilder::busybox().layer(lower));
    let script = "cd /srv; echo new > changed; rm gone; rm -r tree replaced; mkdir replaced; \
         echo new > replaced/other; echo mine > mine; chown 7:8 mine; chmod 4750 mine; \
         ln mine /linked; ln -s mine soft; mkfifo pipe; truncate -s 1G sparse; \
         echo x > /data/in-volume; echo made; ";
    let flags = ["-v", "kept:/data", "--tmpfs", "/scratch/deep"];
    let pod = detached(&host, &flags, &format!("{script}{IDLE}"));
    wait_log(&host, &pod, "made");
    let list = "cd /srv; ls -A . replaced; cat changed mine; stat -c '%u %g %a %h' mine; \
         readlink soft; test -p pipe && echo pipe; stat -c %s sparse; ls -d /data /scratch";
    let expected = "changed\nmine\npipe\nreplaced\nsoft\nsparse\n\nreplaced:\nother\nnew\nmine\n7 8 4750 2\nmine\npipe\n\
         1073741824\n";
    let listed = |script: &str| seen(&host, &[], &format!("{script} 2>/dev/null; true"));
    let list = list.replacen(
        "ls -A . replaced",
        "ls -A; echo; echo replaced:; ls -A replaced",
        1,
    );
    let output = commit(&host, &[], &pod);
    assert_eq!(output.text(), MADE);
    assert_eq!(listed(&list), expected);
    // Two layers, of which the lower ones are those of the first image.
    let layers =
        |image: &str| host.fairing(["image", "inspect", image]).run().ok().json()["layers"].clone();
    let (base, made) = (layers(IMAGE), layers(MADE));
    let base = base.as_array().unwrap();
    assert_eq!(made.as_array().unwrap().split_last().unwrap().1, base);
    host.fairing(["stop", "--force", &pod]).run().ok();
    commit(&host, &[], &pod);
    assert_eq!(listed(&list), expected);
    // An image of an image, of the pod's own numbers.
    assert_eq!(
        seen(&host, &["--userns=host"], "stat -c %u /srv/mine"),
        "7\n"
    );
    host.fairing(["rm", &pod]).run().ok();
    host.fairing(["image", "verify", MADE]).run().ok();
}

#[test]
fn how_it_is_run_is_how_the_app_was_and_what_changes_say() {
    let image = ImageBuilder::busybox()
        .entrypoint(["/bin/sh", "-c"])
        .cmd(["echo old"])
        .env("KEPT", "1");
    let host = host_with(image);
    host.fairing([
        "run",
        "-d",
        "--name",
        "web",
        "--env",
        "NEW=2",
        "--workdir",
        "/tmp",
        IMAGE,
    ])
    .args(["--", "echo $KEPT $NEW; pwd"])
    .run()
    .ok();
    host.fairing(["wait", "web"]).run().ok();
    let run = || host.fairing(["run", "--rm", MADE]).run().ok().stdout;
    commit(&host, &[], "web");
    assert_eq!(run(), "1 2\n/tmp\n");
    let changes = [
        "--change",
        "ENV NEW=3",
        "-c",
        "WORKDIR /bin",
        "--change=LABEL a=\"b c\"",
        "--message",
        "what changed",
        "--author",
        "Somebody",
    ];
    commit(&host, &changes, "web");
    assert_eq!(run(), "1 3\n/bin\n");
    commit(
        &host,
        &["--change", "ENTRYPOINT [\"/bin/echo\", \"hi\"]"],
        "web",
    );
    assert_eq!(run(), "hi\n");
    commit(&host, &changes, "web");
    let config = host.fairing(["image", "inspect", MADE]).run().ok().json()["config"].clone();
    assert_eq!(config["author"], "Somebody");
    assert_eq!(config["config"]["Labels"]["a"], "b c");
    let step = config["history"].as_array().unwrap().last().unwrap();
    assert_eq!(step["comment"], "what changed");
    let layers = config["rootfs"]["diff_ids"].as_array().unwrap();
    assert_eq!(config["history"].as_array().unwrap().len(), layers.len());
    for (flags, code, part) in [
        (
            &["--change", "RUN make", "web", "x"][..],
            2,
            "RUN is none of",
        ),
        (&["web/other", "x"], 121, "`other`"),
        (&["--app", "a", "web/b", "x"], 2, "two apps"),
        (&["nobody", "x"], 121, "nobody"),
        (&["web", "No Name"], 2, "No Name"),
        (&["web", "x@sha256:0"], 2, "x@sha256:0"),
        (&["web", "sha256:0123"], 2, "looks like a digest"),
        (
            &["-c", "STOPSIGNAL SIGNONE", "web", "x"],
            2,
            "no signal is called",
        ),
        (&["-c", "USER a\nb", "web", "x"], 2, "control character"),
        (
            &["-c", "VOLUME /", "web", "x"],
            2,
            "whole of the app's files",
        ),
        (&["-c", "EXPOSE 90-80", "web", "x"], 2, "is not a port"),
    ] {
        let output = host.fairing(["commit"]).args(flags).run();
        output.expect_error(code, &[part]);
    }
}

#[test]
fn a_file_whose_name_removes_others_in_layers_is_named() {
    let host = busybox();
    let pod = detached(&host, &[], "mkdir /srv; echo x > /srv/.wh.passwd");
    host.fairing(["wait", &pod]).run().ok();
    let refused = host.fairing(["commit", &pod, MADE]).run();
    refused.expect_error(
        113,
        &["/srv/.wh.passwd can't be in a layer", "rename or remove it"],
    );
    host.fairing(["rm", &pod]).run().ok();
}

#[test]
fn a_new_image_runs_by_the_rules_of_its_name_alone() {
    let host = busybox();
    let pod = detached(&host, &[], "echo x > /tmp/x");
    host.fairing(["wait", &pod]).run().ok();
    let key = Key::generate(&host, "team");
    fs::remove_dir_all(host.local_config().join("trust.d")).unwrap();
    key.trust(&host, "test.example/made");
    let refused = host.fairing(["commit", &pod, MADE]).run();
    refused
        .expect_error(115, &["test.example/made:1@sha256:", " is not signed"])
        .expect_stderr(&format!(
            "commit {pod} test.example/made:1 && fairing image sign --local"
        ));
    let none = host.fairing(["image", "list"]).run().ok().stdout;
    assert!(!none.contains("test.example/made"), "{none}");
    let signed = ["--sign-by", key.private().to_str().unwrap()];
    commit(&host, &signed, &pod);
    assert_eq!(seen(&host, &[], "cat /tmp/x"), "x\n");
    // Waived, it is in the store and does not run.
    host.fairing([
        "--insecure-options=image",
        "commit",
        &pod,
        "test.example/other:1",
    ])
    .run()
    .ok();
    host.fairing([
        "run",
        "--rm",
        "--pull=never",
        "test.example/other:1",
        "--",
        "/bin/true",
    ])
    .run()
    .expect_code(115);
    host.fairing(["trust", "allow", "--yes", "test.example/other:1"])
        .run()
        .ok();
    host.fairing([
        "run",
        "--rm",
        "test.example/other:1",
        "--",
        "/bin/cat",
        "/tmp/x",
    ])
    .run()
    .ok()
    .expect_stdout("x");
}

#[test]
fn other_tools_read_the_new_image() {
    let host = busybox();
    let pod = detached(&host, &[], "echo x > /tmp/x; rm /bin/true");
    host.fairing(["wait", &pod]).run().ok();
    commit(&host, &[], &pod);
    let file = host.base().join("made.tar");
    host.fairing(["save", "--format", "oci-archive", MADE, "--output"])
        .arg(&file)
        .run()
        .ok();
    let inspected = Command::new("skopeo")
        .args(["inspect", "--config"])
        .arg(format!("oci-archive:{}", file.display()))
        .output()
        .unwrap();
    assert!(inspected.status.success(), "{inspected:?}");
    let there = Host::new();
    there.accept_unsigned();
    there
        .fairing(["image", "import", "--name", MADE])
        .arg(&file)
        .run()
        .ok();
    let script = "cat /tmp/x; test -e /bin/true || echo gone";
    assert_eq!(seen(&there, &[], script), "x\ngone\n");
}

#[test]
fn an_app_is_frozen_while_it_is_read_and_goes_on_after() {
    let host = busybox();
    let pod = detached(&host, &[], IDLE);
    commit(&host, &[], &pod);
    assert_eq!(status(&host, &pod)["apps"][0]["state"], "running");
    commit(&host, &["--pause=false"], &pod);
    // One that was paused stays so.
    host.fairing(["pause", &pod]).run().ok();
    commit(&host, &["-p"], &pod);
    assert_eq!(status(&host, &pod)["apps"][0]["state"], "paused");
    host.fairing(["resume", &pod]).run().ok();
    host.fairing(["stop", "--force", &pod]).run().ok();
}
