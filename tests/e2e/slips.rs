//! What a person can't know or mistypes: what is said of it leads on, and nothing that matters is lost.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::Host;

use crate::stocked::{IDLE, IMAGE, busybox, detached, status, wait_log};

/// What a command says that fails.
#[track_caller]
fn refused(host: &Host, words: &[&str], code: i32) -> String {
    let run = host.fairing(words.iter().copied()).run();
    run.expect_code(code).stderr
}

#[test]
fn a_name_of_this_machine_is_asked_of_no_registry() {
    let host = busybox();
    for words in [
        &["run", "localhost/nope"][..],
        &["fetch", "localhost/nope:1"],
        &["trust", "allow", "--yes", "localhost/nope"],
    ] {
        let said = refused(&host, words, 110);
        assert!(
            said.contains("is not known in the store; `fairing image list` shows what is"),
            "{said}"
        );
    }
    // One with a port is a registry's.
    refused(&host, &["run", "localhost:1/nope"], 122);
    host.fairing(["tag", IMAGE, "app:1"]).run().ok();
    let fetched = host.fairing(["--insecure-options=image", "fetch", "localhost/app:1"]);
    assert!(fetched.run().ok().text().starts_with("sha256:"));
}

#[test]
fn a_registry_that_can_not_be_reached_is_told_with_the_image() {
    let host = busybox();
    for command in ["pull", "fetch", "run"] {
        let output = host.fairing([command, "127.0.0.1:1/team/app:3"]).run();
        output.expect_error(122, &["127.0.0.1:1", "3 of team/app"]);
    }
}

#[test]
fn what_looks_like_a_file_is_asked_of_no_registry() {
    let host = busybox();
    for (words, code, parts) in [
        (
            &["image", "import", "f"][..],
            125,
            &["cannot open f: No such file"][..],
        ),
        (
            &["image", "import", "library/alpine"],
            125,
            &["docker://library/alpine"],
        ),
        (
            &["image", "import", "--name=x", "a.example/app.tar"],
            125,
            &["cannot open a.example/app.tar"],
        ),
        (
            &["image", "import", "My Directory"],
            125,
            &["cannot open My Directory"],
        ),
        (
            &["load", "-i", "missing.tar"],
            125,
            &["missing.tar: No such file"],
        ),
        (
            &["run", "app.tar"],
            110,
            &["looks like a file that is not there"],
        ),
        (
            &["fetch", "team/app.tgz"],
            110,
            &["looks like a file that is not there"],
        ),
        (
            &["trust", "allow", "--yes", "app.tar"],
            110,
            &["looks like a file that is not there"],
        ),
    ] {
        let said = refused(&host, words, code);
        for part in parts {
            assert!(said.contains(part), "{words:?}: {said}");
        }
        assert!(!said.contains("registry docker.io"), "{words:?}: {said}");
    }
    let layout = host.base().join("app.tar");
    host.fairing(["image", "export", IMAGE])
        .arg(&layout)
        .run()
        .ok();
    let said = host
        .fairing(["run", "app.tar"])
        .current_dir(host.base())
        .run();
    said.expect_error(110, &["./app.tar names the file"]);
    // Whoever has an image of that name means it.
    host.fairing(["tag", IMAGE, "app.tar"]).run().ok();
    host.fairing(["run", "--rm", "app.tar", "true"]).run().ok();
}

#[test]
fn an_image_of_the_store_that_is_to_be_copied_is_found_there() {
    let host = busybox();
    host.fairing(["tag", IMAGE, "localhost:1/app:1"]).run().ok();
    let dest = format!("oci:{}", host.base().join("out").display());
    let said = refused(&host, &["image", "copy", "localhost:1/app:1", &dest], 122);
    let export =
        format!("`fairing image export localhost:1/app:1 {dest}` takes the one of the store");
    assert!(said.contains(&export), "{said}");
    host.fairing(["image", "export", "localhost:1/app:1", &dest])
        .run()
        .ok();
}

#[test]
fn import_and_tag_take_the_same_names() {
    let host = busybox();
    let saved = host.base().join("saved");
    let dest = format!("oci:{}", saved.display());
    host.fairing(["image", "export", IMAGE, &dest]).run().ok();
    for (name, whole) in [
        ("bb", "localhost/bb:latest"),
        ("team/bb:1", "localhost/team/bb:1"),
        ("a.example/bb", "a.example/bb:latest"),
    ] {
        let tagged = host.fairing(["tag", IMAGE, name]).run().ok();
        assert_eq!(tagged.text(), whole);
        host.fairing(["rmi", name]).run().ok();
        let imported = host
            .fairing(["image", "import", "--name", name, &dest])
            .run()
            .ok();
        assert_eq!(imported.text(), whole);
        host.fairing(["run", "--rm", name, "true"]).run().ok();
    }
    for command in [&["tag", IMAGE][..], &["image", "import", &dest, "--name"]] {
        let digest = format!("a.io/app@sha256:{}", "0".repeat(64));
        host.fairing(command.iter().copied())
            .arg(&digest)
            .run()
            .expect_code(2);
    }
}

#[test]
fn a_prefix_that_could_be_a_name_with_a_tag_is_warned_of() {
    let host = Host::new();
    let allow = ["trust", "allow", "--yes", "--unsigned", "zz:1"];
    let said = host.fairing(allow).run().ok().stderr;
    assert!(
        said.contains("zz:1 is the registry at port 1 of zz"),
        "{said}"
    );
    assert!(said.contains("docker.io/library/zz"), "{said}");
}

#[test]
fn ports_lead_to_pods_that_run_alone() {
    let host = busybox();
    host.fairing([
        "prepare",
        "--name=later",
        "--net=default",
        "-p",
        "8080:80",
        IMAGE,
    ])
    .run()
    .ok();
    let said = refused(&host, &["port", "later"], 125);
    assert!(
        said.contains("no port of the host leads to pod later"),
        "{said}"
    );
    let shown = host.fairing(["ps", "-a"]).run().ok().stdout;
    assert!(!shown.contains("8080"), "{shown}");
    host.fairing(["rm", "later"]).run().ok();
}

#[test]
fn a_filter_that_no_pod_can_pass_is_a_mistake() {
    let host = busybox();
    for (filter, said) in [
        ("status=foo", "no pod has this state"),
        ("nonsense=1", "the filter nonsense is not there yet"),
        ("exited=x", "write an exit code"),
    ] {
        let shown = refused(&host, &["ps", "--filter", filter], 2);
        assert!(shown.contains(said), "{filter}: {shown}");
    }
    let pod = detached(&host, &["--name", "web"], "exit 3");
    host.fairing(["wait", "web"]).run().ok();
    let listed = |filter: &str| {
        let list = ["ps", "-q", "--no-trunc", "--filter", filter];
        host.fairing(list).run().ok().text().to_owned()
    };
    assert_eq!(listed("status=stopped"), pod);
    assert_eq!(listed("status=exited"), pod);
    for other in [
        "status=running",
        "status=created",
        "status=paused",
        "status=restarting",
    ] {
        assert_eq!(listed(other), "", "{other}");
    }
}

#[test]
fn what_an_image_does_not_set_is_no_mistake_of_a_template() {
    let host = busybox();
    let shown = |template: &str| {
        let inspect = host.fairing(["inspect", "-f", template, IMAGE]);
        inspect.run().ok().text().to_owned()
    };
    assert_eq!(shown("{{.Config.StopSignal}}"), "<no value>");
    assert_eq!(shown("{{len .Config.Volumes}}"), "0");
    let said = refused(&host, &["inspect", "-f", "{{.Config.Nope}}", IMAGE], 2);
    assert!(
        said.contains("there is no field Nope; there are "),
        "{said}"
    );
}

#[test]
fn a_file_is_called_what_it_was_called() {
    let host = busybox();
    let load = host
        .fairing(["load"])
        .stdin("no image".as_bytes().to_vec())
        .run();
    let said = load.expect_code(112).stderr;
    assert!(said.contains("standard input"), "{said}");
    assert!(
        !said.contains("/tmp/stage") && !said.contains("rootfs:"),
        "{said}"
    );
    let said = refused(&host, &["save", "-o", "nodir/x", IMAGE], 125);
    assert!(
        said.starts_with("fairing: cannot create nodir/x: No such file"),
        "{said}"
    );
    let said = refused(&host, &["run", "--env-file", "/nope", IMAGE], 125);
    assert!(said.contains("--env-file: cannot open /nope"), "{said}");
    for command in ["show", "revoke"] {
        let said = refused(&host, &["trust", command, "nope.pub"], 125);
        assert!(said.contains("there is no such file"), "{command}: {said}");
    }
    let said = refused(&host, &["trust", "rm", "a.example", "nope.pub"], 125);
    assert!(said.contains("there is no such file"), "{said}");
}

#[test]
fn an_archive_that_is_cut_off_is_told_to_be_so() {
    let host = busybox();
    let file = host.base().join("image.tar");
    let path = file.to_str().unwrap();
    host.fairing(["save", "-o", path, IMAGE]).run().ok();
    let whole = fs::read(&file).unwrap();
    for length in [whole.len() / 2, 700] {
        fs::write(&file, &whole[..length]).unwrap();
        let said = refused(&host, &["load", "-i", path], 112);
        assert!(said.contains("is truncated"), "{length}: {said}");
    }
    // What never was an image is another thing.
    for (bytes, code) in [("", 113), ("some text", 112)] {
        fs::write(&file, bytes).unwrap();
        let said = refused(&host, &["load", "-i", path], code);
        assert!(!said.contains("truncated"), "{said}");
    }
}

#[test]
fn a_prefix_is_shown_as_trust_rm_takes_it() {
    let host = Host::new();
    let prefix = "registry.example.com/a-team-whose-name-is-long/and-a-project-with-a-longer-one";
    host.fairing(["trust", "allow", "--yes", "--unsigned", prefix])
        .run()
        .ok();
    let shown = host.fairing(["trust", "list"]).run().ok().stdout;
    assert!(shown.contains(prefix), "{shown}");
    host.fairing(["trust", "rm", prefix]).run().ok();
}

#[test]
fn a_pod_that_is_known_by_its_file_is_not_lost() {
    let host = busybox();
    let file = host.base().join("cid");
    let path = file.to_str().unwrap();
    let pod = detached(&host, &["--cidfile", path], IDLE);
    let said = refused(&host, &["run", "--cidfile", path, IMAGE, "true"], 125);
    assert!(said.contains("is there already"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), pod);
    let (link, target) = (host.base().join("link"), host.base().join("target"));
    symlink(&target, &link).unwrap();
    refused(
        &host,
        &["run", "--cidfile", link.to_str().unwrap(), IMAGE, "true"],
        125,
    );
    assert!(!target.exists());
    host.fairing(["stop", "--force", "--cidfile", path])
        .run()
        .ok();
}

#[test]
fn what_is_empty_or_missing_is_said_with_the_flag() {
    let host = busybox();
    refused(&host, &["run", "--exec", "", IMAGE], 2);
    detached(&host, &["--name", "web"], IDLE);
    let said = refused(&host, &["enter", "--workdir", "/nope", "web", "true"], 125);
    assert!(
        said.contains("`/nope`") && said.contains("--workdir"),
        "{said}"
    );
    host.fairing(["stop", "--force", "web"]).run().ok();
    host.write("passphrase", "");
    let keygen = ["trust", "keygen", "team", "--passphrase-file", "passphrase"];
    let made = host.fairing(keygen).run().ok();
    assert!(made.stderr.contains("the passphrase is empty"), "{made}");
    // More than the kernel counts is as much as it counts.
    let limits = [
        "run",
        "--rm",
        "--memory=16E",
        "--pids-limit=99999999999",
        IMAGE,
        "true",
    ];
    host.fairing(limits).run().ok();
    host.fairing(["run", "--rm", "--pids-limit=-1", IMAGE, "true"])
        .run()
        .ok();
}

#[test]
fn labels_come_from_files_too() {
    let host = busybox();
    host.write("labels", "# whose\ntier=front\nteam=a\n");
    let run = [
        "prepare",
        "--name=web",
        "--label-file=labels",
        "--label=team=b",
        IMAGE,
    ];
    host.fairing(run).run().ok();
    let labels = &status(&host, "web")["labels"];
    assert_eq!(
        (labels["tier"].as_str(), labels["team"].as_str()),
        (Some("front"), Some("b"))
    );
    host.fairing(["rm", "web"]).run().ok();
}

#[test]
fn following_a_log_ends_at_a_time() {
    let host = busybox();
    detached(&host, &["--name", "web"], &format!("echo up; {IDLE}"));
    wait_log(&host, "web", "up");
    let begun = Instant::now();
    let date = Command::new("date")
        .args(["-u", "-d", "2 seconds", "+%FT%TZ"])
        .output();
    let until = String::from_utf8(date.unwrap().stdout).unwrap();
    let logs = ["logs", "--follow", "--until", until.trim(), "web"];
    assert_eq!(host.fairing(logs).run().ok().stdout, "up\n");
    assert!(begun.elapsed() > Duration::from_millis(500));
    assert_eq!(status(&host, "web")["state"], "running");
    host.fairing(["stop", "--force", "web"]).run().ok();
}

#[test]
fn the_help_as_a_whole_is_by_subject() {
    let help = Host::new().fairing(["--help"]).run().ok().stdout;
    let (pods, images) = (
        help.find("Start and end pods:").unwrap(),
        help.find("Images and registries:").unwrap(),
    );
    assert!(
        pods < help.find("  run ").unwrap() && help.find("  fetch ").unwrap() > images,
        "{help}"
    );
}
