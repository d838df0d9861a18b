//! Sandboxes and containers by their ids and labels, on the command line.

use harness::ImageBuilder;

use crate::cri_containers::{Ground, idle, script};

fn ground() -> Ground {
    Ground::of(ImageBuilder::busybox(), |sandbox| {
        let label = ("io.kubernetes.pod.name".to_owned(), "box".to_owned());
        sandbox.labels.extend([label]);
    })
}

#[test]
fn a_container_s_id_or_its_beginning_stands_for_its_app() {
    let ground = ground();
    let mut said = script("said", "echo from the one");
    said.log_path = "said.log".to_owned();
    let ended = ground.run(&said);
    ground.wait_end(&ended);
    let running = ground.run(&idle("running"));
    let fairing = |arguments: &[&str]| ground.host.fairing(arguments.iter().copied()).run();
    for id in [&running, &running[..13], &running[..12]] {
        let told = fairing(&["enter", id, "--", "/bin/hostname"]).ok();
        assert!(!told.text().is_empty());
        let told = fairing(&["inspect", id]).ok();
        assert!(told.stdout.contains("running-0"), "{told}");
        let told = fairing(&["status", id]).ok();
        assert!(told.stdout.contains("state=running"), "{told}");
    }
    let logs = fairing(&["logs", &ended[..13]]);
    assert_eq!(logs.ok().text(), "from the one");
    let other = fairing(&["enter", "--app", "said-0", &running, "--", "true"]);
    assert!(!other.stderr.is_empty() && other.code != Some(0), "{other}");
    // A pod is more than one of its containers.
    let refused = fairing(&["stop", &running[..13]]);
    assert!(refused.stderr.contains("app running-0 of pod"), "{refused}");
    assert_ne!(refused.code, Some(0));
    let few = fairing(&["status", &running[..11]]);
    assert_ne!(few.code, Some(0));
}

#[test]
fn a_sandbox_s_id_or_its_beginning_stands_for_its_pod() {
    let ground = ground();
    for id in [&ground.sandbox, &ground.sandbox[..13]] {
        let told = ground.host.fairing(["status", id]).run().ok();
        assert!(told.stdout.contains("state=running"), "{told}");
    }
    ground
        .host
        .fairing(["stop", &ground.sandbox[..13]])
        .run()
        .ok();
    let told = ground.host.fairing(["status", &ground.sandbox]).run().ok();
    assert!(told.stdout.contains("state=exited"), "{told}");
}

#[test]
fn a_sandbox_s_labels_are_its_pod_s() {
    let ground = ground();
    let listed = |filter: &str| {
        let list = ground.host.fairing(["list", "--quiet", "--filter", filter]);
        list.run().ok().text().to_owned()
    };
    let found = listed("label=io.kubernetes.pod.name=box");
    assert!(!found.is_empty());
    assert!(ground.sandbox.starts_with(&found.replace('-', "")) || !found.contains(' '));
    assert_eq!(listed("label=io.kubernetes.pod.name=other"), "");
}
