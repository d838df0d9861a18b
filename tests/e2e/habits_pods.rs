//! Pods as people who come from docker, podman or rkt start them again and look into them.

use std::fs;
use std::time::Duration;

use harness::wait_until;

use crate::stocked::{IDLE, IMAGE, busybox, detached, status, wait_log};

/// A script that says "up" and ends with 0 when it is asked to.
fn polite() -> String {
    format!("trap 'exit 0' TERM; echo up; {IDLE}")
}

#[test]
fn start_starts_what_was_prepared_in_the_background() {
    let host = busybox();
    host.fairing(["prepare", "--name", "later", IMAGE, "--", "/bin/sh", "-c"])
        .arg(polite())
        .run()
        .ok();
    host.fairing(["restart", "later"])
        .run()
        .expect_error(125, &["`fairing start later` starts it"]);
    let started = host.fairing(["start", "later"]).run().ok();
    assert_eq!(started.text(), "later");
    wait_log(&host, "later", "up");
    // It runs, which is what was wanted.
    host.fairing(["start", "later"]).run().ok();
    host.fairing(["stop", "later"]).run().ok();
    for command in ["start", "restart"] {
        host.fairing([command, "later"])
            .run()
            .expect_error(125, &["pod later", "runs once", "fairing rm later"]);
    }
}

#[test]
fn apps_of_a_pod_that_stays_are_started_again() {
    let host = busybox();
    let script = format!("date +%N >> /starts; {}", polite());
    detached(
        &host,
        &["--name", "box", "--lifetime=until-stopped"],
        &script,
    );
    wait_log(&host, "box", "up");
    let first = status(&host, "box")["apps"][0]["pid"].clone();
    let said = host.fairing(["restart", "-t", "5", "box"]).run().ok();
    assert_eq!(said.text(), "box");
    let app = status(&host, "box")["apps"][0].clone();
    assert_eq!(app["state"], "running");
    assert_ne!(app["pid"], first);
    host.fairing(["kill", "box"]).run().ok();
    host.fairing(["wait", "box", "--app", "busybox"]).run().ok();
    host.fairing(["start", "box"]).run().ok();
    assert_eq!(status(&host, "box")["apps"][0]["state"], "running");
    host.fairing(["stop", "box"]).run().ok();
}

#[test]
fn what_may_not_start_again_is_not_ended() {
    let host = busybox();
    let lifetime = ["--name", "box", "--lifetime=until-stopped"];
    detached(&host, &lifetime, &polite());
    wait_log(&host, "box", "up");
    fs::remove_dir_all(host.local_config().join("trust.d")).unwrap();
    let restart = host.fairing(["restart", "box"]).run();
    restart.expect_error(115, &["is not trusted"]);
    assert_eq!(status(&host, "box")["apps"][0]["state"], "running");
    host.fairing(["stop", "box"]).run().ok();
}

#[test]
fn a_pod_that_ends_with_its_apps_is_not_restarted() {
    let host = busybox();
    detached(&host, &["--name", "web"], &polite());
    host.fairing(["restart", "web"])
        .run()
        .expect_error(125, &["pod web", "--lifetime=until-stopped"]);
    assert_eq!(status(&host, "web")["state"], "running");
    host.fairing(["stop", "web"]).run().ok();
}

#[test]
fn top_shows_the_processes_of_a_pod_and_nothing_else() {
    let host = busybox();
    let script = format!("sleep 1000 & {}", polite());
    detached(&host, &["--name", "web"], &script);
    wait_log(&host, "web", "up");
    // A process that was just made is another shell for a moment.
    let top = wait_until("sleep is seen", Duration::from_secs(30), || {
        let top = host.fairing(["top", "web"]).run().ok();
        let mut lines = top.stdout.lines();
        lines
            .any(|line| line.ends_with(" sleep 1000"))
            .then_some(top)
    });
    let lines: Vec<&str> = top.stdout.lines().collect();
    assert!(lines[0].starts_with("UID"), "{top}");
    assert!(!top.stdout.contains("pod-init"), "{top}");
    // One that ends just now, in brackets, may have left its app's cgroup already.
    for line in lines[1..].iter().filter(|line| !line.ends_with(']')) {
        assert!(line.contains(" busybox "), "{top}");
    }
    let pid = status(&host, "web")["apps"][0]["pid"].to_string();
    assert!(lines[1].split_whitespace().nth(1) == Some(&pid), "{top}");
    for command in ["top", "logs", "export", "kill", "wait", "enter"] {
        host.fairing([command, "web", "--app", "other"])
            .run()
            .expect_error(121, &["no app `other`; it has busybox"]);
    }
    host.fairing(["stop", "web"]).run().ok();
    host.fairing(["top", "web"])
        .run()
        .expect_error(125, &["pod web can't be looked into: it has ended"]);
}

#[test]
fn inspect_knows_pods_and_images_by_our_words_and_dockers() {
    let host = busybox();
    let pod = detached(&host, &["--name", "web"], "exit 3");
    host.fairing(["wait", "web"]).run().ok();
    let shown = host.fairing(["inspect", "web", IMAGE]).run().ok().json();
    assert_eq!(shown[0]["uuid"], pod);
    assert_eq!(shown[1]["reference"], IMAGE);
    let template = |template: &str, name: &str| {
        let output = host.fairing(["inspect", "-f", template, name]).run().ok();
        output.text().to_owned()
    };
    for (text, expected) in [
        ("{{.State.Status}} {{.State.Running}}", "exited false"),
        ("{{.State.ExitCode}} {{.exit-code}} {{.ExitCode}}", "3 3 3"),
        ("{{.Id}}", pod.as_str()),
        ("{{(index .apps 0).image}}", IMAGE),
        ("{{.Config.Image}}", IMAGE),
        ("{{if .State.Running}}up{{else}}down{{end}}", "down"),
    ] {
        assert_eq!(template(text, "web"), expected, "{text}");
    }
    assert_eq!(template("{{index .RepoTags 0}}", IMAGE), IMAGE);
    host.fairing(["inspect", "nobody"])
        .run()
        .expect_error(121, &["nobody"]);
    host.fairing(["inspect", "--type", "image", "web"])
        .run()
        .expect_error(110, &["web"]);
    host.fairing(["inspect", "-f", "{{.Nmae}}", "web"])
        .run()
        .expect_error(2, &["no field Nmae"]);
}

#[test]
fn inspect_shows_the_mounts_and_the_environment_of_an_app() {
    let host = busybox();
    let folder = host.base().join("shared");
    fs::create_dir(&folder).unwrap();
    let volume = format!("{}:/data:ro", folder.display());
    let flags = ["--name", "web", "-v", &volume, "--tmpfs", "/scratch"];
    host.fairing(["prepare"])
        .args(flags)
        .args([
            "-e",
            "COLOUR=green",
            "-u",
            "65534",
            "-m",
            "64m",
            "--pids-limit=20",
            IMAGE,
        ])
        .run()
        .ok();
    let shown = host.fairing(["inspect", "web"]).run().ok().json();
    let app = &shown[0]["apps"][0];
    assert_eq!(app["mounts"].as_array().unwrap().len(), 2, "{app}");
    let template = |words: &[&str]| host.fairing(words.iter().copied()).run().ok().stdout;
    let places = "{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}};{{end}}";
    let mut mounts: Vec<String> = template(&["inspect", "-f", places, "web"])
        .trim()
        .split_terminator(';')
        .map(str::to_owned)
        .collect();
    mounts.sort();
    let bind = format!("bind {} /data false", folder.display());
    assert_eq!(mounts, [bind.as_str(), "tmpfs  /scratch true"]);
    let env = template(&["inspect", "-f", "{{join .Config.Env \" \"}}", "web"]);
    assert!(env.contains("COLOUR=green"), "{env}");
    let user = template(&[
        "inspect",
        "-f",
        "{{.Config.User}} {{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}",
        "web",
    ]);
    assert_eq!(user, "65534 67108864 20\n");
    let image = template(&["image", "inspect", "-f", "{{.Os}} {{.Config.User}}", IMAGE]);
    assert!(image.starts_with("linux "), "{image}");
    host.fairing(["rm", "web"]).run().ok();
}

#[test]
fn an_app_that_has_ended_is_told_as_ended() {
    let host = busybox();
    host.fairing(["run", "-d", "--name", "two", "--on-app-failure=continue"])
        .args(["--lifetime=until-stopped", IMAGE, "--app-name=aa", "--"])
        .args(["/bin/sh", "-c", IDLE, "---", IMAGE, "--app-name=bb", "--"])
        .args(["/bin/sh", "-c", "exit 3"])
        .run()
        .ok();
    host.fairing(["wait", "two", "--app", "bb"]).run().ok();
    host.fairing(["enter", "two", "--app", "bb", "--", "id"])
        .run()
        .expect_error(125, &["app bb of pod two has ended (exit code 3)"]);
    host.fairing(["stop", "two"]).run().ok();
}

#[test]
fn gc_can_put_pods_out_of_the_way_and_remove_them_later() {
    let host = busybox();
    let pod = detached(&host, &["--name", "done"], "exit 0");
    host.fairing(["wait", "done"]).run().ok();
    let marked = host
        .fairing(["gc", "--mark-only", "--grace-period=0"])
        .run()
        .ok();
    assert_eq!(marked.stdout, format!("pod {pod} (done) marked\n"));
    assert_eq!(host.pod_folders(), [("garbage".to_owned(), pod.clone())]);
    host.fairing(["status", "done"])
        .run()
        .expect_error(121, &["done"]);
    let removed = host.fairing(["gc"]).run().ok();
    assert!(
        removed
            .stdout
            .contains(&format!("pod {pod} (done) removed")),
        "{removed}"
    );
    assert_eq!(host.pod_folders(), []);
}

#[test]
fn info_and_df_tell_what_there_is() {
    let host = busybox();
    detached(&host, &["--name", "done"], "exit 0");
    host.fairing(["wait", "done"]).run().ok();
    let info = host.fairing(["info", "--format", "json"]).run().ok().json();
    assert_eq!(
        (&info["pods"], &info["pods-running"]),
        (&1.into(), &0.into())
    );
    assert_eq!(
        (&info["images"], &info["trust-rules"]),
        (&1.into(), &1.into())
    );
    let version = host
        .fairing(["system", "info", "-f", "{{.Version}}"])
        .run()
        .ok();
    assert_eq!(version.text(), env!("CARGO_PKG_VERSION"));
    let df = host
        .fairing(["system", "df", "--format", "json"])
        .run()
        .ok()
        .json();
    assert_eq!(
        (&df[0]["type"], &df[0]["total"], &df[0]["active"]),
        (&"images".into(), &1.into(), &0.into())
    );
    assert_eq!(
        (&df[1]["type"], &df[1]["total"]),
        (&"pods".into(), &1.into())
    );
    assert!(df[0]["size"].as_u64().unwrap() > 100_000, "{df}");
    host.fairing(["system", "df"])
        .run()
        .ok()
        .expect_stdout("RECLAIMABLE");
}

#[test]
fn commands_that_are_not_there_yet_are_named() {
    let host = busybox();
    for (words, said) in [
        (&["checkpoint", "web"][..], "not there yet"),
        (&["container", "ls"], "fairing ps"),
        (&["build", "."], "built elsewhere"),
        (&["system", "prune"], "fairing gc"),
        (&["network", "connect", "a", "b"], "--net NAME"),
    ] {
        host.fairing(words).run().expect_error(2, &[said]);
    }
    // A word that nobody has is answered with what is near it.
    host.fairing(["lisst"]).run().expect_error(2, &["list"]);
    assert!(fs::read_dir(host.run_dir()).unwrap().next().is_none());
}
