//! Where the output of apps is kept: `--log-driver`, `--log-opt`; and pods of very many apps.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use harness::{FairingCommand, Host, installed_kernel, wait_until};

use crate::stocked::{IDLE, IMAGE, busybox, status, wait_log};

const PATIENCE: Duration = Duration::from_secs(30);

/// A socket at the place of the journal's, for commands that see it there.
struct Journal {
    socket: UnixDatagram,
    place: String,
}

impl Journal {
    fn new(host: &Host) -> Self {
        let directory = host.base().join("journal");
        fs::create_dir(&directory).unwrap();
        let socket = UnixDatagram::bind(directory.join("socket")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            place: directory.display().to_string(),
        }
    }

    /// `fairing` with these words, on a machine that has this journal.
    fn fairing(&self, host: &Host, words: &[&str]) -> FairingCommand {
        let place = &self.place;
        let script = format!(
            "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && \
             mount --bind {place} /run/systemd/journal && exec \"$@\""
        );
        let own = [
            "--mount",
            "--propagation",
            "private",
            "/bin/sh",
            "-c",
            &script,
            "sh",
        ];
        host.fairing(words).through("unshare", own)
    }

    /// The fields of the next entry.
    fn next(&self) -> BTreeMap<String, String> {
        let mut bytes = vec![0; 64 << 10];
        let length = self.socket.recv(&mut bytes).expect("an entry");
        let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
        text.lines()
            .map(|line| line.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

fn words<'a>(flags: &[&'a str], script: &'a str) -> Vec<&'a str> {
    [&["run"], flags, &[IMAGE, "--", "/bin/sh", "-c", script]].concat()
}

#[test]
fn the_journal_gets_each_line_with_the_names_that_it_is_found_by() {
    the_journal_gets_each_line(&[]);
}

#[test]
fn the_journal_gets_each_line_of_an_app_in_a_virtual_machine() {
    let kernel = format!("--kvm-kernel={}", installed_kernel().display());
    the_journal_gets_each_line(&["--stage1=kvm", "--net=none", &kernel]);
}

fn the_journal_gets_each_line(isolator: &[&str]) {
    let host = busybox();
    let journal = Journal::new(&host);
    let flags = [
        "--detach",
        "--name",
        "web",
        "--log-driver",
        "journald",
        "--log-opt",
        "tag=shop",
    ];
    let flags = [isolator, &flags].concat();
    let script = "echo out; echo err >&2; head -c 20000 /dev/zero | tr '\\0' x >&2";
    let pod = journal.fairing(&host, &words(&flags, script)).run().ok();
    let uuid = pod.text();
    let mut entries: Vec<_> = (0..4).map(|_| journal.next()).collect();
    entries.sort_by_key(|entry| entry["FAIRING_STREAM"] != "stdout");
    for entry in &entries {
        for (name, value) in [
            ("SYSLOG_IDENTIFIER", "shop"),
            ("CONTAINER_TAG", "shop"),
            ("CONTAINER_NAME", "web"),
            ("CONTAINER_ID", uuid.split('-').next().unwrap()),
            ("CONTAINER_ID_FULL", uuid),
            ("IMAGE_NAME", IMAGE),
            ("FAIRING_POD", uuid),
            ("FAIRING_APP", "busybox"),
        ] {
            assert_eq!(entry[name], value, "{name}");
        }
    }
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| {
            let is_part = entry.contains_key("CONTAINER_PARTIAL_MESSAGE");
            (entry["PRIORITY"].as_str(), entry["MESSAGE"].len(), is_part)
        })
        .collect();
    let rest = 20_000 - (16 << 10);
    assert_eq!(
        shown,
        [
            ("6", 3, false),
            ("3", 3, false),
            ("3", 16 << 10, true),
            ("3", rest, false)
        ]
    );
    host.fairing(["status", "--wait", "web"])
        .run()
        .expect_code(0);
    let advice = format!("`journalctl FAIRING_POD={uuid}` shows it");
    host.fairing(["logs", "web"])
        .run()
        .expect_error(125, &["no log files", &advice]);
    assert!(
        !host
            .data_dir()
            .join(format!("pods/run/{uuid}/apps/busybox/log"))
            .exists()
    );
}

#[test]
fn a_pod_in_the_foreground_is_seen_and_in_the_journal_and_in_a_file_if_that_is_asked_for() {
    let host = busybox();
    let journal = Journal::new(&host);
    let flags = ["--rm", "--pod-log-driver=journald"];
    let run = journal
        .fairing(&host, &words(&flags, "echo both"))
        .run()
        .ok();
    assert_eq!(run.stdout, "both\n");
    assert_eq!(journal.next()["MESSAGE"], "both");
    let flags = ["--name", "kept", "--log-driver=json-file"];
    let run = host
        .fairing(words(&flags, "echo both; echo two"))
        .run()
        .ok();
    assert_eq!(run.stdout, "both\ntwo\n");
    let logs = host.fairing(["logs", "kept"]).run().ok();
    assert_eq!(logs.stdout, "both\ntwo\n");
}

#[test]
fn the_configured_driver_is_that_of_apps_that_ask_for_none() {
    let host = busybox();
    let journal = Journal::new(&host);
    host.write("etc/config.toml", "[apps]\nlog-driver = \"journald\"\n");
    journal
        .fairing(&host, &words(&["--rm"], "echo usual"))
        .run()
        .ok();
    assert_eq!(journal.next()["MESSAGE"], "usual");
    let flags = ["--detach", "--name", "own", "--log-driver=k8s-file"];
    journal
        .fairing(&host, &words(&flags, "echo own"))
        .run()
        .ok();
    wait_log(&host, "own", "own");
}

#[test]
fn without_a_journal_a_pod_runs_all_the_same_and_is_told_what_is_missing() {
    let host = busybox();
    let journal = Journal::new(&host);
    fs::remove_file(host.base().join("journal/socket")).unwrap();
    let flags = ["--rm", "--log-driver=journald"];
    let script = "echo one; echo two; exit 3";
    let run = journal.fairing(&host, &words(&flags, script)).run();
    let run = run.expect_code(3);
    assert_eq!(run.stdout, "one\ntwo\n");
    assert!(run.stderr.contains("there is no journal yet"), "{run}");
    let lacks = "the log of app busybox lacks 2 lines: the journal is not at ";
    assert!(run.stderr.contains(lacks), "{run}");
}

#[test]
fn a_journal_that_nobody_reads_does_not_hold_an_app_up_for_long() {
    let host = busybox();
    let journal = Journal::new(&host);
    let flags = ["--detach", "--name", "loud", "--log-driver=journald"];
    let script = "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i + 1)); done";
    journal.fairing(&host, &words(&flags, script)).run().ok();
    host.fairing(["status", "--wait", "loud"])
        .limit(PATIENCE)
        .run()
        .expect_code(0);
    assert_eq!(journal.next()["MESSAGE"], "0");
}

#[test]
fn what_is_kept_nowhere_can_still_be_attached_to() {
    let host = busybox();
    let flags = ["--detach", "--name", "quiet", "--log-driver", "none"];
    let script = "while [ ! -e /tmp/go ]; do echo tick; usleep 20000; done; exit 7";
    host.fairing(words(&flags, script)).run().ok();
    let client = host.fairing(["attach", "quiet"]).spawn();
    client.wait_stdout("tick\n");
    host.fairing(["logs", "quiet"])
        .run()
        .expect_error(125, &["no logs", "--log-driver=none"]);
    host.fairing(["enter", "quiet", "--", "/bin/touch", "/tmp/go"])
        .run()
        .ok();
    client.wait().expect_code(7);
}

#[test]
fn a_log_begins_anew_at_the_size_that_is_asked_for() {
    let host = busybox();
    let flags = ["--detach", "--name", "small", "--log-opt", "max-size=256k"];
    let pod = host
        .fairing(words(&flags, "yes | head -c 200000"))
        .run()
        .ok();
    host.fairing(["status", "--wait", "small"])
        .run()
        .expect_code(0);
    let app = host
        .data_dir()
        .join(format!("pods/run/{}/apps/busybox", pod.text()));
    for name in ["log", "log.1"] {
        let size = fs::metadata(app.join(name)).unwrap().len();
        assert!(size <= 256 << 10, "{name}: {size}");
    }
}

#[test]
fn a_hundred_apps_start_run_and_end_under_the_usual_limit_of_open_files() {
    const APPS: usize = 100;
    let host = busybox();
    let names: Vec<_> = (0..APPS)
        .map(|number| format!("--app-name=a{number}"))
        .collect();
    let mut words = vec![
        "run",
        "--detach",
        "--name",
        "many",
        "--lifetime=until-stopped",
    ];
    for (number, name) in names.iter().enumerate() {
        if number > 0 {
            words.push("---");
        }
        let script = match number % 2 {
            0 => "ulimit -Sn",
            _ => IDLE,
        };
        words.extend([IMAGE, name, "--", "/bin/sh", "-c", script]);
    }
    host.fairing(&words)
        .through("/bin/sh", ["-c", "ulimit -Sn 1024 && exec \"$@\"", "sh"])
        .run()
        .ok();
    let logs = wait_until("the ends of half of them", PATIENCE, || {
        let logs = host.fairing(["logs", "many"]).run().ok();
        (logs.stdout.lines().count() == APPS / 2).then_some(logs)
    });
    // Apps have the limit of who has started the pod.
    assert!(
        logs.stdout.lines().all(|line| line.ends_with(": 1024")),
        "{logs}"
    );
    let limit = host
        .fairing([
            "enter",
            "--app=a1",
            "many",
            "--",
            "/bin/sh",
            "-c",
            "ulimit -Sn",
        ])
        .run()
        .ok();
    assert_eq!(limit.text(), "1024");
    let apps = status(&host, "many")["apps"].clone();
    assert_eq!(apps.as_array().unwrap().len(), APPS);
    host.fairing(["stop", "--force", "many"])
        .limit(PATIENCE)
        .run()
        .ok();
    host.fairing(["rm", "many"]).limit(PATIENCE).run().ok();
}
