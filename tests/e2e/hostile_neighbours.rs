//! Five pods that do all that is known to harm others, beside one that serves requests.
//!
//! `make soak` plays it for a minute, other runs for a tenth of that.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::{Computer, ControlClient, Host, ImageBuilder, eventually, wait_until};
use serde_json::json;

use crate::network_lab::Lab;
use crate::stocked::{IMAGE, status};

/// How long the attacks are played, without the variable that says so.
const USUAL: Duration = Duration::from_secs(6);
/// How long what an operator asks for may take beside them.
const PROMPT: Duration = Duration::from_secs(20);
const REQUEST: &[u8] = b"GET /cgi-bin/page HTTP/1.0\r\n\r\n";
/// Serves a page that takes some milliseconds to make: longer than the scheduler lets one that is to run wait for one
/// that runs, which is not what is measured here.
const SERVER: &str = "mkdir -p /www/cgi-bin; head -c 200000 /dev/zero > /page; \
    printf '#!/bin/sh\necho; sha256sum < /page; hostname\n' > /www/cgi-bin/page; \
    chmod 755 /www/cgi-bin/page; exec httpd -f -p 80 -h /www";
/// Requests whose slowest hundredth is looked at together.
const WINDOW: usize = 100;

/// A pod that harms others, as far as its limits let it. The rows are those of the audit's table.
struct Attacker {
    name: &'static str,
    /// Global flags: what is given up.
    insecure: &'static [&'static str],
    script: &'static str,
}

const ATTACKERS: [Attacker; 5] = [
    // 1, 2, 12: pod init's processes, priority, limits.
    Attacker {
        name: "usurper",
        insecure: &[],
        script: "while :; do (sh -c 'kill -34 $$' &); /probe hold-on-init > /dev/null; \
            echo 19 > /proc/1/autogroup; kill -9 1; kill -STOP 1; done 2> /dev/null",
    },
    // 3, 4, 10, 15: what the monitor reads and says; keys.
    Attacker {
        name: "flood",
        insecure: &["--insecure-options=seccomp"],
        script: "yes '' & yes 2>&1 >&2 & dd if=/dev/zero bs=1 2> /dev/null & \
            while :; do truncate -s 2M /etc/hosts; /probe callers-key; truncate -s 0 /etc/hosts; done",
    },
    // 5, 6: whoever is about to become a command.
    Attacker {
        name: "hunter",
        insecure: &[],
        script: "/probe hunt 1000 & mine=\" $! $$ \"; while :; do for p in /proc/[0-9]*; do p=${p#/proc/}; \
            case \"$mine\" in *\" $p \"*) ;; *) kill -STOP $p; kill -KILL $p;; esac; done; done 2> /dev/null",
    },
    // 7, 15: processes without number or end.
    Attacker {
        name: "bomber",
        insecure: &[],
        script: "exec /probe bomb",
    },
    // 9, 11, 13, 14: terminals, memory, the disk and its names.
    Attacker {
        name: "miser",
        insecure: &[],
        script: "while :; do /probe terminals 1000; mkdir -p /many; \
            for at in /dev /dev/shm /many; do i=0; \
            while [ $i -lt 3000 ] && (: > $at/f$i); do i=$((i + 1)); done; done; \
            dd if=/dev/zero of=/fill bs=64k; echo full; rm -f /fill /dev/f* /dev/shm/f*; done 2> /dev/null",
    },
];

/// How long the attacks are played.
fn time() -> Duration {
    let said = std::env::var("FAIRING_SOAK_SECONDS");
    said.map_or(USUAL, |text| Duration::from_secs(text.parse().unwrap()))
}

/// How long each request took of those that one client made within this time, one after the other.
fn ask(client: &Computer, address: &str, time: Duration) -> Vec<Duration> {
    let end = Instant::now() + time;
    client.within(|| {
        let mut taken = Vec::new();
        while Instant::now() < end {
            let begun = Instant::now();
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PROMPT)).unwrap();
            stream.write_all(REQUEST).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            taken.push(begun.elapsed());
            assert!(answer.ends_with("innocent\n"), "{answer}");
        }
        taken
    })
}

/// The 99th percentile: that of each window, and of these the one in the middle. So what else the machine does once in
/// a while does not count, and what goes on all the time does.
fn slowest_hundredth(taken: &[Duration]) -> Duration {
    let mut windows: Vec<Duration> = taken
        .chunks_exact(WINDOW)
        .map(|window| {
            let mut window = window.to_vec();
            window.sort();
            window[WINDOW * 99 / 100 - 1]
        })
        .collect();
    windows.sort();
    windows[windows.len() / 2]
}

fn terminals() -> u32 {
    let text = fs::read_to_string("/proc/sys/kernel/pty/nr").unwrap();
    text.trim().parse().unwrap()
}

/// What an operator does meanwhile: each command is answered, also by a pod whose apps are against it.
fn operate(host: &Host, pods: &[String], innocent: &str, clients: &mut Vec<ControlClient>) {
    let answer = |words: &[&str]| host.fairing(words).limit(PROMPT).run();
    answer(&["enter", innocent, "--", "/bin/true"]).ok();
    answer(&["list"]).ok();
    for pod in pods {
        answer(&["status", pod]).ok();
        // Row 10. It may be killed in there, but it comes back.
        let left = "yes 2> /dev/null & exit 0";
        answer(&["enter", pod, "--", "/bin/sh", "-c", left]);
    }
    // Row 8: clients that only take up places.
    clients.clear();
    for pod in pods {
        for _ in 0..70 {
            let client = ControlClient::connect(host, pod);
            client.send(&json!({ "type": "wait" }));
            clients.push(client);
        }
    }
}

#[test]
fn a_pod_among_hostile_ones_answers_nearly_as_fast_as_alone() {
    let lab = Lab::with_data_size(ImageBuilder::probe(), "64m");
    let host = &lab.host;
    let terminals_before = terminals();
    let run = host.fairing(["run", "--detach", "--name=innocent", IMAGE]);
    let run = run.args(["--", "/bin/sh", "-c", SERVER]).run().ok();
    let innocent = run.text().to_owned();
    let address = format!("{}:80", lab.address("innocent", true));
    wait_until("the server", PROMPT, || {
        lab.machine.connect(&address).ok().map(drop)
    });
    // What is alone is measured before and after.
    let mut by_itself = ask(&lab.machine, &address, time() / 4);

    let pods: Vec<String> = ATTACKERS
        .iter()
        .map(|attacker| {
            let run = host.fairing(attacker.insecure).args(["run", "--detach"]);
            let run = run.args(["--name", attacker.name, IMAGE]);
            // What is limited can't be had, so that this is about fairing and not about the scheduler.
            let run = run.args([
                "--cpus=0.1",
                "--cpu-shares=2",
                "--memory=96m",
                "--pids-limit=200",
            ]);
            run.args(["--", "/bin/sh", "-c", attacker.script])
                .run()
                .ok()
                .text()
                .to_owned()
        })
        .collect();
    let end = Instant::now() + time();
    let (mut beside, mut clients, mut rounds) = (Vec::new(), Vec::new(), 0);
    while Instant::now() < end {
        // In turns: an operator's commands are not the attackers'.
        beside.extend(ask(&lab.machine, &address, Duration::from_secs(1)));
        operate(host, &pods, &innocent, &mut clients);
        rounds += 1;
    }
    for pod in pods.iter().chain([&innocent]) {
        assert_eq!(status(host, pod)["state"], "running", "{pod}");
    }
    host.fairing(["stop"])
        .args(&pods)
        .args(["--grace-period=1s"])
        .limit(PROMPT)
        .run()
        .ok();
    by_itself.extend(ask(&lab.machine, &address, time() / 4));

    let (alone, beside_them) = (slowest_hundredth(&by_itself), slowest_hundredth(&beside));
    println!(
        "{} requests alone: {alone:?}; {} beside, and {rounds} rounds of commands: {beside_them:?}",
        by_itself.len(),
        beside.len()
    );
    // Some seconds tell whether all was answered; how fast, a minute tells.
    assert!(
        time() == USUAL || beside_them <= 2 * alone,
        "{beside_them:?} beside, {alone:?} alone"
    );
    lab.stop(&["innocent"]);
    host.expect_clean();
    let all = eventually(PROMPT, || (terminals() <= terminals_before).then_some(()));
    assert!(all.is_some(), "{} terminals are left", terminals());
}
