//! A cgroup for a machine.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A cgroup of version 2, removed with those below it.
pub(crate) struct Cgroup(pub(crate) PathBuf);

impl Cgroup {
    pub(crate) fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let fields = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>());
        let mut of_version_2 = fields.filter(|fields| fields[2] == "cgroup2");
        let root = of_version_2.next().expect("cgroup2 is mounted")[1].to_owned();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("fairing-machine-{}-{number}", std::process::id());
        let path = Path::new(&root).join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        fn remove(path: &Path) {
            for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    remove(&entry.path());
                }
            }
            // A process that is on its way out is in it for a moment still.
            let deadline = Instant::now() + Duration::from_secs(10);
            while path.exists() && std::fs::remove_dir(path).is_err() && Instant::now() < deadline {
                std::thread::yield_now();
            }
        }
        remove(&self.0);
    }
}
