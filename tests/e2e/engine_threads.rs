//! The engine as a library: one process that prepares, starts, stops and removes pods in several threads at once, as a
//! CRI shim does.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Barrier;
use std::thread;

use cni_glue::config::Selection;
use engine::Engine;
use engine::config::directories::Directories;
use engine::observer::Warnings;
use engine::pods::prepare::prepare;
use engine::pods::removal::remove;
use engine::pods::spec::{AppSpec, PodSpec};
use engine::pods::start::{Handover, Launch};
use engine::pods::stop::{Stop, stop};
use harness::{Host, dist_dir};
use image_registry::Environment;
use image_store::WindowMemory;
use nix::sys::signal::SigSet;
use pod::activation::ActivationSockets;
use pod::lock::LOCK_FILE;
use pod::manifest::Streams;
use pod::network::CniFolders;
use pod::{PodUuid, State};

use crate::stocked::{IDLE, IMAGE, busybox};

/// How often each thread starts and stops a pod.
const ROUNDS: usize = 4;

pub(crate) fn engine_of(host: &Host) -> Engine {
    Engine {
        directories: Directories {
            data: host.data_dir(),
            run: host.run_dir(),
            local_config: host.local_config(),
            system_config: host.system_config(),
            isolators: None,
        },
        registries: Environment::default(),
        memory: WindowMemory::default(),
        cni: CniFolders::default(),
        kubernetes_namespace: None,
        insecure: BTreeSet::new(),
    }
}

fn isolator() -> String {
    let folder = dist_dir().join("lib/fairing/stage1/nspawn");
    folder.display().to_string()
}

/// A pod whose monitor is a child of this process.
struct Running {
    uuid: PodUuid,
    monitor: Child,
}

impl Running {
    /// Prepares a pod and starts it; all threads execute their monitors in the same moment, when the pods of all are
    /// in phase `run`.
    fn start(engine: &Engine, all: &Barrier) -> Self {
        let app = AppSpec {
            exec: Some("/bin/sh".to_owned()),
            arguments: vec!["-c".to_owned(), IDLE.to_owned()],
            ..AppSpec::of(IMAGE)
        };
        let spec = PodSpec {
            streams: Streams::Log,
            isolator: isolator(),
            ..PodSpec::new(Selection::None.into(), vec![app])
        };
        let sockets = ActivationSockets::default();
        let warnings = Warnings::default();
        let prepared = prepare(engine, &spec, &sockets, &warnings).unwrap();
        assert_eq!(warnings.into_vec().len(), 1, "the image is unsigned");
        let (mut report, ready) = std::io::pipe().unwrap();
        let handover = Handover {
            service: None,
            machined: false,
            client: None,
            sockets: &sockets,
            ready: Some(ready.as_fd()),
            blocked: SigSet::empty(),
            hint: None,
        };
        let directories = &engine.directories;
        let launch = Launch::new(prepared.pod, &prepared.stage1, directories, handover).unwrap();
        all.wait();
        let mut command = launch.command();
        let monitor = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        drop(command);
        launch.started();
        drop(ready);
        let mut text = String::new();
        report.read_to_string(&mut text).unwrap();
        assert!(text.contains("started"), "{text}");
        Self {
            uuid: spec.uuid,
            monitor: monitor.unwrap(),
        }
    }

    /// The locks of pods that its monitor has open.
    fn locks(&self) -> Vec<PathBuf> {
        let folder = format!("/proc/{}/fd", self.monitor.id());
        let links = fs::read_dir(folder).unwrap();
        let open = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok());
        open.filter(|path| path.ends_with(LOCK_FILE)).collect()
    }

    fn state(&self, engine: &Engine) -> State {
        let entry = engine.pods().by_uuid(self.uuid).unwrap().unwrap();
        entry.state().unwrap()
    }

    fn stop(mut self, engine: &Engine, how: Stop) {
        let pods = engine.pods();
        let entry = pods.by_uuid(self.uuid).unwrap().unwrap();
        stop(&entry, &engine.directories, how).unwrap();
        self.monitor.wait().unwrap();
        assert_eq!(self.state(engine), State::Exited);
        let pod = pods.lock(&entry).unwrap();
        let warnings = Warnings::default();
        remove(pod, engine, &warnings).unwrap();
        assert!(warnings.into_vec().is_empty());
        assert_eq!(pods.by_uuid(self.uuid).unwrap(), None);
    }
}

/// What a thread has of the process's that a start could change.
fn own() -> (String, String, BTreeSet<String>) {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.unwrap().to_owned()
    };
    let flags = fs::read_dir("/proc/self/fdinfo").unwrap();
    // The flag of close-on-exec is the octal 02000000.
    let passed_on = flags.filter_map(|file| {
        let path = file.unwrap().path();
        let info = fs::read_to_string(&path).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        let number = path.file_name().unwrap().display().to_string();
        (flags & 0o2_000_000 == 0).then_some(number)
    });
    (line("SigBlk"), line("Umask"), passed_on.collect())
}

#[test]
fn two_threads_start_and_stop_pods_beside_each_other() {
    let host = busybox();
    let engine = engine_of(&host);
    let all = Barrier::new(2);
    let before = own();
    thread::scope(|scope| {
        for how in [
            Stop::Gracefully(Some(std::time::Duration::ZERO)),
            Stop::AtOnce,
        ] {
            let (engine, all) = (&engine, &all);
            scope.spawn(move || {
                let mine = own();
                for _ in 0..ROUNDS {
                    let running = Running::start(engine, all);
                    assert_eq!(running.state(engine), State::Running);
                    let lock = Path::new(&running.uuid.to_string()).join(LOCK_FILE);
                    let locks = running.locks();
                    assert!(locks.iter().all(|open| open.ends_with(&lock)), "{locks:?}");
                    all.wait();
                    running.stop(engine, how);
                }
                assert_eq!((own().0, own().1), (mine.0, mine.1));
            });
        }
    });
    assert_eq!(own(), before);
    assert_eq!(host.pod_folders(), []);
}
