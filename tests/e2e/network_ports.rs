//! Ports of the host that lead to pods.

use std::time::Duration;

use harness::ImageBuilder;
use serde_json::json;

use crate::network_lab::{HOST, HOST_V6, Lab, fetch};
use crate::stocked::IMAGE;

#[test]
fn a_port_is_reached_from_every_side() {
    let lab = Lab::new();
    let before = lab.traces();
    let pod = lab.server("web", &["--port", "8080:80"]);
    let from_outside = format!("{HOST}:8080");
    assert_eq!(fetch(&lab.outside, &from_outside), "web");
    assert_eq!(fetch(&lab.outside, &format!("[{HOST_V6}]:8080")), "web");
    assert_eq!(fetch(&lab.machine, &from_outside), "web");
    assert_eq!(fetch(&lab.machine, "127.0.0.1:8080"), "web");
    let script = format!("wget -qO- http://{from_outside}/");
    assert_eq!(lab.pod(&[], &script), "web\n");
    // Its own way back to itself.
    let enter = ["enter", &pod, "--", "/bin/sh", "-c", &script];
    assert_eq!(lab.host.fairing(enter).run().ok().text(), "web");
    lab.stop(&[&pod]);
    lab.host.collect();
    lab.expect_traces(&before);
}

#[test]
fn ranges_addresses_and_names_of_ports_are_understood() {
    let labels = json!({"io.fairing.port.http": "80/tcp"});
    let lab = Lab::with_image(ImageBuilder::busybox().setting("Labels", labels));
    let flags = ["--port", "127.0.0.1:9000:http", "--port", "8000-8002:79-81"];
    let pod = lab.server("web", &flags);
    assert_eq!(fetch(&lab.machine, "127.0.0.1:9000"), "web");
    assert_eq!(fetch(&lab.outside, &format!("{HOST}:8001")), "web");
    let error = lab.outside.connect(&format!("{HOST}:9000")).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    lab.stop(&[&pod]);
    lab.host
        .fairing(["run", "--port", "1:no-such-port", IMAGE])
        .run()
        .expect_error(2, &["no-such-port"]);
}

#[test]
fn a_port_in_use_is_refused_before_anything_starts() {
    let lab = Lab::new();
    let pod = lab.server("web", &["--port", "8080:80"]);
    let other = |port: &str| {
        let run = lab.host.fairing(["run", "--rm", "--port", port]);
        run.args([IMAGE, "--exec", "/bin/true"]).run()
    };
    other("8080:81").expect_error(125, &["8080/tcp", &pod]);
    let listener = lab.machine.listen("127.0.0.1:8081");
    other("8081:80").expect_error(125, &["8081/tcp", "in use"]);
    drop(listener);
    other("8081:80").ok();
    // What a pod has that was killed is in nobody's way.
    for process in lab.host.pod_processes(&pod) {
        process.kill();
    }
    harness::wait_until("the killed pod to be gone", Duration::from_secs(60), || {
        lab.host.pod_processes(&pod).is_empty().then_some(())
    });
    other("8080:80").ok();
    for net in ["none", "host"] {
        let run = lab
            .host
            .fairing(["run", "--net", net, "--port", "1:1", IMAGE]);
        run.run().expect_error(2, &["--port"]);
    }
}

#[test]
fn a_pod_that_would_not_get_its_port_takes_nobodys_place() {
    let lab = Lab::new();
    let other = lab.server("other", &["--port", "8080:80"]);
    let first = lab.server("web", &["--port", "8081:80"]);
    let listener = lab.machine.listen("127.0.0.1:8082");
    let replaced = |port: &str| {
        let run = lab
            .host
            .fairing(["run", "--replace", "--name", "web", "--rm"]);
        let run = run.args(["--port", port, IMAGE, "--exec", "/bin/true"]);
        run.run()
    };
    replaced("8080:80").expect_error(125, &["8080/tcp", "pod other"]);
    replaced("8082:80").expect_error(125, &["8082/tcp", "in use"]);
    assert_eq!(fetch(&lab.machine, "127.0.0.1:8081"), "web");
    drop(listener);
    // Its own is in nobody's way.
    replaced("8081:80").ok();
    assert!(lab.host.pod_processes(&first).is_empty());
    lab.stop(&[&other]);
}
