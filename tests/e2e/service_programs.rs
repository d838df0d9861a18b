//! Real programs as services: they are ready when they say so, come back, and are reloaded.

use std::time::Duration;

use harness::{Host, Process, debian_image, wait_until};
use serde_json::Value;

use crate::stocked::{IMAGE as BUSYBOX, import, status};

/// On a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(120);
const PROGRAM: &str = "debian.example.com/program:1";

fn host_of(program: &str) -> Host {
    let host = Host::new();
    host.accept_unsigned();
    let image = debian_image(program);
    host.fairing(["image", "import", &image, "--name", PROGRAM])
        .run()
        .ok();
    host
}

fn first_app(host: &Host) -> Value {
    status(host, "web")["apps"][0].clone()
}

fn sql(host: &Host, text: &str) -> String {
    let psql = ["psql", "-h", "127.0.0.1", "-d", "postgres", "-qAt", "-c"];
    let enter = host.fairing(["enter", "web", "--"]).args(psql).arg(text);
    enter.run().ok().text().to_owned()
}

#[test]
fn a_database_is_ready_when_it_says_so_and_comes_back_with_all_that_was_committed() {
    let host = host_of("postgres");
    host.fairing(["run", "--detach", "--name=web", "--net=none"])
        .args(["--ready-when=healthy", PROGRAM, "--restart=always"])
        .args(["-v", "data:/var/lib/postgresql", "--health-interval=1s"])
        .arg("--health-cmd=pg_isready -q -h 127.0.0.1")
        .limit(PATIENCE)
        .run()
        .ok();
    // It takes statements at once.
    sql(&host, "create table t (n int primary key)");
    for round in 1..=3 {
        sql(&host, &format!("insert into t values ({round})"));
        let pid = first_app(&host)["pid"].as_u64().unwrap();
        Process::read(u32::try_from(pid).unwrap()).unwrap().kill();
        let again = || {
            let app = first_app(&host);
            let has_returned = app["restarts"] == round && app["ready"] == true;
            has_returned.then_some(())
        };
        wait_until("it is ready again", PATIENCE, again);
        let expected: Vec<String> = (1..=round).map(|row| row.to_string()).collect();
        assert_eq!(
            sql(&host, "select n from t order by n"),
            expected.join("\n")
        );
    }
    host.fairing(["stop", "web"]).limit(PATIENCE).run().ok();
    host.fairing(["rm", "web"]).run().ok();
    host.fairing(["volume", "rm", "data"]).run().ok();
}

#[test]
fn a_server_is_reloaded_without_a_request_that_fails() {
    let host = host_of("nginx");
    import(&host, &harness::ImageBuilder::busybox().build(), BUSYBOX);
    let ask = "i=0; while [ $i -lt 300 ]; do wget -q -O /dev/null http://127.0.0.1/ || echo failed; \
        i=$((i + 1)); [ $i != 20 ] || echo asking; done; echo asked all";
    host.fairing(["run", "--detach", "--name=web", "--net=none", PROGRAM])
        .args([
            "--app-name=server",
            "--sidecar",
            "--health-startup-cmd=test -e /run/nginx.pid",
        ])
        .args([
            "--health-startup-interval=1s",
            "---",
            BUSYBOX,
            "--app-name=client",
        ])
        .args(["--", "/bin/sh", "-c", ask])
        .limit(PATIENCE)
        .run()
        .ok();
    let log = || host.fairing(["logs", "--app=client", "web"]).run().ok();
    let has = |part: &str| log().stdout.contains(part).then_some(());
    wait_until("requests are sent", PATIENCE, || has("asking"));
    let mut reloads = 0;
    while has("asked all").is_none() {
        host.fairing(["kill", "--signal=HUP", "--app=server", "web"])
            .run();
        reloads += 1;
        std::thread::yield_now();
    }
    assert!(reloads > 1, "{reloads}");
    let said = log();
    assert!(!said.stdout.contains("failed"), "{}", said.stdout);
    assert_eq!(said.text().lines().last(), Some("asked all"));
    wait_until("the pod has ended", PATIENCE, || {
        (status(&host, "web")["state"] == "exited").then_some(())
    });
    host.fairing(["rm", "web"]).run().ok();
}
