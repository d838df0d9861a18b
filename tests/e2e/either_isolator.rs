//! What a user does with a running pod, in one table for the isolators that keep a pod apart from the host: the same words
//! come to the same. What one can't do stands in its list of features and nowhere else.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use harness::{FairingCommand, Host, dist_dir, installed_kernel, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::stocked::{IMAGE, busybox, status, wait_log};

/// A translated machine takes its time where others work beside it.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) const ISOLATORS: [&str; 2] = ["nspawn", "kvm"];

/// Tells of its start, of SIGUSR1 and of its end, and has more to say than a pipe takes before that.
const SCRIPT: &str = "trap 'echo caught' USR1; \
     trap 'yes line | head -n 20000; echo bye; exit 4' TERM; \
     echo up; echo oops >&2; touch /up; while :; do usleep 20000; done";

/// What a user types, and what comes of it.
struct Row {
    /// Behind `fairing`. `@` is the directory of the test's own files.
    words: &'static [&'static str],
    stdin: &'static str,
    code: i32,
    comes: Comes,
    /// The feature that it takes.
    takes: Option<&'static str>,
}

/// What is to be seen.
enum Comes {
    /// This on standard output and nothing else.
    Out(&'static str),
    /// This among other things on standard output.
    Within(&'static str),
    /// This among other things in the log, soon.
    Log(&'static str),
    /// An error with this in it.
    Error(&'static str),
}

use Comes::{Error, Log, Out, Within};

const fn row(words: &'static [&'static str], comes: Comes) -> Row {
    Row {
        words,
        stdin: "",
        code: 0,
        comes,
        takes: None,
    }
}

const fn fails(words: &'static [&'static str], code: i32, why: &'static str) -> Row {
    Row {
        code,
        ..row(words, Error(why))
    }
}

const fn taking(feature: &'static str, row: Row) -> Row {
    Row {
        takes: Some(feature),
        ..row
    }
}

/// Waits until the app has told of its start, and forgets that.
const AWAIT: &[&str] = &[
    "enter",
    "box",
    "--",
    "/bin/sh",
    "-c",
    "until [ -e /up ]; do usleep 20000; done; rm /up",
];

/// In this order, in one pod: it is called `box` and has the app `app`.
const TABLE: &[Row] = &[
    row(AWAIT, Out("")),
    Row {
        code: 3,
        stdin: "typed\n",
        ..taking(
            "exec",
            row(
                &["enter", "-i", "box", "--", "/bin/sh", "-c", "cat; exit 3"],
                Out("typed\n"),
            ),
        )
    },
    row(&["enter", "box", "--", "/bin/hostname"], Out("box\n")),
    row(
        &["enter", "--user=7:8", "box", "--", "/bin/id", "-u"],
        Out("7\n"),
    ),
    row(
        &[
            "enter",
            "--workdir=/tmp",
            "--env=A=b",
            "box",
            "--",
            "/bin/sh",
            "-c",
            "pwd; echo $A",
        ],
        Out("/tmp\nb\n"),
    ),
    fails(&["enter", "box", "--", "/no/such"], 127, "/no/such"),
    fails(&["enter", "box", "--", "/etc"], 126, "/etc"),
    fails(
        &["enter", "--app=other", "box", "--", "/bin/true"],
        121,
        "other",
    ),
    row(&["logs", "box"], Within("up\n")),
    row(&["kill", "--signal=USR1", "box"], Log("caught")),
    row(&["cp", "@/file", "box:/root/file"], Out("")),
    row(
        &["enter", "box", "--", "/bin/cat", "/root/file"],
        Out("copied"),
    ),
    row(&["cp", "box:/root/file", "@/back"], Out("")),
    fails(&["cp", "box:/no/such", "@/back"], 125, "/no/such"),
    row(&["diff", "box"], Within("A /root/file\n")),
    row(&["top", "box"], Within("/bin/sh -c")),
    row(&["port", "box"], Out("")),
    row(&["rename", "box", "crate"], Out("")),
    fails(&["status", "box"], 121, "box"),
    row(&["rename", "crate", "box"], Out("")),
    taking(
        "stats",
        row(
            &[
                "stats",
                "--no-stream",
                "--interval=200ms",
                "--format={{.Name}} {{.PIDs}}",
                "box",
            ],
            Within("box "),
        ),
    ),
    taking(
        "update",
        row(
            &["update", "--memory=64m", "--pids-limit=40", "box"],
            Within("box"),
        ),
    ),
    row(
        &["status", "--format={{(index .apps 0).memory_limit}}", "box"],
        Within(""),
    ),
    taking(
        "update",
        fails(&["update", "--memory=4096", "box"], 125, "4096"),
    ),
    taking("pause", row(&["pause", "box"], Out("box\n"))),
    taking("pause", row(&["list"], Within("paused"))),
    taking(
        "pause",
        fails(&["enter", "box", "--", "/bin/true"], 125, "is paused"),
    ),
    taking("pause", row(&["resume", "box"], Out("box\n"))),
    taking("mutable", row(&["app", "stop", "box", "app"], Log("bye"))),
    taking("mutable", row(&["app", "start", "box", "app"], Within(""))),
    taking("mutable", row(AWAIT, Out(""))),
    taking("mutable", row(&["restart", "box"], Out("box\n"))),
    taking("mutable", row(AWAIT, Out(""))),
    taking(
        "mutable",
        row(
            &["app", "list", "box", "--format={{.state}}"],
            Out("running\n"),
        ),
    ),
];

fn features(isolator: &str) -> BTreeSet<String> {
    let path = dist_dir().join(format!("lib/fairing/stage1/{isolator}/stage1.json"));
    let manifest: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let all = manifest["features"].as_array().unwrap();
    all.iter()
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}

/// `fairing run` in this isolator.
pub(crate) fn run(host: &Host, isolator: &str) -> FairingCommand {
    let kernel = format!("--kvm-kernel={}", installed_kernel().display());
    let kernel = (isolator == "kvm").then_some(kernel);
    let users = ["--userns=host", "--net=none"];
    host.fairing(["run", "--stage1", isolator])
        .args(kernel)
        .args(users)
        .limit(LIMIT)
}

impl Row {
    /// What is wrong with what comes of it.
    fn check(&self, host: &Host, isolator: &str, offered: &BTreeSet<String>) -> Option<String> {
        let folder = host.base().display().to_string();
        let words = self.words.iter().map(|word| word.replace('@', &folder));
        let output = host.fairing(words).stdin(self.stdin).limit(LIMIT).run();
        if let Some(lacking) = self.takes.filter(|word| !offered.contains(*word)) {
            let is_refused = output.code == Some(125)
                && output.stderr.contains(&format!("`{lacking}`"))
                && output.stderr.contains(&format!("isolator `{isolator}`"));
            return (!is_refused).then(|| format!("{isolator}, which lacks {lacking}: {output}"));
        }
        let is_right = match self.comes {
            Out(text) => output.stdout == text,
            Within(text) => output.stdout.contains(text),
            Log(text) => {
                wait_log(host, "box", text);
                true
            }
            Error(text) => output.stderr.contains(text),
        };
        let is_right = is_right && output.code == Some(self.code);
        (!is_right).then(|| format!("{isolator}: {output}"))
    }
}

#[test]
fn what_a_user_does_with_a_pod_comes_to_the_same_in_either_isolator() {
    for isolator in ISOLATORS {
        let host = busybox();
        let offered = features(isolator);
        host.write("file", "copied");
        let stays = offered
            .contains("mutable")
            .then_some("--lifetime=until-stopped");
        run(&host, isolator)
            .args(stays)
            .args(["--detach", "--name=box", IMAGE, "--app-name=app", "--"])
            .args(["/bin/sh", "-c", SCRIPT])
            .run()
            .ok();
        wait_log(&host, "box", "up");
        wait_log(&host, "box", "oops");
        let wrong: Vec<String> = TABLE
            .iter()
            .filter_map(|row| row.check(&host, isolator, &offered))
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));

        // The end, as those see it who are there.
        let attached = host.fairing(["attach", "box"]).limit(LIMIT).spawn();
        // What is written before it is there it does not see.
        wait_until("the client is there", LIMIT, || {
            host.fairing(["kill", "--signal=USR1", "box"]).run().ok();
            attached.stdout().contains("caught\n").then_some(())
        });
        let waits = host.fairing(["wait", "box"]).limit(LIMIT).spawn();
        host.fairing(["stop", "box"]).limit(LIMIT).run().ok();
        let seen = attached.wait().expect_code(4);
        assert!(seen.stdout.ends_with("line\nbye\n"), "{isolator}: {seen}");
        let lines = seen.stdout.matches("line\n").count();
        assert_eq!(lines, 20_000, "{isolator}");
        let code = if stays.is_some() { "0\n" } else { "4\n" };
        assert_eq!(waits.wait().stdout, code, "{isolator}");
        let ended = status(&host, "box");
        assert_eq!(ended["apps"][0]["exit-code"], 4, "{isolator}");
        let logs = host.fairing(["logs", "box"]).run().ok();
        assert!(logs.stdout.ends_with("line\nbye\n"), "{isolator}");
        for words in [["stop", "box"], ["pause", "box"]] {
            let refused = host.fairing(words).run();
            assert!(
                refused.stderr.contains("has ended") || refused.code == Some(0),
                "{refused}"
            );
        }
        host.fairing(["rm", "box"]).run().ok();
        host.expect_clean();
    }
}

#[test]
fn a_pod_that_stop_had_to_kill_is_recorded_as_that_in_either_isolator() {
    for isolator in ISOLATORS {
        let host = busybox();
        run(&host, isolator)
            .args(["--detach", "--name=box", IMAGE, "--", "/bin/sh", "-c"])
            .arg("echo up; while :; do usleep 20000; done")
            .run()
            .ok();
        wait_log(&host, "box", "up");
        let before = status(&host, "box");
        // Who would end the apps can't.
        let init = i32::try_from(before["init-pid"].as_i64().unwrap()).unwrap();
        let init = Pid::from_raw(init).unwrap();
        kill_process(init, Signal::STOP).unwrap();
        host.fairing(["stop", "--time=1", "box"]).limit(LIMIT).run();
        let ended = wait_until("it has ended", LIMIT, || {
            let status = status(&host, "box");
            (status["state"] == "exited").then_some(status)
        });
        assert_eq!(ended["exit-code"], 137, "{isolator}");
        assert_eq!(ended["apps"][0]["exit-code"], 137, "{isolator}");
        let failure = ended["failure"].as_str().unwrap();
        for part in ["was killed", "grace period", "told to stop"] {
            assert!(failure.contains(part), "{isolator}: {failure}");
        }
        host.fairing(["rm", "box"]).run().ok();
        host.expect_clean();
    }
}
