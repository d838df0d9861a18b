//! Apps that write to harm who has to read it: the pod's monitor.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::{Host, eventually, wait_until};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::network_lab::Lab;
use crate::stocked::{IDLE, IMAGE, busybox, detached, status, wait_log};

/// How long is waited on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an answer may take of a monitor that is not held up.
const PROMPT: Duration = Duration::from_secs(5);
/// A log's size when it is rotated.
const LOG_MAX: u64 = 16 << 20;

/// What a process has used of processors and written, from /proc.
struct Spent {
    cpu: Duration,
    written: u64,
    reads: u64,
}

impl Spent {
    fn by(pid: u64) -> Self {
        let text = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
        let stat = text("stat");
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks: u64 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().unwrap())
            .sum();
        let io = text("io");
        let number = |name: &str| {
            let mut lines = io.lines();
            let number = lines.find_map(|line| line.strip_prefix(name)).unwrap();
            number.parse().unwrap()
        };
        Self {
            cpu: Duration::from_millis(ticks * 10),
            written: number("wchar: "),
            reads: number("syscr: "),
        }
    }
}

fn monitor_of(host: &Host, pod: &str) -> u64 {
    status(host, pod)["monitor-pid"].as_u64().unwrap()
}

fn log_of(host: &Host, pod: &str, name: &str) -> PathBuf {
    let apps = host.data_dir().join("pods/run").join(pod).join("apps");
    let app = fs::read_dir(apps).unwrap().next().unwrap().unwrap();
    app.path().join(name)
}

#[test]
fn a_flood_of_line_feeds_costs_a_bounded_share_of_a_core_and_of_the_disk() {
    const MORE: u64 = 24 << 20;
    let host = busybox();
    let pod = detached(&host, &[], "exec yes ''");
    let monitor = monitor_of(&host, &pod);
    // What may be written at once is used up then.
    let rotated = log_of(&host, &pod, "log.1");
    wait_until("a full log", PATIENCE, || rotated.exists().then_some(()));
    let (before, begun) = (Spent::by(monitor), Instant::now());
    let after = wait_until("more of the log", PATIENCE, || {
        let now = Spent::by(monitor);
        (now.written > before.written + MORE).then_some(now)
    });
    let elapsed = begun.elapsed();
    assert!(
        elapsed > Duration::from_secs(2),
        "{MORE} bytes in {elapsed:?}"
    );
    let cpu = after.cpu - before.cpu;
    assert!(cpu < elapsed / 4, "{cpu:?} of {elapsed:?}");
    host.fairing(["stop", "--force", &pod])
        .limit(PROMPT)
        .run()
        .ok();
}

#[test]
fn who_writes_byte_by_byte_is_not_read_byte_by_byte() {
    // More than a few thousand reads.
    const BYTES: usize = 1_000_000;
    // What fills up while the machine leaves the monitor no time is read at once later on.
    const SAVED_UP: Duration = Duration::from_secs(2);
    let host = busybox();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let script = "exec dd if=/dev/zero bs=1 2> /dev/null";
    let running = host
        .fairing([
            "run", "--name", "drip", IMAGE, "--", "/bin/sh", "-c", script,
        ])
        .stdout_file(OwnedFd::from(writer))
        .spawn();
    let mut bytes = vec![0; BYTES];
    reader.read_exact(&mut bytes).unwrap();
    let monitor = u64::from(running.pid());
    let (before, begun) = (Spent::by(monitor), Instant::now());
    while begun.elapsed() < Duration::from_secs(3) {
        assert_ne!(reader.read(&mut bytes).unwrap(), 0);
    }
    let elapsed = begun.elapsed();
    let after = Spent::by(monitor);
    let cpu = after.cpu - before.cpu;
    assert!(cpu < elapsed / 4, "{cpu:?} of {elapsed:?}");
    let reads = after.reads - before.reads;
    assert!(
        2 * u128::from(reads) < 3 * (elapsed + SAVED_UP).as_millis(),
        "{reads} in {elapsed:?}"
    );
    host.fairing(["stop", "--force", "drip"])
        .limit(PROMPT)
        .run()
        .ok();
    running.wait_for(PROMPT).expect_code(137);
}

#[test]
fn all_that_an_app_writes_within_a_flood_is_logged_in_order() {
    let host = busybox();
    let pod = detached(&host, &[], "seq 400000; echo end; exec sleep 1000");
    wait_log(&host, &pod, "end\n");
    let output = host.fairing(["logs", "--tail", "1000", &pod]).run().ok();
    let numbers: String = (399_002..=400_000).map(|n| format!("{n}\n")).collect();
    assert!(output.stdout == numbers + "end\n", "{output}");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn what_the_monitor_has_to_say_to_nobody_holds_up_nothing() {
    let lab = Lab::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    // More than a pipe holds.
    let script = format!("head -c 100000 /dev/zero >&2; {IDLE}");
    let a = lab.host.fairing(["run", "--name=a", IMAGE, "--"]);
    let a = a
        .args(["/bin/sh", "-c", &script])
        .stderr_file(OwnedFd::from(writer))
        .spawn();
    let started = eventually(PATIENCE, || {
        let enter = lab.host.fairing(["enter", "a", "--", "/bin/true"]).run();
        (enter.code == Some(0)).then_some(())
    });
    assert!(started.is_some());
    lab.within("a", "truncate -s 2M /etc/hosts");
    let b = lab
        .host
        .fairing(["run", "--detach", "--name=b", IMAGE, "--"]);
    b.args(["/bin/sh", "-c", IDLE]).run().ok();
    let ask = |words: &[&str]| lab.host.fairing(words).limit(PROMPT).run().ok();
    for _ in 0..10 {
        ask(&["status", "a"]);
        ask(&["enter", "a", "--", "/bin/true"]);
    }
    // Whoever reads at last hears of what is missing.
    let flags = fcntl_getfl(&reader).unwrap();
    fcntl_setfl(&reader, flags | OFlags::NONBLOCK).unwrap();
    let mut text = Vec::new();
    let told = eventually(PATIENCE, || {
        // There is nothing to read now.
        let _ = reader.read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text);
        text.contains("fairing: 1 message is missing here")
            .then_some(())
    });
    assert!(told.is_some(), "{} bytes came", text.len());
    ask(&["stop", "--force", "a", "b"]);
    a.wait_for(PROMPT).expect_code(137);
}

#[test]
fn a_standard_error_that_nobody_reads_does_not_keep_a_pod_from_ending() {
    let host = busybox();
    let (_reader, writer) = std::io::pipe().unwrap();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let script = "sleep 1; echo lost";
    let running = host
        .fairing([
            "run", "--name", "mute", IMAGE, "--", "/bin/sh", "-c", script,
        ])
        .stdout_file(full)
        .stderr_file(OwnedFd::from(writer.try_clone().unwrap()))
        .spawn();
    wait_until("the app", PATIENCE, || {
        (!host.processes_named("sleep").is_empty()).then_some(())
    });
    // The monitor's own last words are that output is lost. What it has of the pipe blocks.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let mut writer = fs::File::options()
        .write(true)
        .custom_flags(flags)
        .open(format!("/proc/self/fd/{}", writer.as_raw_fd()))
        .unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    running.wait_for(PROMPT * 2).expect_code(117);
    assert_eq!(status(&host, "mute")["exit-code"], 117);
}

/// A host whose data directory has so little room.
fn small(options: &str) -> Host {
    let host = Host::builder().data_size(options).build();
    host.accept_unsigned();
    crate::stocked::import(&host, &harness::ImageBuilder::busybox().build(), IMAGE);
    host
}

#[test]
fn lines_that_a_full_disk_costs_are_counted_in_the_log() {
    // More than a pipe holds: some of it is read before there is room again.
    const LINES: usize = 30_000;
    let host = small("24M");
    let script = format!(
        "echo before; dd if=/dev/zero of=/fill bs=64k 2> /dev/null; seq {LINES}; rm /fill; \
         usleep 200000; echo after; {IDLE}"
    );
    let pod = detached(&host, &[], &script);
    wait_log(&host, &pod, "after\n");
    let output = host.fairing(["logs", &pod]).run().ok();
    let told = "lines are missing here: No space left on device";
    let line = output.stderr.lines().find(|line| line.contains(told));
    let line = line.unwrap_or_else(|| panic!("{output}"));
    let lost: usize = line.split(' ').nth(1).unwrap().parse().unwrap();
    let kept = output.stdout.lines().count();
    assert_eq!(lost + kept, LINES + 2, "{line}");
    let numbers = output
        .stdout
        .lines()
        .filter(|line| line.parse::<u32>().is_ok());
    assert_eq!(numbers.count(), kept - 2, "no line is torn");
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn an_app_that_uses_up_all_names_while_its_log_rotates_is_logged_all_the_same() {
    let host = small("120M,nr_inodes=2000");
    // More than a log holds, before any name is free again.
    let script = format!(
        "n=0; while touch /name.$n; do n=$((n + 1)); done 2> /dev/null; \
         head -c 20000000 /dev/zero | tr '\\0' x | fold -w 1000; echo; \
         rm /name.1?; yes marked | head -n 20000; echo end >&2; {IDLE}"
    );
    let pod = detached(&host, &[], &script);
    wait_log(&host, &pod, "end\n");
    // One read at most met a log that was still full. The other stream may have been read before.
    let output = wait_until("the log of the lines", Duration::from_secs(10), || {
        let output = host.fairing(["logs", &pod]).run().ok();
        let marked = output.stdout.lines().filter(|line| *line == "marked");
        (marked.count() > 15_000).then_some(output)
    });
    assert!(output.stderr.contains("lines are missing here"));
    let size = |name: &str| fs::metadata(log_of(&host, &pod, name)).map_or(0, |file| file.len());
    assert!(size("log") <= LOG_MAX && size("log.1") <= LOG_MAX);
    host.fairing(["stop", "--force", &pod]).run().ok();
}

#[test]
fn a_log_is_as_large_and_as_fast_as_the_configuration_says() {
    const RATE: u64 = 1 << 20;
    let host = busybox();
    let config = "[apps]\nmax-log-size = \"2M\"\nmax-log-rate = \"1M\"\n";
    fs::write(host.local_config().join("config.toml"), config).unwrap();
    let pod = detached(&host, &[], "exec yes ''");
    let monitor = monitor_of(&host, &pod);
    let rotated = log_of(&host, &pod, "log.1");
    wait_until("a full log", PATIENCE, || rotated.exists().then_some(()));
    let (before, begun) = (Spent::by(monitor), Instant::now());
    let after = wait_until("more of the log", PATIENCE, || {
        let now = Spent::by(monitor);
        (now.written > before.written + 6 * RATE).then_some(now)
    });
    let seconds = begun.elapsed().as_secs();
    // What may be written at once may not be used up at the beginning.
    assert!(
        after.written - before.written < (seconds + 5) * RATE,
        "{seconds} s"
    );
    let size = |name: &str| fs::metadata(log_of(&host, &pod, name)).map_or(0, |file| file.len());
    assert!(size("log") <= 2 << 20 && size("log.1") <= 2 << 20);
    host.fairing(["stop", "--force", &pod]).run().ok();
}
