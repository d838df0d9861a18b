//! PostgreSQL with its data in a named volume: what it has told a client to be committed is there, whatever becomes of its
//! pods.
//!
//! `make soak` kills a hundred monitors under pgbench, other runs a few.

use std::time::Duration;

use harness::{Host, Running, Signal, debian_image, wait_until};

const IMAGE: &str = "debian.example.com/postgres:1";
const READY: &str = "database system is ready to accept connections";
/// On a machine that has much to do, recovery included.
const PATIENCE: Duration = Duration::from_secs(120);
/// Kills, without the variable that asks for more.
const USUAL_KILLS: usize = 3;
const SOAK_KILLS: usize = 100;

fn host() -> Host {
    let host = Host::new();
    host.accept_unsigned();
    host.fairing([
        "image",
        "import",
        &debian_image("postgres"),
        "--name",
        IMAGE,
    ])
    .run()
    .ok();
    host
}

/// Starts a pod on the volume and waits until it takes SQL.
fn start(host: &Host, name: &str) -> Running {
    let pod = host
        .fairing(["run", "--name", name, "--net=none", IMAGE])
        .args(["-v", "data:/var/lib/postgresql"])
        .limit(PATIENCE)
        .spawn();
    pod.wait_stderr(READY);
    pod
}

fn sql(host: &Host, pod: &str, text: &str) -> String {
    let psql = [
        "psql",
        "-h",
        "127.0.0.1",
        "-d",
        "postgres",
        "-qAt",
        "-c",
        text,
    ];
    let output = host.fairing(["enter", pod, "--"]).args(psql).run().ok();
    output.text().to_owned()
}

/// Commits one number after the other, and prints each once it is told that it is committed.
fn count_up(host: &Host, pod: &str, from: usize) -> Running {
    let script = format!(
        "i={from}; while :; do echo \"insert into t values ($i) returning n;\"; i=$((i + 1)); done | \
         psql -h 127.0.0.1 -d postgres -qAt"
    );
    host.fairing(["enter", pod, "--", "/bin/sh", "-c", &script])
        .limit(PATIENCE)
        .spawn()
}

/// The last whole number that was printed.
fn last(printed: &str) -> Option<usize> {
    let whole = printed.rsplit_once('\n')?.0;
    whole.lines().last()?.parse().ok()
}

#[test]
fn what_is_committed_survives_a_stop_a_removal_and_a_new_pod() {
    let host = host();
    let pod = start(&host, "first");
    sql(
        &host,
        "first",
        "create table t (n int primary key); insert into t select generate_series(1, 5000)",
    );
    host.fairing(["stop", "first"]).run().ok();
    pod.wait()
        .ok()
        .expect_stderr("database system is shut down");
    host.fairing(["volume", "rm", "data"])
        .run()
        .expect_error(125, &["pod first (exited)"]);
    host.fairing(["rm", "first"]).run().ok();
    let pod = start(&host, "second");
    assert_eq!(
        sql(&host, "second", "select count(*), sum(n) from t"),
        "5000|12502500"
    );
    // The cluster is that of the image, copied once, with its owner.
    assert_eq!(sql(&host, "second", "select current_user"), "postgres");
    host.fairing(["stop", "second"]).run().ok();
    pod.wait().ok();
    host.fairing(["rm", "second"]).run().ok();
    host.fairing(["volume", "rm", "data"]).run().ok();
}

#[test]
fn every_transaction_that_was_committed_is_there_after_its_monitor_was_killed() {
    let kills = match std::env::var_os("FAIRING_SOAK_SECONDS") {
        Some(_) => SOAK_KILLS,
        None => USUAL_KILLS,
    };
    let host = host();
    let mut next = 1;
    for round in 0..=kills {
        let name = format!("db{round}");
        let pod = start(&host, &name);
        if round == 0 {
            sql(&host, &name, "create table t (n int primary key)");
            let pgbench = ["pgbench", "-h", "127.0.0.1", "-i", "-q", "postgres"];
            host.fairing(["enter", &name, "--"])
                .args(pgbench)
                .limit(PATIENCE)
                .run()
                .ok();
        } else {
            // All that was told to be committed, and at most what was under way.
            let found: usize = sql(&host, &name, "select count(*) from t").parse().unwrap();
            assert!(found + 1 >= next, "round {round}: {found} of {}", next - 1);
            let largest = sql(&host, &name, "select coalesce(max(n), 0) from t");
            assert_eq!(largest, found.to_string(), "round {round}");
            next = found + 1;
        }
        if round == kills {
            host.fairing(["stop", &name]).run().ok();
            pod.wait().ok();
            break;
        }
        let load = host
            .fairing([
                "enter",
                &name,
                "--",
                "pgbench",
                "-h",
                "127.0.0.1",
                "-n",
                "-c",
                "2",
                "-T",
                "600",
            ])
            .args(["postgres"])
            .spawn();
        let client = count_up(&host, &name, next);
        // Not at the same moment each time.
        let enough = next + 20 + round * 7 % 60;
        wait_until("some commits", PATIENCE, || {
            last(&client.stdout()).filter(|n| *n >= enough)
        });
        pod.signal(Signal::KILL);
        drop(pod.wait());
        drop(load.wait());
        let printed = client.wait().stdout;
        next = last(&printed).unwrap() + 1;
        wait_until("the end of all", PATIENCE, || {
            host.processes().is_empty().then_some(())
        });
        host.collect();
    }
    host.fairing(["rm", &format!("db{kills}")]).run().ok();
    host.expect_clean();
}
