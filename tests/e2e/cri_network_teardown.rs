//! Taking sandboxes out of their network over the CRI: by plugins that take their time, that are missing, and after kills.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use cri_shim::api::{
    PodSandboxState, RemovePodSandboxRequest, RunPodSandboxRequest, StopPodSandboxRequest,
};
use harness::{Cri, Host, Process, Signal, wait_until};

use crate::cri_sandbox::{config, list, remove, run, stop};

const SOON: Duration = Duration::from_secs(60);
const READY: i32 = PodSandboxState::SandboxReady as i32;
const NOT_READY: i32 = PodSandboxState::SandboxNotready as i32;

/// A host whose sandboxes are in a network of one plugin, which tells what it is called for and, of an operation for which
/// there is a pipe, waits until somebody opens that.
struct Node {
    host: Host,
}

impl Node {
    fn new() -> Self {
        let host = Host::new();
        host.accept_unsigned();
        let script = format!(
            "#!/bin/sh\ncd {}\necho $CNI_COMMAND \"netns=$CNI_NETNS\" >> calls\n\
             if [ -p hold-$CNI_COMMAND ]; then : < hold-$CNI_COMMAND; fi\n\
             echo $CNI_COMMAND >> done\n\
             [ $CNI_COMMAND != ADD ] || echo '{{\"cniVersion\": \"1.0.0\"}}'\n",
            host.base().display()
        );
        let plugin = host.write("bin/slow", script);
        fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).unwrap();
        host.write(
            "cni/slow.conflist",
            r#"{"cniVersion": "1.0.0", "name": "slow", "plugins": [{"type": "slow"}]}"#,
        );
        Self { host }
    }

    fn shim(&self) -> Cri {
        Cri::start_with(&self.host, "CNI_PATH", self.host.base().join("bin"))
    }

    fn pipe(&self, operation: &str) -> PathBuf {
        self.host.base().join(format!("hold-{operation}"))
    }

    fn hold(&self, operation: &str) {
        let made = Command::new("mkfifo").arg(self.pipe(operation)).status();
        assert!(made.unwrap().success());
    }

    fn release(&self, operation: &str) {
        let pipe = self.pipe(operation);
        // For both ways, it waits for nobody.
        let open = OpenOptions::new().read(true).write(true).open(&pipe);
        let open: File = open.unwrap();
        fs::remove_file(&pipe).unwrap();
        let ended = || self.lines("done", operation).len() == self.lines("calls", operation).len();
        wait_until("the plugin to end", SOON, || ended().then_some(()));
        drop(open);
    }

    /// What the plugin told of an operation.
    fn lines(&self, file: &str, operation: &str) -> Vec<String> {
        let all = fs::read_to_string(self.host.base().join(file)).unwrap_or_default();
        let lines = all.lines().filter(|line| line.starts_with(operation));
        lines.map(str::to_owned).collect()
    }

    fn await_call(&self, operation: &str) {
        wait_until("the plugin to be called", SOON, || {
            (!self.lines("calls", operation).is_empty()).then_some(())
        });
    }

    fn kill(&self, name: &str) {
        let processes = self.host.processes_named(name);
        assert!(!processes.is_empty());
        processes.iter().for_each(Process::kill);
        wait_until("its end", SOON, || {
            let mut all = processes.iter();
            all.all(|process| !process.is_alive()).then_some(())
        });
    }
}

fn states(cri: &Cri) -> Vec<i32> {
    list(cri, None).iter().map(|one| one.state).collect()
}

#[test]
fn a_sandbox_that_came_up_without_its_shim_is_not_ready_once_it_ends() {
    let node = Node::new();
    let mut cri = node.shim();
    node.hold("ADD");
    let request = RunPodSandboxRequest {
        config: Some(config("web")),
        runtime_handler: String::new(),
    };
    let mut client = cri.runtime();
    let made = cri.spawn(async move { client.run_pod_sandbox(request).await });
    node.await_call("ADD");
    // It doesn't see that the sandbox comes up.
    let shim = rustix::process::Pid::from_raw(cri.pid().try_into().unwrap()).unwrap();
    rustix::process::kill_process(shim, Signal::STOP).unwrap();
    node.release("ADD");
    wait_until("the sandbox to come up", SOON, || {
        let mut pods = fs::read_dir(node.host.run_dir().join("pods")).ok()?;
        let is_up = |pod: fs::DirEntry| pod.path().join("control").exists();
        pods.any(|pod| is_up(pod.unwrap())).then_some(())
    });
    cri.restart();
    made.abort();
    assert_eq!(states(&cri), [READY]);
    node.hold("DEL");
    node.kill("pod-init");
    node.await_call("DEL");
    assert_eq!(states(&cri), [NOT_READY]);
    node.release("DEL");
    let id = list(&cri, None).remove(0).id;
    remove(&cri, &id).unwrap();
    assert!(states(&cri).is_empty());
}

#[test]
fn who_asks_while_another_removes_the_same_sandbox_waits() {
    let node = Node::new();
    let cri = node.shim();
    let id = run(&cri, &config("web")).unwrap();
    node.kill("stage1-nspawn");
    node.hold("DEL");
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let mut client = cri.runtime();
            let pod_sandbox_id = id.clone();
            let request = RemovePodSandboxRequest { pod_sandbox_id };
            cri.spawn(async move { client.remove_pod_sandbox(request).await })
        })
        .collect();
    node.await_call("DEL");
    assert_eq!(states(&cri), [NOT_READY]);
    assert!(calls.iter().all(|call| !call.is_finished()));
    node.release("DEL");
    for call in calls {
        cri.wait(call).unwrap().unwrap();
    }
    assert!(states(&cri).is_empty());
    assert_eq!(node.lines("calls", "DEL").len(), 1);
    assert!(node.host.pod_folders().is_empty());
}

#[test]
fn a_sandbox_is_stopped_when_its_network_is_given_back_and_not_before() {
    let node = Node::new();
    let cri = node.shim();
    let id = run(&cri, &config("web")).unwrap();
    node.hold("DEL");
    let begin = || {
        let mut client = cri.runtime();
        let pod_sandbox_id = id.clone();
        let request = StopPodSandboxRequest { pod_sandbox_id };
        cri.spawn(async move { client.stop_pod_sandbox(request).await })
    };
    let first = begin();
    node.await_call("DEL");
    let second = begin();
    // Its answer would be here before that of a later call.
    assert_eq!(states(&cri), [NOT_READY]);
    assert!(!first.is_finished() && !second.is_finished());
    node.release("DEL");
    cri.wait(first).unwrap().unwrap();
    cri.wait(second).unwrap().unwrap();
    assert_eq!(node.lines("calls", "DEL").len(), 1);
    remove(&cri, &id).unwrap();
}

#[test]
fn a_plugin_that_hangs_is_asked_once_by_each_call_for_as_long_as_the_limit_says() {
    let node = Node::new();
    let plugins = node.host.base().join("bin").into_os_string();
    let limit = ("FAIRING_CNI_DEL_TIMEOUT", "8".into());
    let cri = Cri::start_with_all(&node.host, [("CNI_PATH", plugins), limit]);
    let id = run(&cri, &config("web")).unwrap();
    node.hold("DEL");
    for call in 1..=2 {
        let began = Instant::now();
        let error = stop(&cri, &id).unwrap_err();
        // The monitor has five seconds to end, and what it has called goes on for five after it.
        assert!(began.elapsed() < Duration::from_secs(25), "{error}");
        for part in ["given back", "slow", "did not finish within 8 s"] {
            assert!(error.message().contains(part), "{error}");
        }
        assert!(!error.message().contains("removed"), "{error}");
        assert_eq!(node.lines("calls", "DEL").len(), call);
        assert_eq!(states(&cri), [NOT_READY]);
    }
    fs::remove_file(node.pipe("DEL")).unwrap();
    stop(&cri, &id).unwrap();
    assert_eq!(node.lines("done", "DEL").len(), 1);
    remove(&cri, &id).unwrap();
    assert!(node.host.pod_folders().is_empty());
}

#[test]
fn who_gives_back_what_a_sandbox_holds_is_no_monitor_to_be_killed() {
    let node = Node::new();
    let cri = node.shim();
    let id = run(&cri, &config("web")).unwrap();
    node.kill("stage1-nspawn");
    node.hold("DEL");
    let mut client = cri.runtime();
    let pod_sandbox_id = id.clone();
    let request = StopPodSandboxRequest { pod_sandbox_id };
    let first = cri.spawn(async move { client.stop_pod_sandbox(request).await });
    node.await_call("DEL");
    // It ends what doesn't listen.
    let stopped = node.host.fairing(["stop", "--force", &id]).run();
    assert!(stopped.stderr.contains("in use"), "{stopped}");
    node.release("DEL");
    cri.wait(first).unwrap().unwrap();
    assert_eq!(node.lines("calls", "DEL").len(), 1);
    remove(&cri, &id).unwrap();
}

#[test]
fn a_network_whose_configuration_is_gone_is_left_as_it_was_joined() {
    let node = Node::new();
    let cri = node.shim();
    let id = run(&cri, &config("web")).unwrap();
    fs::remove_file(node.host.base().join("cni/slow.conflist")).unwrap();
    stop(&cri, &id).unwrap();
    let calls = node.lines("calls", "DEL");
    assert_eq!(calls.len(), 1);
    assert!(calls[0].contains("netns=/"), "{calls:?}");
    remove(&cri, &id).unwrap();
    assert_eq!(node.lines("calls", "DEL").len(), 1);
}

#[test]
fn without_the_plugins_program_it_is_told_and_tried_again() {
    let node = Node::new();
    let cri = node.shim();
    let id = run(&cri, &config("web")).unwrap();
    let program = node.host.base().join("bin/slow");
    let away = node.host.base().join("away");
    fs::rename(&program, &away).unwrap();
    for _ in 0..2 {
        for error in [stop(&cri, &id).unwrap_err(), remove(&cri, &id).unwrap_err()] {
            for part in ["slow", "there is no such program"] {
                assert!(error.message().contains(part), "{error}");
            }
        }
        // It can be asked again, and nothing of it runs.
        assert_eq!(states(&cri), [NOT_READY]);
        assert!(node.host.processes_named("pod-init").is_empty());
    }
    fs::rename(&away, &program).unwrap();
    stop(&cri, &id).unwrap();
    remove(&cri, &id).unwrap();
    assert_eq!(node.lines("calls", "DEL").len(), 1);
    assert!(node.host.pod_folders().is_empty());
}

#[test]
fn a_namespace_that_is_gone_is_told_as_none() {
    let node = Node::new();
    let cri = node.shim();
    let id = run(&cri, &config("web")).unwrap();
    node.kill("stage1-nspawn");
    let namespaces = node.host.run_dir().join("cni/netns");
    for namespace in fs::read_dir(&namespaces).unwrap() {
        let unmounted = Command::new("umount")
            .arg(namespace.unwrap().path())
            .status();
        assert!(unmounted.unwrap().success());
    }
    stop(&cri, &id).unwrap();
    assert_eq!(node.lines("calls", "DEL"), ["DEL netns="]);
    remove(&cri, &id).unwrap();
    assert_eq!(fs::read_dir(&namespaces).unwrap().count(), 0);
}

#[test]
fn what_a_killed_monitor_was_about_to_do_is_done_before_it_is_undone() {
    let node = Node::new();
    let cri = node.shim();
    node.hold("ADD");
    let request = RunPodSandboxRequest {
        config: Some(config("web")),
        runtime_handler: String::new(),
    };
    let mut client = cri.runtime();
    let made = cri.spawn(async move { client.run_pod_sandbox(request).await });
    node.await_call("ADD");
    node.kill("stage1-nspawn");
    node.release("ADD");
    cri.wait(made).unwrap().unwrap_err();
    assert_eq!(node.lines("done", ""), ["ADD", "DEL"]);
    assert!(states(&cri).is_empty());
    assert!(node.host.pod_folders().is_empty());
}
