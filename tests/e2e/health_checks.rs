//! Whether an app is well: asked over each protocol, of real servers, and by what its image says.

use std::time::Duration;

use harness::{Authority, CertificateUse, Host, ImageBuilder, debian_image, wait_until};
use serde_json::{Value, json};

use crate::either_isolator::{self, ISOLATORS};
use crate::stocked::{IDLE, IMAGE, busybox, host_with, status};

/// What a server in a machine may take that is translated.
const TRANSLATED: Duration = Duration::from_secs(180);
const SOON: Duration = Duration::from_secs(60);
const SERVER: &str = "debian.example.com/server:1";

fn first_app(host: &Host) -> Value {
    status(host, "web")["apps"][0].clone()
}

fn await_app(host: &Host, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    wait_until(what, SOON, || {
        Some(first_app(host)).filter(|app| is_so(app))
    })
}

fn stop(host: &Host) {
    host.fairing(["stop", "-t", "1", "web"]).limit(SOON).run();
    host.fairing(["rm", "web"]).run().ok();
}

/// A host with one of the images of real programs.
fn host_of(program: &str) -> Host {
    let host = Host::new();
    host.accept_unsigned();
    let image = debian_image(program);
    host.fairing(["image", "import", &image, "--name", SERVER])
        .run()
        .ok();
    host
}

/// The complaint about an app that is not well.
fn complaint(app: &Value) -> &str {
    app["complaint"].as_str().unwrap_or_default()
}

#[test]
fn a_server_of_grpc_is_asked_by_its_health_service() {
    let host = host_of("etcd");
    for isolator in ISOLATORS {
        either_isolator::run(&host, isolator)
            .args(["--detach", "--name=web", "--ready-when=healthy", SERVER])
            .args(["--health-interval=1s", "--health-grpc=2379"])
            .limit(TRANSLATED)
            .run()
            .ok();
        assert_eq!(first_app(&host)["ready"], true);
        stop(&host);
    }
    // Its other port speaks HTTP alone.
    host.fairing(["run", "--detach", "--name=web", "--net=none", SERVER])
        .args(["--health-interval=1s", "--health-grpc=2379/no.such.Service"])
        .run()
        .ok();
    let app = await_app(&host, "it is asked", |app| {
        complaint(app).contains("no service \"no.such.Service\"")
    });
    assert_eq!(app["ready"], false, "{app}");
    stop(&host);
}

#[test]
fn a_server_over_tls_is_asked_whoever_has_signed_its_certificate() {
    let host = host_of("nginx");
    let authority = Authority::new();
    let files = authority.issue("server", CertificateUse::Server);
    let dir = host.base().join("tls");
    std::fs::create_dir(&dir).unwrap();
    std::fs::copy(&files.certificate, dir.join("server.crt")).unwrap();
    std::fs::copy(&files.key, dir.join("server.key")).unwrap();
    let settings = "events {}\nhttp { server { listen 127.0.0.1:8443 ssl; \
        ssl_certificate /tls/server.crt; ssl_certificate_key /tls/server.key; \
        location = /old { return 302 /missing; } } }\n";
    std::fs::write(dir.join("nginx.conf"), settings).unwrap();
    let volume = format!("--volume={}:/tls:ro", dir.display());
    let serve = ["--", "nginx", "-g", "daemon off;", "-c", "/tls/nginx.conf"];
    for isolator in ISOLATORS {
        either_isolator::run(&host, isolator)
            .args(["--detach", "--name=web", "--ready-when=healthy", SERVER])
            .args(["--health-interval=1s", "--health-https=:8443/"])
            .arg(&volume)
            .args(serve)
            .limit(TRANSLATED)
            .run()
            .ok();
        assert_eq!(first_app(&host)["ready"], true);
        stop(&host);
    }
    host.fairing(["run", "--detach", "--name=web", "--net=none"])
        .args(["--userns=host", SERVER, "--health-interval=1s", &volume])
        .arg("--health-https=:8443/old")
        .args(serve)
        .run()
        .ok();
    await_app(&host, "the redirect is followed", |app| {
        complaint(app).contains("404")
    });
    stop(&host);
}

/// A host with an image that has this check.
fn checked(check: &Value) -> Host {
    host_with(ImageBuilder::busybox().setting("Healthcheck", check.clone()))
}

fn run(host: &Host, flags: &[&str], line: &str) {
    host.fairing(["run", "--detach", "--name=web", "--net=none", IMAGE])
        .args(flags)
        .args(["--", "/bin/sh", "-c", line])
        .run()
        .ok();
}

#[test]
fn the_check_of_an_image_counts_unless_somebody_says_otherwise() {
    let second = 1_000_000_000_u64;
    let test = json!(["CMD-SHELL", "test -e /well || { echo not yet; exit 1; }"]);
    let host = checked(&json!({ "Test": test, "Interval": second, "Retries": 1 }));
    run(&host, &[], IDLE);
    let app = await_app(&host, "it is not well", |app| !app["complaint"].is_null());
    assert!(complaint(&app).contains("not yet"), "{app}");
    host.fairing(["enter", "web", "--", "touch", "/well"])
        .run()
        .ok();
    await_app(&host, "it is well", |app| app["ready"] == true);
    stop(&host);

    run(&host, &["--no-healthcheck"], IDLE);
    assert!(first_app(&host)["ready"].is_null());
    stop(&host);

    // Part of it is the image's.
    run(&host, &["--health-on-failure=restart"], IDLE);
    await_app(&host, "it has started again", |app| app["restarts"] == 1);
    stop(&host);
    run(&host, &["--health-cmd=true"], IDLE);
    await_app(&host, "it is well", |app| app["ready"] == true);
    stop(&host);
}

#[test]
fn an_image_that_takes_its_check_back_has_none() {
    let host = checked(&json!({ "Test": ["NONE"] }));
    run(&host, &[], IDLE);
    assert!(first_app(&host)["ready"].is_null());
    stop(&host);
    host.fairing(["run", "--net=none", IMAGE, "--health-interval=1s"])
        .run()
        .expect_error(125, &["no check of its health", "--health-cmd"]);
}

#[test]
fn the_check_of_an_image_that_makes_no_sense_is_refused() {
    let host = Host::new();
    host.accept_unsigned();
    let image = ImageBuilder::busybox()
        .setting("Healthcheck", json!({ "Test": ["RUN", "x"] }))
        .build();
    let layout = host.base().join("layout");
    image.write_layout(&layout, "latest");
    host.fairing(["run", "--net=none", "--rm"])
        .arg(format!("oci:{}:latest", layout.display()))
        .run()
        .expect_error(113, &["check of its health", "RUN"]);
}

#[test]
fn a_check_for_the_start_comes_before_the_others() {
    let host = busybox();
    let flags = [
        "--health-startup-cmd=test -e /started",
        "--health-startup-interval=1s",
        "--health-cmd=touch /asked; test -e /well",
        "--health-interval=1s",
    ];
    run(&host, &flags, IDLE);
    let app = await_app(&host, "it has not started", |app| {
        !app["complaint"].is_null()
    });
    assert!(complaint(&app).starts_with("startup probe"), "{app}");
    let enter = |words: &[&str]| host.fairing(["enter", "web", "--"]).args(words).run();
    assert_ne!(enter(&["test", "-e", "/asked"]).code, Some(0));
    enter(&["touch", "/started", "/well"]).ok();
    await_app(&host, "it is ready", |app| app["ready"] == true);
    enter(&["test", "-e", "/asked"]).ok();
    stop(&host);
}

#[test]
fn whoever_waits_for_an_apps_health_is_told_when_it_changes() {
    let host = busybox();
    let flags = [
        "--health-cmd=test -e /well",
        "--health-interval=1s",
        "--health-retries=1",
    ];
    run(&host, &flags, IDLE);
    let wait = |condition: &str| {
        let words = ["wait", "--condition", condition, "web"];
        host.fairing(words).limit(SOON).run().ok();
    };
    wait("unhealthy");
    assert_eq!(first_app(&host)["ready"], false);
    let healthy = host
        .fairing(["wait", "--condition=healthy", "web"])
        .limit(SOON)
        .spawn();
    host.fairing(["enter", "web", "--", "touch", "/well"])
        .run()
        .ok();
    assert_eq!(healthy.wait().ok().stdout, "-1\n");
    assert_eq!(first_app(&host)["ready"], true);
    stop(&host);
}
