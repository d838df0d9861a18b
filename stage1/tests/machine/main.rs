//! Pod init as pid 1 of what is a machine to it: namespaces of its own, and nothing of the monitor's but one end of a byte
//! stream. The other end is driven as the monitor drives it. As root.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failure here is a failure of a test"
)]

mod cgroup;
mod cgroup_requests;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollTimeout, poll};
use pod::control::WindowSize;
use pod::exit::Outcome;
use pod::manifest::{AppFailure, Lifetime, Limit};
use serde_json::json;
use stage1::link::framed::ToMachine;
use stage1::link::{HandedOver, InitLink, InitNotification, MachineApp, MachineImage, StreamId};
use stage1::protocol::{
    AppSpec, ExecSpec, FileText, FromInit, Names, ProcessStreams, Setup, ToInit,
};

use crate::cgroup::Cgroup;

/// The machine, the monitor's end of the link, and what was heard over it.
struct Machine {
    process: Child,
    link: ToMachine,
    heard: Vec<InitNotification>,
    image: tempfile::TempDir,
    _cgroup: Cgroup,
}

/// Three standard streams as the monitor has them.
struct Streams {
    names: ProcessStreams,
    stdin: Option<File>,
    stdout: File,
    stderr: File,
}

impl Machine {
    fn start() -> Self {
        let image = tempfile::tempdir().unwrap();
        let busybox = ["/bin/busybox", "/usr/bin/busybox"];
        let busybox = busybox
            .iter()
            .find(|path| Path::new(path).exists())
            .unwrap();
        std::fs::create_dir(image.path().join("bin")).unwrap();
        std::fs::copy(busybox, image.path().join("bin/busybox")).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        // What is the root of all cgroups to the machine is one of its own here.
        let cgroup = Cgroup::new();
        let process = Command::new("sh")
            .args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec unshare \"$@\""])
            .arg(&cgroup.0)
            .args(["--pid", "--mount", "--net", "--uts", "--ipc", "--cgroup"])
            .args(["--fork", "--kill-child"])
            .arg(env!("CARGO_BIN_EXE_pod-init"))
            .arg("machine")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        let mut machine = Self {
            process,
            link: ToMachine::new(ours.into(), Duration::from_secs(600)).unwrap(),
            heard: Vec::new(),
            image,
            _cgroup: cgroup,
        };
        machine.tell(&ToInit::Setup(Box::new(Setup {
            hostname: "guest".into(),
            lifetime: Lifetime::WithApps,
            on_app_failure: AppFailure::StopPod,
            grace_period_ms: 10_000,
            terminals: 16,
            memory_files: 1000,
            user_namespace: None,
            owns_network: true,
            new_privileges: false,
            shm_size: None,
            host_namespaces: Default::default(),
            sysctl: Default::default(),
            mount_label: None,
            resources: None,
        })));
        machine
    }

    fn tell(&mut self, message: &ToInit) {
        self.link.send(message, HandedOver::Nothing).unwrap();
    }

    fn pipes(&mut self, input: bool) -> Streams {
        let stdin = input.then(|| self.link.open_input().unwrap());
        let (stdout, output) = self.link.open_output().unwrap();
        let (stderr, error) = self.link.open_output().unwrap();
        let names = ProcessStreams::Pipes {
            stdin: stdin.as_ref().map(|(id, _)| *id),
            stdout,
            stderr,
        };
        Streams {
            names,
            stdin: stdin.map(|(_, fd)| File::from(fd)),
            stdout: output.into(),
            stderr: error.into(),
        }
    }

    fn app(&mut self, name: &str, script: &str, input: bool) -> Streams {
        let streams = self.pipes(input);
        let execution = json!({
            "args": ["/bin/busybox", "sh", "-c", script],
            "cwd": "/",
            "user": {},
        });
        let spec = AppSpec {
            name: name.parse().unwrap(),
            execution: serde_json::from_value(execution).unwrap(),
            stop_signal: serde_json::from_value(json!(15)).unwrap(),
            selinux_label: None,
            mount_label: None,
            security: None,
            own_processes: false,
            processes_of: None,
            streams: streams.names,
            protections: stage1::protocol::Protections::without(&Default::default()),
            mounts: Vec::new(),
            credentials: None,
            sockets: Vec::new(),
        };
        let app = MachineApp {
            image: MachineImage::Directory {
                path: self.image.path().to_path_buf(),
            },
            mounts: Vec::new(),
            resources: Default::default(),
            usual_pids: Limit::At(100),
            manages_cgroups: false,
        };
        let message = ToInit::App(Box::new(spec));
        self.link
            .send(&message, HandedOver::MachineApp(Box::new(app)))
            .unwrap();
        streams
    }

    fn start_apps(&mut self) {
        self.tell(&ToInit::Start(Names {
            hosts: FileText(b"127.0.0.1\tlocalhost\n".to_vec()),
            resolv_conf: FileText::default(),
        }));
        self.expect("the apps' start", |message| {
            matches!(message, FromInit::Started)
        });
    }

    fn execute(&mut self, id: u64, app: &str, script: &str, streams: ProcessStreams) {
        let args = ["/bin/busybox", "sh", "-c", script];
        self.tell(&ToInit::Exec(Box::new(ExecSpec {
            id,
            app: Some(app.parse().unwrap()),
            argv: args.map(str::to_owned).to_vec(),
            env: Vec::new(),
            workdir: None,
            user: None,
            copy: None,
            timeout_ms: None,
            streams,
        })));
    }

    /// One turn of the loop.
    fn turn(&mut self) {
        let interests = self.link.interests().into_iter();
        let mut fds: Vec<_> = interests
            .map(|(fd, flags)| PollFd::new(fd, flags))
            .collect();
        // What the test does to its own descriptors wakes nobody.
        poll(&mut fds, PollTimeout::from(20_u8)).unwrap();
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap()).collect();
        self.heard.extend(self.link.advance(&ready).unwrap());
    }

    #[track_caller]
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_so(self) {
            let late = Instant::now() > deadline;
            assert!(!late, "{what} did not come; heard: {:?}", self.heard);
            self.turn();
        }
    }

    #[track_caller]
    fn expect(&mut self, what: &str, wanted: impl Fn(&FromInit) -> bool) -> InitNotification {
        let mut found = None;
        self.until(what, |machine| {
            let position = machine
                .heard
                .iter()
                .position(|heard| wanted(&heard.message));
            found = position.map(|at| machine.heard.remove(at));
            found.is_some()
        });
        found.unwrap()
    }

    #[track_caller]
    fn expect_outcome(&mut self, name: &str) -> Outcome {
        let heard = self.expect(
            name,
            |message| matches!(message, FromInit::AppExited { app, .. } if app.as_str() == name),
        );
        match heard.message {
            FromInit::AppExited { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// Reads a stream to its end, or until it shows this.
    #[track_caller]
    fn read(&mut self, stream: &mut File, until: Option<&str>) -> String {
        let mut all = Vec::new();
        self.until("output", |_| {
            let text = String::from_utf8_lossy(&all).into_owned();
            if until.is_some_and(|wanted| text.contains(wanted)) {
                return true;
            }
            let mut fds = [PollFd::new(
                std::os::fd::AsFd::as_fd(stream),
                nix::poll::PollFlags::POLLIN,
            )];
            if poll(&mut fds, PollTimeout::ZERO).unwrap() == 0 {
                return false;
            }
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).unwrap_or(0);
            all.extend_from_slice(&buffer[..length]);
            length == 0
        });
        String::from_utf8(all).unwrap()
    }

    /// Its end, as pod init tells it, and that of its processes.
    #[track_caller]
    fn expect_end(mut self) -> i32 {
        let heard = self.expect("the end", |message| {
            matches!(message, FromInit::Finished { .. } | FromInit::Failed(_))
        });
        let FromInit::Finished { exit_code } = heard.message else {
            panic!("{heard:?}");
        };
        self.until("the machine is off", |machine| {
            machine.process.try_wait().unwrap().is_some()
        });
        assert!(self.link.last_words().unwrap().is_empty());
        exit_code
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_app_reads_and_writes_to_the_end() {
    let mut machine = Machine::start();
    let script = "cat; echo out; echo err >&2; hostname; cat /etc/hosts; exit 7";
    let mut streams = machine.app("app", script, true);
    machine.start_apps();
    let mut stdin = streams.stdin.take().unwrap();
    stdin.write_all(b"typed\n").unwrap();
    drop(stdin);
    let text = machine.read(&mut streams.stdout, None);
    assert_eq!(text, "typed\nout\nguest\n127.0.0.1\tlocalhost\n");
    assert_eq!(machine.read(&mut streams.stderr, None), "err\n");
    assert_eq!(machine.expect_outcome("app"), Outcome::Exited { code: 7 });
    assert_eq!(machine.expect_end(), 7);
}

#[test]
fn output_that_nobody_reads_holds_up_neither_control_nor_another_app() {
    let mut machine = Machine::start();
    let script = "yes | head -c 1000000; echo end >&2";
    let mut stuck = machine.app("stuck", script, false);
    let script = "trap 'echo caught; exit 0' USR1; echo hello; while :; do sleep 1; done";
    let mut other = machine.app("other", script, false);
    machine.start_apps();
    assert_eq!(machine.read(&mut other.stdout, Some("hello")), "hello\n");
    let mut command = machine.pipes(true);
    machine.execute(1, "other", "echo inside; exit 3", command.names);
    let text = machine.read(&mut command.stdout, None);
    assert_eq!(text, "inside\n", "{:?}", machine.heard);
    let ended = machine.expect("the command's end", |message| {
        matches!(message, FromInit::ExecExited { id: 1, .. })
    });
    let outcome = Outcome::Exited { code: 3 };
    assert_eq!(
        ended.message,
        FromInit::ExecExited {
            id: 1,
            outcome,
            timed_out: false
        }
    );
    // A signal gets through, and its effect is told.
    machine.tell(&ToInit::Signal {
        app: Some("other".parse().unwrap()),
        signal: 10,
    });
    assert_eq!(machine.read(&mut other.stdout, None), "caught\n");
    assert_eq!(machine.expect_outcome("other"), Outcome::Exited { code: 0 });
    // Whoever reads at last gets all of it.
    assert_eq!(machine.read(&mut stuck.stdout, None).len(), 1_000_000);
    assert_eq!(machine.read(&mut stuck.stderr, None), "end\n");
    assert_eq!(machine.expect_end(), 0);
}

#[test]
fn a_command_has_a_terminal_of_its_own_that_is_resized() {
    let mut machine = Machine::start();
    let _app = machine.app("app", "exec sleep 1000", false);
    machine.start_apps();
    let terminal: StreamId = machine.link.open_terminal().unwrap();
    let size = |rows, cols| WindowSize { rows, cols };
    let streams = ProcessStreams::Terminal {
        terminal,
        size: Some(size(10, 20)),
    };
    let script = "stty size; read line; stty size; echo \"got $line\"; tty; exit 4";
    machine.execute(1, "app", script, streams);
    let started = machine.expect("the command's start", |message| {
        matches!(message, FromInit::ExecStarted { .. })
    });
    let mut terminal_end = File::from(started.terminal.unwrap());
    assert_eq!(started.process.unwrap().pid(), None);
    machine.read(&mut terminal_end, Some("10 20"));
    machine.tell(&ToInit::Resize {
        terminal,
        size: size(30, 40),
    });
    // The two are in order: what is typed reaches the command after it was told of the new size.
    machine.turn();
    terminal_end.write_all(b"this\n").unwrap();
    let rest = machine.read(&mut terminal_end, None);
    assert!(
        rest.contains("30 40") && rest.contains("got this"),
        "{rest}"
    );
    assert!(rest.contains("/dev/pts/"), "{rest}");
    let ended = machine.expect("the command's end", |message| {
        matches!(message, FromInit::ExecExited { .. })
    });
    let outcome = Outcome::Exited { code: 4 };
    assert_eq!(
        ended.message,
        FromInit::ExecExited {
            id: 1,
            outcome,
            timed_out: false
        }
    );
    machine.tell(&ToInit::Stop { grace_ms: 0 });
    let killed = Outcome::Signaled {
        signal: 9,
        oom_killed: false,
    };
    assert_eq!(machine.expect_outcome("app"), killed);
    assert_eq!(machine.expect_end(), 137);
}

#[test]
fn an_app_that_cannot_be_started_is_told_of_and_the_machine_ends() {
    let mut machine = Machine::start();
    std::fs::remove_dir_all(machine.image.path().join("bin")).unwrap();
    let _streams = machine.app("app", "true", false);
    machine.tell(&ToInit::Start(Names {
        hosts: FileText::default(),
        resolv_conf: FileText::default(),
    }));
    let failed = machine.expect("the failure", |message| {
        matches!(message, FromInit::Failed(_))
    });
    let FromInit::Failed(failure) = failed.message else {
        panic!("{failed:?}");
    };
    assert!(failure.message.contains("busybox"), "{failure}");
    machine.until("the machine is off", |machine| {
        machine.process.try_wait().unwrap().is_some()
    });
}

#[test]
fn an_app_that_comes_later_runs_and_runs_again_with_what_it_had() {
    let mut machine = Machine::start();
    let _first = machine.app("first", "exec sleep 1000", false);
    machine.start_apps();
    for expected in ["1\n", "1\n2\n"] {
        let script = "echo $(( $(wc -l < /kept 2> /dev/null || echo 0) + 1 )) >> /kept; cat /kept";
        let mut late = machine.app("late", script, false);
        machine.expect(
            "its start",
            |message| matches!(message, FromInit::AppStarted { app, .. } if app.as_str() == "late"),
        );
        assert_eq!(machine.read(&mut late.stdout, None), expected);
        let outcome = machine.expect_outcome("late");
        assert_eq!(outcome, Outcome::Exited { code: 0 });
    }
    machine.tell(&ToInit::Stop { grace_ms: 0 });
    assert_eq!(machine.expect_end(), 137);
}

#[test]
fn the_end_of_a_command_is_told_when_all_that_it_has_written_is_there() {
    let mut machine = Machine::start();
    let _app = machine.app("app", "exec sleep 1000", false);
    machine.start_apps();
    for (id, script, length) in [
        (1, "echo inside", 7),
        (2, "true", 0),
        // More than pipes and windows hold.
        (3, "yes | head -c 1000000", 1_000_000),
        // A child goes on writing, for which nobody waits.
        (4, "sleep 1000 & echo inside", 7),
    ] {
        let mut command = machine.pipes(false);
        machine.execute(id, "app", script, command.names);
        let mut all = Vec::new();
        let mut has_ended = false;
        machine.until("the command's end", |machine| {
            let is_end = |heard: &InitNotification| {
                matches!(heard.message, FromInit::ExecExited { id: ended, .. } if ended == id)
            };
            has_ended |= machine.heard.iter().any(is_end);
            let mut buffer = [0; 70_000];
            // What is there now: it doesn't block.
            while let Ok(count @ 1..) = command.stdout.read(&mut buffer) {
                all.extend_from_slice(&buffer[..count]);
            }
            has_ended
        });
        assert_eq!(all.len(), length, "{script}");
    }
    machine.tell(&ToInit::Stop { grace_ms: 0 });
    assert_eq!(machine.expect_end(), 137);
}
