//! Tracing each process that becomes this one's user, as soon as the kernel lets it happen, and making it do what the filter
//! refuses.

use std::time::{Duration, Instant};

use crate::sys::{self, call};
use crate::text::text;

const PTRACE_SEIZE: i64 = 0x4206;

/// How many processes were caught, and how many of them made a user namespace.
pub(crate) fn hunt(time: Duration) -> String {
    let until = Instant::now() + time;
    let own = i64::from(std::process::id());
    let (mut caught, mut free) = (0, 0);
    let mut done = own;
    while Instant::now() < until {
        let newest = text("/proc/loadavg");
        let newest = newest
            .rsplit(' ')
            .next()
            .and_then(|pid| pid.trim().parse().ok());
        let newest: i64 = newest.unwrap_or(own);
        for pid in (done + 1).max(newest - 2)..newest + 3 {
            for _ in 0..200 {
                if call(libc::SYS_ptrace, [PTRACE_SEIZE, pid, 0, 0, 0, 0]) < 0 {
                    continue;
                }
                caught += 1;
                free += u32::from(sys::makes_user_namespace(pid));
                done = pid;
                break;
            }
        }
    }
    format!("caught {caught}, free {free}")
}
