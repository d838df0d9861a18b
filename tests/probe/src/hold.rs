//! What a process can do to pid 1, which has its user if that is root. Each is tried for real.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::attempt::shown;
use crate::sys::{call, in_child, number_name};

const INIT: i64 = 1;

/// Each attempt and its outcome.
pub(crate) fn hold_on_init() -> Vec<String> {
    let none = [0_u64; 2];
    let none = none.as_ptr().expose_provenance().cast_signed() as i64;
    let mut lines: Vec<String> = [
        (
            "limit of descriptors",
            libc::SYS_prlimit64,
            [INIT, 7, none, 0, 0, 0],
        ),
        (
            "limit of processes",
            libc::SYS_prlimit64,
            [INIT, 6, none, 0, 0, 0],
        ),
        (
            "limit of processor time",
            libc::SYS_prlimit64,
            [INIT, 0, none, 0, 0, 0],
        ),
        ("priority", libc::SYS_setpriority, [0, INIT, 19, 0, 0, 0]),
        // The lowest of the idle class.
        (
            "priority of input and output",
            libc::SYS_ioprio_set,
            [1, INIT, 3 << 13, 0, 0, 0],
        ),
        (
            "processors",
            libc::SYS_sched_setaffinity,
            [INIT, 8, none, 0, 0, 0],
        ),
        (
            "scheduling class",
            libc::SYS_sched_setscheduler,
            [INIT, 5, none, 0, 0, 0],
        ),
        ("tracing", libc::SYS_ptrace, [0x4206, INIT, 0, 0, 0, 0]),
        ("SIGKILL", libc::SYS_kill, [INIT, 9, 0, 0, 0, 0]),
        ("SIGSTOP", libc::SYS_kill, [INIT, 19, 0, 0, 0, 0]),
    ]
    .into_iter()
    .map(|(name, number, arguments)| {
        let outcome = in_child(|| call(number, arguments));
        format!("{name} = {}", shown(&outcome))
    })
    .collect();
    for (name, text) in [
        ("autogroup", "19"),
        ("oom_score_adj", "1000"),
        ("timerslack_ns", "1000000000"),
        ("coredump_filter", "0"),
        ("clear_refs", "1"),
        ("comm", "another"),
        ("sched", "0"),
        ("mem", "0"),
        ("attr/current", "0"),
    ] {
        let path = format!("/proc/1/{name}");
        let write = || {
            let file = OpenOptions::new().write(true).open(&path);
            file.and_then(|mut file| file.write_all(text.as_bytes()))
        };
        let outcome = match until_it_is_our_turn(write) {
            Ok(()) => "allowed".to_owned(),
            Err(error) => error
                .raw_os_error()
                .map_or_else(|| error.to_string(), number_name),
        };
        lines.push(format!("{name} = {outcome}"));
    }
    lines
}

/// The kernel takes one change of an autogroup in a tenth of a second, of all on the machine.
fn until_it_is_our_turn(write: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match write() {
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock
                    && begun.elapsed() < Duration::from_secs(5) =>
            {
                thread::sleep(Duration::from_millis(7));
            }
            other => return other,
        }
    }
}
