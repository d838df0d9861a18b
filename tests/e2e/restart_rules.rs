//! What is done after some exit codes, whatever the policy says.

use std::time::Duration;

use harness::{Host, wait_until};
use serde_json::{Value, json};

use crate::changed_manifest::{run, start};
use crate::stocked::{IDLE, IMAGE, busybox, status};

const SOON: Duration = Duration::from_secs(20);

fn rule(action: &str, operator: &str, values: &[i32]) -> Value {
    json!({ "action": action, "exit-codes": { "operator": operator, "values": values } })
}

fn app(host: &Host, number: usize) -> Value {
    status(host, "web")["apps"][number].clone()
}

#[test]
fn an_app_starts_again_after_an_exit_code_that_a_rule_names() {
    let host = busybox();
    let line = "test -e /second && exit 5; touch /second; exit 3";
    for (rules, expected) in [
        (json!([rule("restart", "in", &[2, 3])]), 5),
        (json!([rule("restart", "not-in", &[5])]), 5),
        (json!([rule("restart", "in", &[4])]), 3),
    ] {
        let words = ["--net=none", IMAGE, "--", "/bin/sh", "-c", line];
        run(&host, &words, |manifest| {
            manifest["apps"][0]["restart-rules"] = rules;
        })
        .run()
        .expect_code(expected);
    }
}

#[test]
fn all_apps_start_again_in_their_order_when_one_ends_so() {
    let host = busybox();
    let dir = host.base().join("order");
    std::fs::create_dir(&dir).unwrap();
    let definition = format!("--volume=d,kind=host,source={}", dir.display());
    let volume = "--mount=volume=d,target=/data";
    let main = "echo main >>/data/order; \
        if test -e /data/second; then until test -e /data/go; do sleep 0.05; done; fi; \
        touch /data/second; exit 88";
    let other = format!("trap 'echo asked >>/data/order; exit' TERM; {IDLE}");
    let words = [
        "--name=web",
        "--net=none",
        "--userns=host",
        &definition,
        IMAGE,
        "--app-name=prepare",
        "--init",
        volume,
        "--",
        "/bin/sh",
        "-c",
        "echo prepare >>/data/order",
        "---",
        IMAGE,
        "--app-name=other",
        volume,
        "--",
        "/bin/sh",
        "-c",
        &other,
        "---",
        IMAGE,
        "--app-name=main",
        volume,
        "--",
        "/bin/sh",
        "-c",
        main,
    ];
    start(&host, &words, |manifest| {
        manifest["apps"][2]["restart-rules"] = json!([rule("restart-all-apps", "in", &[88])]);
    });
    wait_until("all run again", SOON, || {
        let all = [0, 1, 2].map(|number| app(&host, number));
        let again = all.iter().all(|app| app["restarts"] == 1);
        (again && all[2]["state"] == "running").then_some(())
    });
    let order = std::fs::read_to_string(dir.join("order")).unwrap();
    let lines: Vec<&str> = order.lines().collect();
    assert_eq!(lines, ["prepare", "main", "prepare", "main"]);
    assert_eq!(app(&host, 2)["last-end"]["outcome"]["code"], 88);
    assert_eq!(app(&host, 1)["last-end"]["outcome"]["signal"], 9);
    // The second time around they wait, and are not as those that have ended.
    std::fs::write(dir.join("go"), "").unwrap();
    wait_until("all wait", SOON, || {
        let all = [0, 1, 2].map(|number| app(&host, number));
        let wait = all.iter().all(|app| app["state"] == "backing-off");
        wait.then_some(())
    });
    host.fairing(["stop", "-t", "1", "web"]).run().ok();
    host.fairing(["rm", "web"]).run().ok();
}
