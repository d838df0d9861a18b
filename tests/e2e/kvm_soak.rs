//! Many machines: each that is started ends, also where the processors have other work, and nothing is left of those whose
//! monitors are killed at any moment.
//!
//! `make soak` starts two hundred and kills a hundred, other runs a tenth of that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{available_parallelism, scope, sleep};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use harness::{Signal, wait_until};

use crate::kvm::run;
use crate::stocked::{IMAGE, busybox};

/// The latest moment in the life of a monitor at which it is killed, in milliseconds: by then the app runs.
const LATEST: u64 = 2500;

fn of_many(many: usize) -> usize {
    match std::env::var_os("FAIRING_SOAK_SECONDS") {
        Some(_) => many,
        None => many / 10,
    }
}

#[test]
fn machines_that_are_started_one_after_the_other_all_end() {
    let host = busybox();
    let start = |number: usize| {
        let output = run(&host, &["--rm"])
            .args([IMAGE, "--", "/bin/echo", &number.to_string()])
            .limit(Duration::from_secs(60))
            .run();
        assert_eq!(output.ok().text(), number.to_string());
    };
    let starts = of_many(200);
    (0..starts / 2).for_each(start);
    let is_over = AtomicBool::new(false);
    scope(|scope| {
        let processors = available_parallelism().map_or(2, |count| count.get());
        for _ in 0..processors {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (starts / 2..starts).for_each(start);
        }));
        is_over.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
}

#[test]
fn nothing_is_left_of_machines_whose_monitors_are_killed_at_any_moment() {
    let host = busybox();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut dice = u64::from(now.subsec_nanos()) | 1;
    println!("dice: {dice}");
    for _ in 0..of_many(100) {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let running = run(&host, &[])
            .args([IMAGE, "--", "/bin/sleep", "1000"])
            .spawn();
        // Any moment is right.
        sleep(Duration::from_millis(dice % LATEST));
        running.signal(Signal::KILL);
        running.wait_for(Duration::from_secs(20));
        wait_until("all is gone with it", Duration::from_secs(20), || {
            host.processes().is_empty().then_some(())
        });
        host.collect();
    }
    host.expect_clean();
}
