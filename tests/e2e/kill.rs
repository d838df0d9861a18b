//! SIGKILL to whatever of fairing runs, at many moments: nothing of the pod survives, the next `gc`
//! leaves no trace, and other pods are untouched.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::{
    Host, ImageBuilder, Leftovers, Process, Registry, Running, Signal, eventually, processes,
    wait_until,
};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::imported::busybox_host;

/// Two apps, one of which has a child; they end when they are asked to.
const FIRST: &str = "trap 'exit 0' TERM; sleep 1000 & echo ready-one; wait";
const SECOND: &str = "trap 'exit 0' TERM; echo ready-two; sleep 1000 & wait";

const NAME: &str = "victim";

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The process that the user started: stage0 at first, then the monitor.
    First,
    /// Pid 1 of the pod.
    Init,
}

fn start(host: &Host, image: &str) -> Running {
    host.fairing(["run", "--name", NAME, image, "--app-name", "one", "--"])
        .args(["/bin/sh", "-c", FIRST, "---", image, "--app-name", "two"])
        .args(["--", "/bin/sh", "-c", SECOND])
        .spawn()
}

fn wait_ready(pod: &Running) {
    pod.wait_stdout("ready-one");
    pod.wait_stdout("ready-two");
}

/// Both apps run, and the monitor knows: from now on it is a pod that has started.
fn wait_started(host: &Host, pod: &Running) {
    wait_ready(pod);
    wait_until("the pod has started", Duration::from_secs(10), || {
        let status = host.fairing(["status", NAME, "--format", "json"]).run();
        (!status.ok().json()["started"].is_null()).then_some(())
    });
}

/// Lets time pass to the microsecond: a moment in the life of a pod, not an event.
fn at(moment: Instant) {
    while Instant::now() < moment {
        std::hint::spin_loop();
    }
}

/// The first child of a process, once there is one. `None` if the process ends without.
fn first_child(pod: &Running) -> Option<Pid> {
    let path = format!("/proc/{0}/task/{0}/children", pod.pid());
    loop {
        let children = fs::read_to_string(&path).unwrap_or_default();
        if let Some(pid) = children.split_whitespace().next() {
            return Pid::from_raw(pid.parse().unwrap());
        }
        if !pod.is_running() {
            return None;
        }
    }
}

/// A pod that runs through all of it.
struct Bystander {
    pod: Running,
    uuid: String,
    pids: BTreeSet<u32>,
    rounds: u32,
}

impl Bystander {
    fn start(host: &Host, image: &str) -> Self {
        let file = host.base().join("bystander");
        let pod = host
            .fairing(["run", "--name", "bystander", "--uuid-file-save"])
            .arg(&file)
            .args([image, "--interactive", "--", "/bin/cat"])
            .stdin_open()
            .limit(Duration::from_secs(20))
            .spawn();
        let mut bystander = Self {
            pod,
            uuid: String::new(),
            pids: BTreeSet::new(),
            rounds: 0,
        };
        bystander.answers();
        bystander.uuid = fs::read_to_string(file).unwrap().trim().to_owned();
        bystander.pids = pids(host);
        assert!(bystander.pids.len() >= 3, "monitor, pod init and cat");
        bystander
    }

    /// It still does what it does, over its own pipes.
    fn answers(&mut self) {
        self.rounds += 1;
        let line = format!("round {}\n", self.rounds);
        self.pod.write(&line);
        self.pod.wait_stdout(&line);
    }

    fn end(mut self, host: &Host) {
        assert_eq!(
            pids(host),
            self.pids,
            "the bystander's processes are the same"
        );
        self.answers();
        self.pod.close_stdin();
        self.pod.wait().ok();
    }
}

fn pids(host: &Host) -> BTreeSet<u32> {
    host.processes().iter().map(|process| process.pid).collect()
}

/// What is left of all but the bystander.
fn others(leftovers: Leftovers, bystander: &Bystander) -> Vec<String> {
    let own_namespaces: BTreeSet<String> = bystander
        .pids
        .iter()
        .filter_map(|pid| Process::read(*pid)?.namespaces.get("net").cloned())
        .collect();
    let processes = leftovers
        .processes
        .iter()
        .filter(|process| !bystander.pids.contains(&process.pid))
        .map(|process| format!("process {} {}", process.pid, process.command_line));
    let namespaces = leftovers
        .network_namespaces
        .iter()
        .filter(|namespace| !own_namespaces.contains(*namespace))
        .map(|namespace| format!("network namespace {namespace}"));
    let names = leftovers
        .names
        .iter()
        .filter(|name| *name != "bystander")
        .map(|name| format!("name {name}"));
    let rest = leftovers
        .host_mounts
        .iter()
        .chain(&leftovers.other_mounts)
        .chain(&leftovers.pod_folders)
        .chain(&leftovers.run_folders)
        .chain(&leftovers.half_fetched)
        .cloned()
        .chain(
            leftovers
                .cgroups
                .iter()
                .map(|path| path.display().to_string()),
        )
        .filter(|line| !line.contains(&bystander.uuid));
    processes
        .chain(namespaces)
        .chain(names)
        .chain(rest)
        .collect()
}

/// After a kill: nothing survives, and `gc` leaves nothing. `what` says which kill it was.
fn check(host: &Host, bystander: &mut Bystander, namespace: Option<&Namespace>, what: &str) {
    let mut alive = Vec::new();
    eventually(Duration::from_secs(10), || {
        alive = host.processes();
        let now: BTreeSet<u32> = alive.iter().map(|process| process.pid).collect();
        (now == bystander.pids).then_some(())
    });
    let lost: Vec<&u32> = bystander
        .pids
        .iter()
        .filter(|pid| alive.iter().all(|process| process.pid != **pid))
        .collect();
    assert!(lost.is_empty(), "{what}: the bystander lost {lost:?}");
    alive.retain(|process| !bystander.pids.contains(&process.pid));
    assert!(alive.is_empty(), "{what}: these survive:\n{alive:#?}");
    host.collect();
    let mut left = Vec::new();
    eventually(Duration::from_secs(5), || {
        left = others(host.leftovers(), bystander);
        left.is_empty().then_some(())
    });
    assert!(left.is_empty(), "{what}: left after gc:\n{left:#?}");
    if let Some(namespace) = namespace {
        assert_eq!(namespace.holders(), [0; 0], "{what}: {:?}", namespace.name);
    }
    bystander.answers();
}

#[test]
fn sigkill_at_any_moment_leaves_no_trace() {
    let (host, image) = busybox_host();
    let mut bystander = Bystander::start(&host, &image);

    // How long starting and stopping take here, undisturbed.
    let (mut starting, mut stopping) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..3 {
        let begun = Instant::now();
        let pod = start(&host, &image);
        wait_ready(&pod);
        starting = starting.max(begun.elapsed());
        let asked = Instant::now();
        pod.signal(Signal::TERM);
        pod.wait().ok();
        stopping = stopping.max(asked.elapsed());
        check(&host, &mut bystander, None, "an undisturbed pod");
    }

    let mut kills = 0;
    for round in 0..2 {
        for target in [Target::First, Target::Init] {
            for step in 0..24_u32 {
                // Both rounds together cover the time at twice as many points.
                let part = f64::from(step * 2 + round) / 48.0;
                let what = format!("{target:?} killed at {part:.2} of the start");
                kills += u32::from(kill_in_start(
                    &host,
                    &mut bystander,
                    &image,
                    (target, starting.mul_f64(part)),
                    &what,
                ));
            }
            for step in 0..12_u32 {
                let part = f64::from(step * 2 + round) / 24.0;
                let what = format!("{target:?} killed at {part:.2} of the stop");
                let moment = (target, stopping.mul_f64(part));
                kills += u32::from(kill_in_stop(&host, &mut bystander, &image, moment, &what));
            }
            let what = format!("{target:?} killed while the pod ran");
            kills += u32::from(kill_running(&host, &mut bystander, &image, target, &what));
        }
    }
    assert!(kills >= 100, "only {kills} kills came in time");
    bystander.end(&host);
}

/// Sends SIGKILL; `false` if the target had ended before.
fn kill(pod: &Running, init: Option<Pid>, target: Target) -> bool {
    match (target, init) {
        (Target::First, _) => {
            let in_time = pod.is_running();
            pod.signal(Signal::KILL);
            in_time
        }
        (Target::Init, None) => false,
        (Target::Init, Some(pid)) => {
            // Still a child of the monitor's: the number can't be another process's.
            let own = Process::read(pid.as_raw_nonzero().get().cast_unsigned())
                .is_some_and(|process| process.parent == pod.pid() && process.state != 'Z');
            own && pidfd_open(pid, PidfdFlags::empty())
                .and_then(|pidfd| pidfd_send_signal(&pidfd, Signal::KILL))
                .is_ok()
        }
    }
}

fn kill_in_start(
    host: &Host,
    bystander: &mut Bystander,
    image: &str,
    (target, after): (Target, Duration),
    what: &str,
) -> bool {
    let begun = Instant::now();
    let pod = start(host, image);
    let init = match target {
        Target::First => None,
        Target::Init => first_child(&pod),
    };
    // Pod init's part of the start begins when it is there.
    let begun = if target == Target::Init {
        Instant::now()
    } else {
        begun
    };
    at(begun + after);
    let in_time = kill(&pod, init, target);
    if in_time {
        let output = pod.wait();
        assert_ne!(output.code, Some(0), "{what}: not said\n{output}");
    } else {
        pod.kill();
    }
    check(host, bystander, None, what);
    in_time
}

/// A pod's network namespace. As long as this holds it, its number stands for no other.
struct Namespace {
    _held: File,
    name: PathBuf,
}

impl Namespace {
    fn of(init: Option<Pid>) -> Self {
        let pid = init.expect("pod init").as_raw_nonzero();
        let path = format!("/proc/{pid}/ns/net");
        let held = File::open(&path).expect("the pod's network namespace");
        let name = fs::read_link(format!("/proc/self/fd/{}", held.as_raw_fd())).unwrap();
        Self { _held: held, name }
    }

    /// The processes that live in it or hold a descriptor of it, but for this one.
    fn holders(&self) -> Vec<u32> {
        let own = std::process::id();
        let holds = |process: &Process| {
            let descriptors = fs::read_dir(format!("/proc/{}/fd", process.pid));
            process.namespaces.get("net").map(Path::new) == Some(&self.name)
                || descriptors
                    .into_iter()
                    .flatten()
                    .flatten()
                    .any(|entry| fs::read_link(entry.path()).is_ok_and(|to| to == self.name))
        };
        let all = processes().into_iter().filter(|process| process.pid != own);
        all.filter(holds).map(|process| process.pid).collect()
    }
}

fn kill_in_stop(
    host: &Host,
    bystander: &mut Bystander,
    image: &str,
    (target, after): (Target, Duration),
    what: &str,
) -> bool {
    let pod = start(host, image);
    wait_ready(&pod);
    let init = first_child(&pod);
    let namespace = Namespace::of(init);
    pod.signal(Signal::TERM);
    at(Instant::now() + after);
    let in_time = kill(&pod, init, target);
    pod.wait();
    check(host, bystander, Some(&namespace), what);
    in_time
}

fn kill_running(
    host: &Host,
    bystander: &mut Bystander,
    image: &str,
    target: Target,
    what: &str,
) -> bool {
    let pod = start(host, image);
    wait_started(host, &pod);
    let init = first_child(&pod);
    let namespace = Namespace::of(init);
    let in_time = kill(&pod, init, target);
    assert!(in_time, "{what}");
    let output = pod.wait();
    match target {
        Target::First => assert_eq!(output.signal, Some(9), "{output}"),
        // As if it had been the app.
        Target::Init => drop(output.expect_code(137)),
    }
    check(host, bystander, Some(&namespace), what);
    in_time
}

#[test]
fn a_killed_gc_is_finished_by_the_next() {
    let (host, image) = busybox_host();
    let ended_pods = || {
        for _ in 0..3 {
            host.fairing(["run", &image, "--", "/bin/true"]).run().ok();
        }
        let killed = start(&host, &image);
        wait_ready(&killed);
        killed.kill();
        // Its lock is free once it is dead, and its processes are on their way.
        wait_until("the pod is dead", Duration::from_secs(10), || {
            host.processes().is_empty().then_some(())
        });
    };
    ended_pods();
    let begun = Instant::now();
    host.collect();
    let takes = begun.elapsed();
    for step in 0..12_u32 {
        ended_pods();
        let begun = Instant::now();
        let gc = host.fairing(["gc", "--grace-period=0s"]).spawn();
        at(begun + takes.mul_f64(f64::from(step) / 12.0));
        gc.signal(Signal::KILL);
        gc.wait();
        host.expect_clean();
        assert!(host.leftovers().names.is_empty(), "names are free again");
    }
}

#[test]
fn a_killed_fetch_leaves_nothing_and_can_be_repeated() {
    let registry = Registry::start();
    let image = ImageBuilder::busybox().build().push(&registry, "busybox:1");
    let host = Host::new();
    host.accept_unsigned();
    let begun = Instant::now();
    host.fairing(["fetch", &image]).run().ok();
    let takes = begun.elapsed();
    for step in 0..12_u32 {
        host.fairing(["image", "rm", &image]).run().ok();
        let begun = Instant::now();
        let fetch = host.fairing(["fetch", &image]).spawn();
        at(begun + takes.mul_f64(f64::from(step) / 12.0));
        fetch.signal(Signal::KILL);
        fetch.wait();
        host.expect_clean();
        host.fairing(["run", "--rm", &image, "--", "/bin/echo", "whole"])
            .run()
            .ok()
            .expect_stdout("whole\n");
    }
}
