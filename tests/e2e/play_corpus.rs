//! Files in the shape of well-known ones (`data/pod-yaml/`): all are understood, and those run whose programs there are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{Host, ImageBuilder, debian_image, wait_until};
use serde_json::Value;

use crate::stocked::{IMAGE, host_with, import, status};

const SOON: Duration = Duration::from_secs(60);

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/data/pod-yaml")
}

fn file(name: &str) -> PathBuf {
    corpus().join(name)
}

/// The images that a file names.
fn images(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| {
        let line = line.trim_start().trim_start_matches("- ");
        line.strip_prefix("image: ")
    });
    lines
        .map(|image| image.trim_matches('"').to_owned())
        .collect()
}

#[test]
fn every_file_makes_pods() {
    // Some files have arguments for an entry point alone.
    let host = host_with(ImageBuilder::busybox().entrypoint(["/bin/sh"]));
    let mut pods = 0;
    for entry in fs::read_dir(corpus()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for image in images(&text) {
            host.fairing(["image", "tag", IMAGE, &image]).run().ok();
        }
        // The usual network is there without a pod.
        let shown = host
            .fairing(["play", "--dry-run"])
            .env("FAIRING_NET", "")
            .arg(&path)
            .run();
        assert_eq!(shown.code, Some(0), "{}\n{shown}", path.display());
        let manifests = serde_json::Deserializer::from_str(&shown.stdout).into_iter::<Value>();
        for manifest in manifests {
            assert!(manifest.unwrap()["name"].is_string());
            pods += 1;
        }
    }
    assert!(pods >= 11, "{pods}");
    assert!(host.pod_uuids().is_empty());
}

/// Brings busybox into the store under another name.
fn with_busybox(name: &str) -> Host {
    let host = Host::new();
    host.accept_unsigned();
    import(&host, &ImageBuilder::busybox().build(), name);
    host
}

fn with_debian(tag: &str, name: &str) -> Host {
    let host = Host::new();
    host.accept_unsigned();
    host.fairing(["image", "import", &debian_image(tag), "--name", name])
        .run()
        .ok();
    host
}

#[test]
fn a_job_gets_what_its_init_container_has_made() {
    let host = with_busybox("docker.io/library/busybox:1.36");
    let told = host
        .fairing(["play", "--wait"])
        .arg(file("job-with-init.yaml"))
        .run()
        .ok();
    told.expect_stdout("55");
}

#[test]
fn a_pod_knows_itself() {
    let host = with_busybox("docker.io/library/busybox:1.36");
    let told = host
        .fairing(["play", "--wait"])
        .arg(file("downward-api.yaml"))
        .run()
        .ok();
    assert_eq!(
        told.text(),
        "self self hello self, $(UNKNOWN), $(POD) eu-west 32 \nrack=\"22\"\nzone=\"eu-west\"\n250\ntwo"
    );
}

#[test]
fn nginx_serves_a_config_map() {
    let host = with_debian("nginx", "docker.io/library/nginx:1.27");
    // Without a network no port of the host leads to it.
    let text = fs::read_to_string(file("nginx-config-map.yaml")).unwrap();
    let text = text.replace(", hostPort: 18080", "");
    let path = host.write("web.yaml", &text);
    host.fairing(["play", "--detach", "--ready-when", "healthy"])
        .arg(&path)
        .run()
        .ok();
    let ready = status(&host, "web-pod");
    assert_eq!(ready["apps"][0]["ready"], true, "{ready}");
    host.fairing(["down"])
        .arg(&path)
        .run()
        .ok()
        .expect_stdout("web-pod");
}

#[test]
fn redis_answers_its_probe() {
    let host = with_debian("redis", "docker.io/library/redis:7");
    import(
        &host,
        &ImageBuilder::busybox().build(),
        "docker.io/library/busybox:1.36",
    );
    let path = file("redis-list.yaml");
    host.fairing(["play", "--detach"]).arg(&path).run().ok();
    wait_until("redis takes the limit", SOON, || {
        let command = [
            "enter",
            "redis",
            "--",
            "redis-cli",
            "config",
            "get",
            "maxmemory",
        ];
        let answer = host.fairing(command).run();
        answer.stdout.contains("2097152").then_some(())
    });
    host.fairing(["down"]).arg(&path).run().ok();
}

#[test]
fn postgres_keeps_what_it_has_written() {
    let host = with_debian("postgres", "docker.io/library/postgres:16");
    let text = fs::read_to_string(file("postgres-stateful-set.yaml")).unwrap();
    // Debian's package begins in another way than the image that everybody knows.
    let begin = "        command:\n        - /bin/sh\n        - -c\n        - |\n          \
         test -d $$PGDATA || initdb --auth=trust -D $$PGDATA >/dev/null\n          \
         exec postgres -D $$PGDATA -c unix_socket_directories=/tmp\n        envFrom:\n";
    let text = text
        .replace("        envFrom:\n", begin)
        .replace("        env:\n", "        env:\n        - {name: PGHOST, value: /tmp}\n")
        .replace("      containers:\n", "      securityContext: {fsGroup: 7777, fsGroupChangePolicy: OnRootMismatch}\n      containers:\n");
    let path = host.write("db.yaml", &text);
    let start = |flags: &[&str]| {
        let mut command = host.fairing(["play", "--detach", "--ready-when", "healthy"]);
        command = command.args(flags).limit(SOON);
        command.arg(&path).run().ok();
    };
    let sql = |line: &str| {
        let command = [
            "enter",
            "postgres-0",
            "--",
            "psql",
            "-U",
            "postgres",
            "-tAc",
            line,
        ];
        host.fairing(command).run().ok().text().to_owned()
    };
    start(&[]);
    sql("create table kept (word text)");
    sql("insert into kept values ('here')");
    start(&["--replace"]);
    assert_eq!(sql("select word from kept"), "here");
    let ended = host
        .fairing(["down", "--force"])
        .arg(&path)
        .limit(SOON)
        .run()
        .ok();
    assert_eq!(ended.text(), "postgres-0\ndata-postgres-0");
}
