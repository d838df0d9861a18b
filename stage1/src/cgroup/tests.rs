//! On the cgroups of the machine that runs the tests, as root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use pod::AppName;
use pod::manifest::{Cpu, Limit, Memory, Pids, Resources};

use super::error::CgroupError;
use super::placement::{Placement, Version};
use super::{PodCgroups, freezer, remove_recorded};

static PODS: AtomicU32 = AtomicU32::new(0);

/// The cgroups of a pod of its own, removed with all that is in them.
struct Pod {
    cgroups: PodCgroups,
    run_dir: tempfile::TempDir,
}

impl Pod {
    fn new() -> Self {
        let number = PODS.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{number}", std::process::id());
        let run_dir = tempfile::tempdir().unwrap();
        let cgroups = PodCgroups::find(&name, None).unwrap();
        cgroups.make(run_dir.path()).unwrap();
        Self { cgroups, run_dir }
    }

    /// The app's directories.
    fn folders(&self, app: &AppName) -> Vec<PathBuf> {
        let places = self.cgroups.places(app).into_iter();
        places.map(|(_, folder)| folder).collect()
    }

    fn start(&self, app: &AppName) -> Process {
        let process = Process::start();
        for folder in self.folders(app) {
            fs::write(folder.join("cgroup.procs"), process.id()).unwrap();
        }
        process
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.cgroups.remove().unwrap();
    }
}

struct Process(Child);

impl Process {
    fn start() -> Self {
        let mut command = Command::new("sleep");
        Self(command.arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    /// Puts itself into these cgroups, and ends with code 3 by the signal SIGUSR1, which it handles: one that kills,
    /// version 2 lets through to what is frozen.
    fn waits_for_signal(folders: &[PathBuf]) -> Self {
        let script = "for f; do echo $$ > $f/cgroup.procs; done
            trap 'exit 3' USR1; sleep 1000 & echo ready; wait";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).args(folders);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Self(command.spawn().unwrap());
        process.is_ready();
        process
    }

    /// Waits until it says so.
    fn is_ready(&mut self) {
        let mut ready = [0; 6];
        let output = self.0.stdout.as_mut().unwrap();
        std::io::Read::read_exact(output, &mut ready).unwrap();
    }

    fn id(&self) -> String {
        self.0.id().to_string()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn app(name: &str) -> AppName {
    name.parse().unwrap()
}

fn memory(limit: Limit) -> Memory {
    Memory {
        limit: Some(limit),
        ..Memory::default()
    }
}

fn limited() -> Resources {
    Resources {
        memory: memory(Limit::At(64 << 20)),
        pids: Pids {
            limit: Some(Limit::At(20)),
        },
        ..Resources::default()
    }
}

fn version() -> Version {
    Placement::find().unwrap().version
}

#[test]
fn a_change_that_the_kernel_refuses_half_way_changes_nothing() {
    let pod = Pod::new();
    let one = app("one");
    pod.cgroups.add_app(&one, &limited()).unwrap();
    let files = [
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "memory.max",
        "pids.max",
        "cpu.max",
        "cpu.cfs_quota_us",
        "cpu.cfs_period_us",
    ];
    let all = |folders: Vec<PathBuf>| -> Vec<Option<String>> {
        let read = |folder: &PathBuf| files.map(|file| fs::read_to_string(folder.join(file)).ok());
        folders.iter().flat_map(read).collect()
    };
    let of_app = || all(pod.folders(&one));
    let of_pod = || all(pod.cgroups.folders.clone());
    let before = (of_app(), of_pod());
    assert!(before.0.iter().any(Option::is_some));
    let mut asked = limited();
    asked.pids.limit = Some(Limit::At(50));
    // More than the kernel counts, and less than it takes.
    for quota in [i64::MAX.unsigned_abs(), 1] {
        asked.cpu.quota = Some(Limit::At(quota));
        for memory in [Some(Limit::At(100 << 20)), Some(Limit::At(32 << 20)), None] {
            asked.memory.limit = memory;
            // What is done aside is for a process with one thread, and not for this one.
            let of_pod_asked = Resources {
                memory: Memory::default(),
                ..asked.clone()
            };
            for refused in [
                pod.cgroups.update(&one, &asked).unwrap_err(),
                pod.cgroups.update_pod_in_time(&of_pod_asked).unwrap_err(),
            ] {
                let told = refused.to_string();
                assert!(told.ends_with("no limit was changed"), "{told}");
                assert_eq!((of_app(), of_pod()), before, "{told}");
            }
        }
    }
}

#[test]
fn apps_come_and_go_while_others_run() {
    let pod = Pod::new();
    let (one, two) = (app("one"), app("two"));
    pod.cgroups.add_app(&one, &Resources::default()).unwrap();
    let mut first = pod.start(&one);
    pod.cgroups.add_app(&two, &limited()).unwrap();
    let mut second = pod.start(&two);
    let again = pod.cgroups.add_app(&two, &limited()).unwrap_err();
    assert!(matches!(again, CgroupError::Exists(_)), "{again}");
    assert!(pod.folders(&two).iter().all(|folder| folder.exists()));

    pod.cgroups.remove_app(&two).unwrap();
    second.0.wait().unwrap();
    assert!(!first.has_ended());
    assert!(pod.folders(&two).iter().all(|folder| !folder.exists()));
    pod.cgroups.remove_app(&two).unwrap();
    pod.cgroups.add_app(&two, &Resources::default()).unwrap();
    assert_eq!(pod.cgroups.statistics(&two).pids_limit, None);
}

#[test]
fn what_is_used_and_limited_is_seen_and_limits_change() {
    let pod = Pod::new();
    let app = app("app");
    assert_eq!(pod.cgroups.statistics(&app).pids, None);
    pod.cgroups.add_app(&app, &limited()).unwrap();
    let _process = pod.start(&app);
    let now = pod.cgroups.statistics(&app);
    assert_eq!(now.pids, Some(1));
    assert_eq!(
        (now.memory_limit, now.pids_limit),
        (Some(64 << 20), Some(20))
    );
    assert!(now.memory.is_some() && now.cpu_nanoseconds.is_some());
    assert_eq!(now.oom_kills, 0);

    for bytes in [128 << 20, 32 << 20] {
        let resources = Resources {
            memory: memory(Limit::At(bytes)),
            ..Resources::default()
        };
        pod.cgroups.update(&app, &resources).unwrap();
        let now = pod.cgroups.statistics(&app);
        assert_eq!((now.memory_limit, now.pids_limit), (Some(bytes), Some(20)));
    }
    let none = Resources {
        memory: memory(Limit::Unlimited),
        pids: Pids {
            limit: Some(Limit::Unlimited),
        },
        ..Resources::default()
    };
    pod.cgroups.update(&app, &none).unwrap();
    let now = pod.cgroups.statistics(&app);
    assert_eq!((now.memory_limit, now.pids_limit), (None, None));
}

#[test]
fn a_limit_below_what_is_used_is_refused() {
    let pod = Pod::new();
    let app = app("app");
    pod.cgroups.add_app(&app, &limited()).unwrap();
    let folder = pod.folders(&app).into_iter().find(|folder| {
        folder.join("memory.usage_in_bytes").exists() || folder.join("memory.current").exists()
    });
    let folder = folder.unwrap();
    // Pages that the process has written count where it is.
    let mut holder = Command::new("sh");
    let tasks = folder.join("cgroup.procs");
    let hold =
        "echo $$ > \"$0\" && x=$(head -c 8000000 /dev/zero | tr '\\0' x) && echo ready && cat";
    let child = holder
        .args(["-c", hold])
        .arg(&tasks)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut process = Process(child.unwrap());
    process.is_ready();
    let resources = Resources {
        memory: memory(Limit::At(1 << 20)),
        ..Resources::default()
    };
    let refused = pod.cgroups.update(&app, &resources).unwrap_err();
    assert!(
        matches!(refused, CgroupError::LimitBelowUse { limit: 1_048_576, used } if used > 1 << 20),
        "{refused}"
    );
    assert_eq!(
        pod.cgroups.statistics(&app).memory_limit,
        Some(64 << 20),
        "nothing has changed"
    );
}

#[test]
fn a_paused_app_takes_no_signal_until_it_goes_on() {
    let pod = Pod::new();
    let (paused, other) = (app("paused"), app("other"));
    for app in [&paused, &other] {
        pod.cgroups.add_app(app, &Resources::default()).unwrap();
    }
    let mut process = Process::waits_for_signal(&pod.folders(&paused));
    let mut neighbour = Process::waits_for_signal(&pod.folders(&other));
    // Twice, so that it is in its freezer already.
    for _ in 0..2 {
        pod.cgroups.freeze(&paused).unwrap();
        pod.cgroups.thaw(&paused).unwrap();
    }
    pod.cgroups.freeze(&paused).unwrap();
    process.signal(rustix::process::Signal::USR1);
    neighbour.signal(rustix::process::Signal::USR1);
    assert_eq!(neighbour.0.wait().unwrap().code(), Some(3));
    assert!(!process.has_ended());
    pod.cgroups.thaw(&paused).unwrap();
    assert_eq!(process.0.wait().unwrap().code(), Some(3));
}

#[test]
fn what_is_paused_can_be_removed() {
    let pod = Pod::new();
    let app = app("app");
    pod.cgroups.add_app(&app, &Resources::default()).unwrap();
    let mut process = pod.start(&app);
    pod.cgroups.freeze(&app).unwrap();
    pod.cgroups.remove_app(&app).unwrap();
    process.0.wait().unwrap();
    // By gc, too, which knows only what was written down before.
    pod.cgroups.add_app(&app, &Resources::default()).unwrap();
    let mut process = pod.start(&app);
    pod.cgroups.freeze(&app).unwrap();
    remove_recorded(pod.run_dir.path()).unwrap();
    process.0.wait().unwrap();
    assert!(pod.cgroups.all().all(|folder| !folder.exists()));
}

#[test]
fn only_an_app_that_was_paused_goes_on() {
    let pod = Pod::new();
    let app = app("app");
    for refused in [pod.cgroups.thaw(&app), pod.cgroups.freeze(&app)] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("app"), "{error}");
    }
}

#[test]
fn all_directories_are_written_down_before_one_is_made() {
    let pod = Pod::new();
    let recorded = super::record::load(pod.run_dir.path()).unwrap();
    let all: Vec<PathBuf> = pod.cgroups.all().map(Path::to_path_buf).collect();
    assert_eq!(recorded, all);
    if version() == Version::V1 {
        assert!(all.iter().any(|folder| !folder.exists()), "{all:?}");
    }
    // Where that can't be written, none is.
    let nowhere = pod.run_dir.path().join("missing");
    let name = format!("test-{}-unwritten", std::process::id());
    let unwritten = PodCgroups::find(&name, None).unwrap();
    let failed = unwritten.make(&nowhere).unwrap_err();
    assert!(matches!(failed, CgroupError::Record(_)), "{failed}");
    for folder in all {
        let sibling = folder.parent().unwrap().join(format!("fairing-{name}"));
        assert!(!sibling.exists(), "{}", sibling.display());
    }
}

#[test]
fn an_app_whose_limits_cannot_be_set_leaves_no_cgroup() {
    let pod = Pod::new();
    let app = app("app");
    let resources = Resources {
        // Less than the kernel takes.
        cpu: Cpu {
            quota: Some(Limit::At(1)),
            ..Cpu::default()
        },
        ..Resources::default()
    };
    pod.cgroups.add_app(&app, &resources).unwrap_err();
    assert!(pod.folders(&app).iter().all(|folder| !folder.exists()));
}

/// A cgroup that is removed at the end of the test, however that ends.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = super::removal::remove_tree(&self.0);
    }
}

#[test]
fn version_2_stops_and_goes_on() {
    // Also where version 1 has the controllers, the other one is there beside it.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounted = super::mountinfo::hierarchies(&mounts, "0::/\n");
    let root = mounted.into_iter().find(|m| m.controllers.is_none());
    let root = root.expect("cgroup2 is mounted").mount_point;
    let folder = Removed(root.join(format!("fairing-test-{}-v2", std::process::id())));
    let folder = &folder.0;
    super::directory::make(folder).unwrap();
    let mut process = Process::waits_for_signal(std::slice::from_ref(folder));
    freezer::freeze_v2(folder).unwrap();
    let events = fs::read_to_string(folder.join("cgroup.events")).unwrap();
    assert!(events.contains("frozen 1"), "{events}");
    process.signal(rustix::process::Signal::USR1);
    assert!(!process.has_ended());
    freezer::thaw_v2(folder).unwrap();
    assert_eq!(process.0.wait().unwrap().code(), Some(3));
    // One that has ended is nowhere to be moved.
    super::directory::move_process(&process.id(), folder).unwrap();
    // A frozen one can be removed.
    let mut process = Process::start();
    super::directory::move_process(&process.id(), folder).unwrap();
    assert!(!process.has_ended());
    freezer::freeze_v2(folder).unwrap();
    super::removal::remove_tree(folder).unwrap();
    process.0.wait().unwrap();
}

#[test]
fn a_pod_weighs_what_its_apps_weigh_together() {
    let pod = Pod::new();
    let one = app("one");
    let file = |folder: PathBuf| {
        let files = ["cpu.shares", "cpu.weight"].map(|file| folder.join(file));
        files.into_iter().find(|file| file.exists())
    };
    let read = |folder: &Path| {
        let text = fs::read_to_string(file(folder.to_owned())?).unwrap();
        text.trim().parse::<u64>().ok()
    };
    let mut folders = pod
        .folders(&one)
        .into_iter()
        .map(|folder| folder.parent().unwrap().to_owned());
    let folder = folders.find(|folder| read(folder).is_some()).unwrap();
    let weight = || read(&folder);
    let shares = |shares| Resources {
        cpu: Cpu {
            shares: Some(shares),
            ..Cpu::default()
        },
        ..Resources::default()
    };
    let none = Resources::default();
    pod.cgroups.add_app(&one, &none).unwrap();
    let own = || read(&folder.join("one")).unwrap();
    let usual = own();
    let gives_way = || {
        let text = fs::read_to_string(folder.join("cpu.idle"));
        text.ok().map(|text| text.trim() == "1")
    };
    // Older kernels don't know that.
    let knows = gives_way().map(|gives| assert!(!gives));
    pod.cgroups.update(&one, &shares(2)).unwrap();
    let least = own();
    assert!(least < usual);
    // With the least that there is, it gives way to all others at once.
    assert_eq!(gives_way(), knows.map(|()| true));
    pod.cgroups.add_app(&app("two"), &none).unwrap();
    assert_eq!(weight(), Some(least + usual));
    assert_eq!(gives_way(), knows.map(|()| false));
    pod.cgroups.remove_app(&app("two")).unwrap();
    assert_eq!(gives_way(), knows.map(|()| true));
    pod.cgroups.add_app(&app("three"), &shares(2)).unwrap();
    assert_eq!(weight(), Some(2 * least));
}
