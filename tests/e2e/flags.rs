//! Flags as people know them from docker, podman and rkt: what they mean there, they do here.

use std::fs;

use harness::{Host, ImageBuilder};

use crate::stocked::{IDLE, IMAGE, busybox, detached, host_with, status};

/// What a command line after `run --rm` writes.
fn said(host: &Host, words: &[&str]) -> String {
    let output = host.fairing(["run", "--rm"]).args(words).run().ok();
    output.stdout
}

#[test]
fn short_flags_and_other_names_do_the_same() {
    let host = busybox();
    let script = "echo $(id -u) $(pwd) $A $(hostname)";
    let words = [
        "-h", "there", "-u", "7", "-w", "/bin", "-e", "A=1", "-m", "64m", IMAGE, "sh", "-c", script,
    ];
    assert_eq!(said(&host, &words), "7 /bin 1 there\n");
    let words = [
        "--hostname=there",
        IMAGE,
        "--user=7",
        "--working-dir=/bin",
        "--set-env=A=1",
        "--memory=64m",
        "sh",
        "-c",
        script,
    ];
    assert_eq!(said(&host, &words), "7 /bin 1 there\n");
}

#[test]
fn an_entrypoint_is_replaced_or_taken_away() {
    let host = host_with(
        ImageBuilder::busybox()
            .entrypoint(["/bin/echo", "entry"])
            .cmd(["cmd"]),
    );
    for (words, text) in [
        (&[IMAGE][..], "entry cmd\n"),
        (&[IMAGE, "x"], "entry x\n"),
        (&["--entrypoint", "/bin/echo", IMAGE], "\n"),
        (&["--entrypoint", "/bin/echo", IMAGE, "x"], "x\n"),
        (&["--entrypoint", "", IMAGE, "echo", "y"], "y\n"),
        (&["--entrypoint", "[\"echo\", \"a\"]", IMAGE, "b"], "a b\n"),
    ] {
        assert_eq!(said(&host, words), text, "{words:?}");
    }
}

#[test]
fn an_environment_is_inherited_below_what_the_image_says() {
    let host = host_with(ImageBuilder::busybox().env("OF_IMAGE", "image"));
    let script = "echo $MINE $OF_IMAGE $GIVEN";
    let run = host
        .fairing(["run", "--rm", "--inherit-env", "-e", "GIVEN=given"])
        .args([IMAGE, "sh", "-c", script])
        .env("MINE", "mine")
        .env("OF_IMAGE", "mine")
        .env("GIVEN", "mine");
    assert_eq!(run.run().ok().stdout, "mine image given\n");
}

#[test]
fn hosts_are_added_the_other_way_round() {
    let host = busybox();
    let words = [
        "--net=none",
        "--add-host",
        "db:10.0.0.7",
        IMAGE,
        "cat",
        "/etc/hosts",
    ];
    assert!(said(&host, &words).contains("10.0.0.7\tdb"));
}

#[test]
fn a_pod_of_the_same_name_goes_for_its_replacement() {
    let host = busybox();
    let first = detached(&host, &["--name", "web"], IDLE);
    // What can't start takes nobody's place.
    host.fairing([
        "run",
        "--detach",
        "--replace",
        "--name",
        "web",
        "--pull=never",
        "no.example/x",
    ])
    .run()
    .expect_code(110);
    assert_eq!(status(&host, "web")["uuid"], first);
    let second = detached(&host, &["--replace", "--name", "web"], IDLE);
    assert_ne!(first, second);
    assert_eq!(status(&host, "web")["uuid"], second);
    host.fairing(["stop", "--force", "web"]).run().ok();
    // One that has ended goes, too.
    let third = detached(&host, &["--replace", "--name", "web", "--rm"], IDLE);
    assert_eq!(host.pod_folders(), [("run".to_owned(), third)]);
    host.fairing(["stop", "--force", "web"]).run().ok();
    // A name is what it goes by.
    host.fairing(["run", "--replace", IMAGE])
        .run()
        .expect_code(2);
}

#[test]
fn what_would_not_start_takes_nobodys_place() {
    let host = busybox();
    let first = detached(&host, &["--name", "web"], IDLE);
    for (words, code, said) in [
        (
            &[IMAGE, "typo"][..],
            127,
            "cannot execute `typo` in app busybox: the image has no /usr/local/sbin/typo, ",
        ),
        (
            &["--exec=/etc/passwd", IMAGE],
            126,
            "`/etc/passwd`: Permission denied",
        ),
        (&["--exec=/bin", IMAGE], 126, "`/bin` is a directory"),
        (
            &["--user=ghost", IMAGE],
            119,
            "the user `ghost` is not in the image's /etc/passwd",
        ),
        (
            &["--group=ghosts", IMAGE],
            119,
            "the group `ghosts` is not in the image's /etc/group",
        ),
        // One app can't run, so none does.
        (
            &[
                IMAGE,
                "--",
                "/bin/echo",
                "ran",
                "---",
                IMAGE,
                "--app-name=late",
                "--user=ghost",
            ],
            119,
            "app late: the user `ghost`",
        ),
        (&["--net=nowhere", IMAGE], 121, "nowhere"),
    ] {
        let run = host
            .fairing(["run", "--detach", "--replace", "--name=web"])
            .args(words)
            .run()
            .expect_code(code);
        assert!(run.stderr.contains(said), "{words:?}: {}", run.stderr);
        assert_eq!(status(&host, "web")["state"], "running", "{words:?}");
        assert_eq!(status(&host, "web")["uuid"], first, "{words:?}");
    }
    host.fairing(["stop", "--force", "web"]).run().ok();
}

#[test]
fn the_uuid_is_written_where_cidfile_says() {
    let host = busybox();
    let file = host.base().join("cid");
    let path = file.to_str().unwrap();
    let pod = detached(&host, &["--cidfile", path], IDLE);
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), pod);
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn ports_that_nobody_named_are_free_ones_of_the_host() {
    let ports = serde_json::json!({ "80/tcp": {}, "53/udp": {} });
    let host = host_with(ImageBuilder::busybox().setting("ExposedPorts", ports));
    let pod = host
        .fairing([
            "prepare",
            "--net=default",
            "-P",
            "--publish",
            "8080:80",
            "-p",
            "127.0.0.1::81",
            IMAGE,
        ])
        .run()
        .ok();
    let pod = pod.text();
    let manifest = host.fairing(["cat-manifest", pod]).run().ok().json();
    let ports = manifest["ports"].as_array().unwrap();
    let of = |port: u16| {
        let mapping = ports
            .iter()
            .find(|mapping| mapping["container-port"] == port);
        let mapping = mapping.unwrap_or_else(|| panic!("{port}: {manifest}"));
        mapping["host-port"].as_u64().unwrap()
    };
    assert_eq!((ports.len(), of(80)), (3, 8080));
    assert!(of(53) > 0 && of(81) > 0, "{manifest}");
    host.fairing(["rm", pod]).run().ok();
    for net in ["none", "host"] {
        host.fairing(["run", "-P", "--network", net, IMAGE])
            .run()
            .expect_error(2, &["--port is for pods that join a network"]);
    }
}

#[test]
fn what_others_call_the_default_network_is_the_default_network() {
    let host = busybox();
    let pod = host
        .fairing(["prepare", "--network", "bridge", IMAGE])
        .run()
        .ok();
    let manifest = host.fairing(["cat-manifest", pod.text()]).run().ok().json();
    let name = &manifest["network"]["named"][0]["name"];
    assert_eq!(name, "default", "{manifest}");
    host.fairing(["rm", pod.text()]).run().ok();
    host.fairing(["run", "--network", "container:web", IMAGE])
        .run()
        .expect_error(2, &["joining another pod's network is not there yet"]);
}

#[test]
fn the_bare_name_is_a_guide_and_help_leads_on() {
    let host = busybox();
    let guide = host.fairing([] as [&str; 0]).run().expect_code(2);
    assert!(guide.stderr.contains("fairing run --rm -it"), "{guide}");
    for line in [
        &["run", "--help"][..],
        &["run", "-h"],
        &["--help"],
        &["trust", "-h"],
    ] {
        let help = host.fairing(line).run().ok();
        assert!(help.stdout.contains("Usage: fairing"), "{help}");
    }
    let all = host.fairing(["run", "--help-all"]).run().ok();
    assert!(all.stdout.contains("--uuid-file-save"), "{all}");
}
