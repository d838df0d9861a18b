//! Pods in YAML as services of a real systemd, and images that only some may fetch.

use std::time::Duration;

use harness::{Host, ImageBuilder, Registry, Systemd, wait_until};

use crate::stocked::{IDLE, IMAGE, busybox, status};

const UNIT: &str = "web.service";

/// A pod that is ready when somebody has made a file in it. Its process is the first of its own, which no signal ends that
/// it does not handle.
fn pod() -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n  \
         - name: app\n    image: {IMAGE}\n    command: [/bin/sh, -c, 'trap \"exit 0\" TERM; {IDLE}']\n    readinessProbe:\n      \
         periodSeconds: 1\n      exec: {{command: [test, -e, /tmp/ready]}}\n"
    )
}

#[test]
fn a_service_that_plays_is_active_when_its_pod_is_ready_and_comes_back() {
    let host = busybox();
    let systemd = Systemd::boot(&host);
    let file = host.write("web.yaml", pod());
    let command = host
        .fairing([
            "play",
            "--replace",
            "--network=none",
            "--ready-when=healthy",
        ])
        .arg(&file);
    let service = Systemd::service(&command);
    systemd.unit(
        UNIT,
        &format!("[Service]\n{service}Type=notify\nKillMode=mixed\nDelegate=yes\nRestart=on-failure\nRestartSec=10ms\n"),
    );
    let enter = |words: &[&str]| host.fairing(["enter", "web", "--"]).args(words).run();
    let make_ready = || {
        wait_until("the pod", Duration::from_secs(20), || {
            (enter(&["touch", "/tmp/ready"]).code == Some(0)).then_some(())
        });
    };
    systemd.sh("systemctl start --no-block web.service");
    systemd.wait_property(UNIT, "StatusText", "starting: app is not ready");
    assert_eq!(systemd.property(UNIT, "ActiveState"), "activating");
    make_ready();
    systemd.wait_property(UNIT, "ActiveState", "active");
    assert_eq!(systemd.property(UNIT, "StatusText"), "running");
    let main = systemd.property(UNIT, "MainPID");
    assert_eq!(status(&host, "web")["monitor-pid"].to_string(), main);
    // Its name is taken over from what was killed.
    systemd.sh("systemctl kill --signal=KILL web.service");
    wait_until("another pod", Duration::from_secs(30), || {
        let now = systemd.property(UNIT, "MainPID");
        (now != main && now != "0").then_some(())
    });
    make_ready();
    systemd.wait_property(UNIT, "ActiveState", "active");
    systemd.sh("systemctl stop web.service");
    let end = ["ActiveState", "Result", "ExecMainStatus"];
    let end = end.map(|name| systemd.property(UNIT, name));
    assert_eq!(end, ["inactive", "success", "0"]);
    host.fairing(["down", "--force"]).arg(&file).run().ok();
    assert!(host.pod_folders().is_empty());
}

#[test]
fn a_secret_of_the_file_logs_in_to_a_registry_and_is_kept_nowhere() {
    let open = Registry::start();
    ImageBuilder::busybox().build().push(&open, "team/app:1");
    let registry = Registry::builder().content_of(&open).password().start();
    let host = Host::new();
    host.accept_unsigned();
    let image = registry.reference("team/app:1");
    let address = registry.address().to_string();
    let secret = |password: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: login}}\ntype: kubernetes.io/dockerconfigjson\nstringData:\n  \
             .dockerconfigjson: '{{\"auths\": {{\"{address}\": {{\"username\": \"tester\", \"password\": \"{password}\"}}}}}}'\n---\n"
        )
    };
    let pod = |secrets: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  restartPolicy: Never\n{secrets}  containers:\n  \
             - {{name: app, image: '{image}', command: [/bin/echo, hello]}}\n"
        )
    };
    let play = |text: String| {
        let file = host.write("pod.yaml", text);
        host.fairing([
            "--insecure-options=http",
            "play",
            "--wait",
            "--network=none",
        ])
        .arg(file)
        .run()
    };
    let asking = "  imagePullSecrets: [{name: login}]\n";
    // Nobody is logged in, the secret is not named, is not there, or is another one.
    for (text, part) in [
        (pod(""), "not authorized"),
        (secret("secret") + &pod(""), "not authorized"),
        (secret("wrong") + &pod(asking), "not authorized"),
    ] {
        play(text).expect_error(122, &[part]);
    }
    play(secret("secret") + &pod(asking))
        .ok()
        .expect_stdout("hello");
    assert!(host.pod_folders().is_empty());
    let kept = std::process::Command::new("grep")
        .args(["-rlE", "tester|dockerconfigjson"])
        .args([host.data_dir(), host.run_dir()])
        .output();
    assert_eq!(String::from_utf8(kept.unwrap().stdout).unwrap(), "");
}
