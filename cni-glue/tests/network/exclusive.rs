//! Garbage collection has a network to itself: nobody joins or leaves meanwhile.

use cni_glue::runtime::AfterFailure;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use nix::unistd::{gettid, mkfifo};

use crate::lab::{Lab, Pod};

/// Long enough for a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(50);

/// Tells when it begins and ends, and waits in between where there is a gate for it.
const GATED: &str = r#"call="$CNI_COMMAND ${CNI_CONTAINERID:-all}"
folder="${0%/*}/.."
echo "begin $call" >> "$folder/record"
echo "$call" > "$folder/begun"
gate="$folder/$(echo "gate $call" | tr ' ' -)"
[ ! -p "$gate" ] || read -r _ < "$gate"
echo "end $call" >> "$folder/record"
[ "$CNI_COMMAND" != ADD ] || printf '{"cniVersion": "1.1.0"}'"#;

/// Where the plugin's calls are watched and stopped.
struct Stage<'a> {
    folder: &'a Path,
    lock: PathBuf,
    begun: File,
    told: String,
}

impl<'a> Stage<'a> {
    fn new(lab: &'a Lab) -> Self {
        lab.plugin("gated", GATED);
        lab.configure(
            "cni/10-n.conflist",
            r#"{"cniVersion": "1.1.0", "name": "n", "plugins": [{"type": "gated"}]}"#,
        );
        let folder = lab.folder.path();
        let begun = folder.join("begun");
        mkfifo(&begun, Mode::S_IRWXU).unwrap();
        let mut open = OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut open, libc::O_NONBLOCK);
        Self {
            folder,
            lock: folder.canonicalize().unwrap().join("state/locks/n"),
            // With a writer of its own it has no end.
            begun: open.read(true).write(true).open(begun).unwrap(),
            told: String::new(),
        }
    }

    fn gate(&self, call: &str) -> PathBuf {
        self.folder.join(format!("gate {call}").replace(' ', "-"))
    }

    /// From now on that call goes on only when it is let go.
    fn hold(&self, call: &str) {
        mkfifo(&self.gate(call), Mode::S_IRWXU).unwrap();
    }

    fn let_go(&self, call: &str) {
        let mut gate = OpenOptions::new()
            .write(true)
            .open(self.gate(call))
            .unwrap();
        gate.write_all(b"\n").unwrap();
    }

    /// The calls that have begun and were not asked for yet.
    fn begun(&mut self) -> Vec<String> {
        let mut buffer = [0; 4096];
        match self.begun.read(&mut buffer) {
            Ok(read) => self
                .told
                .push_str(std::str::from_utf8(&buffer[..read]).unwrap()),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
        let whole = self.told.rfind('\n').map_or(0, |at| at + 1);
        let calls: String = self.told.drain(..whole).collect();
        calls.lines().map(Into::into).collect()
    }

    /// Waits until all of these have begun, and no other has.
    fn wait_for(&mut self, calls: &[&str]) {
        let mut begun = Vec::new();
        wait(|| {
            begun.extend(self.begun());
            begun.len() >= calls.len()
        });
        begun.sort();
        assert_eq!(begun, calls);
    }

    /// Waits until each of these threads waits for the network's lock, and nothing has begun.
    fn wait_for_waiting(&mut self, threads: &[i32]) {
        wait(|| {
            assert_eq!(self.begun(), [""; 0], "it does not wait for the others");
            threads.iter().all(|thread| waits_for(*thread, &self.lock))
        });
    }

    /// Asserts that no GC has begun before all that had begun was at its end, nor anything before a GC's end.
    fn assert_exclusive(&self) {
        let record = std::fs::read_to_string(self.folder.join("record")).unwrap();
        let mut under_way: Vec<&str> = Vec::new();
        for line in record.lines() {
            let (moment, call) = line.split_once(' ').unwrap();
            match moment {
                "begin" => {
                    under_way.push(call);
                    let collects = under_way.iter().any(|call| call.starts_with("GC"));
                    assert!(
                        !collects || under_way.len() == 1,
                        "{under_way:?} in {record}"
                    );
                }
                _ => under_way.retain(|other| *other != call),
            }
        }
        assert!(under_way.is_empty(), "{under_way:?}");
    }
}

fn wait(mut over: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !over() {
        assert!(Instant::now() < deadline, "nothing happens");
        // The kernel tells nobody that a thread has begun to wait for a lock.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a thread of this process waits in `flock` for that file.
fn waits_for(thread: i32, lock: &Path) -> bool {
    let call = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall"));
    let call = call.unwrap_or_default();
    let mut words = call.split_whitespace();
    if words.next() != Some(&libc::SYS_flock.to_string()) {
        return false;
    }
    let fd = words.next().and_then(|fd| fd.strip_prefix("0x"));
    let fd = fd.and_then(|fd| u32::from_str_radix(fd, 16).ok()).unwrap();
    std::fs::read_link(format!("/proc/self/fd/{fd}")).is_ok_and(|path| path == lock)
}

#[test]
fn nobody_joins_or_leaves_while_garbage_is_collected() {
    let lab = Lab::new();
    let mut stage = Stage::new(&lab);
    let all = |_: &cni_glue::id::ContainerId| true;
    let collect = || {
        let (_, errors) = lab.attacher.gc(&all, AfterFailure::Remember);
        assert!(errors.is_empty(), "{errors:?}");
    };
    let join = |id: &str| lab.pod(id, &["n"], &[]);
    let (sender, started) = mpsc::channel();
    // What may have to wait tells the number of its thread first.
    let announced = || sender.send(gettid().as_raw()).unwrap();
    std::thread::scope(|scope| {
        // Two pods join at the same time, and a collection waits for both.
        for call in ["ADD a", "ADD b", "GC all"] {
            stage.hold(call);
        }
        let (a, b) = (scope.spawn(|| join("a")), scope.spawn(|| join("b")));
        stage.wait_for(&["ADD a", "ADD b"]);
        let collection = scope.spawn(|| {
            announced();
            collect();
        });
        let thread = started.recv().unwrap();
        stage.wait_for_waiting(&[thread]);
        stage.let_go("ADD a");
        let a: Pod = a.join().unwrap();
        // One that is left is as much in the way as two.
        stage.wait_for_waiting(&[thread]);
        stage.let_go("ADD b");
        let b: Pod = b.join().unwrap();
        stage.wait_for(&["GC all"]);

        // One joins and one leaves: both wait for the collection, and not for each other.
        for call in ["ADD c", "DEL a"] {
            stage.hold(call);
        }
        let c = scope.spawn(|| {
            announced();
            join("c")
        });
        let leaving = scope.spawn(|| {
            let a = a;
            announced();
            lab.end(a);
        });
        let threads = [started.recv().unwrap(), started.recv().unwrap()];
        stage.wait_for_waiting(&threads);
        stage.let_go("GC all");
        collection.join().unwrap();
        stage.wait_for(&["ADD c", "DEL a"]);
        std::fs::remove_file(stage.gate("GC all")).unwrap();

        // A collection waits for one who leaves as for one who joins.
        stage.let_go("ADD c");
        let c: Pod = c.join().unwrap();
        let collection = scope.spawn(|| {
            announced();
            collect();
        });
        stage.wait_for_waiting(&[started.recv().unwrap()]);
        stage.let_go("DEL a");
        leaving.join().unwrap();
        collection.join().unwrap();
        lab.end(b);
        lab.end(c);
    });
    stage.assert_exclusive();
    lab.wait_for_nothing();
}

#[test]
fn collections_between_many_pods_never_meet_one() {
    let lab = Lab::new();
    let stage = Stage::new(&lab);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let lab = &lab;
            scope.spawn(move || {
                for n in 0..3 {
                    lab.end(lab.pod(&format!("pod-{thread}-{n}"), &["n"], &[]));
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let (_, errors) = lab.attacher.gc(&|_| true, AfterFailure::Remember);
                    assert!(errors.is_empty(), "{errors:?}");
                }
            });
        }
    });
    stage.assert_exclusive();
    lab.wait_for_nothing();
}
