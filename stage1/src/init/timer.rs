//! Whether the kernel of a machine has a timer.
//!
//! It measures that of its processor while it boots. Where it was kept from running at the wrong moment for a tenth of a
//! second, as on a busy host, it takes the timer for one that is too slow, and goes on without: nothing that sleeps ever
//! wakes up then.

use std::io::{Read, Write};

use rustix::fs::{Mode, OFlags, openat};
use rustix::mount::MountAttrFlags;

use crate::app::detached::mount_detached;
use crate::failure::StartFailure;

/// In `/proc`.
const TIMERS: &str = "timer_list";
/// Before the name of each processor's timer.
const DEVICE: &str = "Clock Event Device:";
const NONE: &str = "<NULL>";
/// Bytes that are looked at: timers come last.
const MOST: u64 = 1 << 20;

/// Waits for ever if there is none: who has started the machine sees that nothing happens in it, and starts another.
///
/// # Errors
/// If that can't be told.
pub(super) fn expect() -> Result<(), StartFailure> {
    let proc = mount_detached("proc", &[], MountAttrFlags::empty())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let Ok(list) = openat(&proc, TIMERS, flags, Mode::empty()) else {
        // The kernel doesn't tell.
        return Ok(());
    };
    let mut text = Vec::new();
    let read = std::fs::File::from(list).take(MOST).read_to_end(&mut text);
    read.map_err(StartFailure::os("read which timers there are"))?;
    if !is_missing(&String::from_utf8_lossy(&text)) {
        return Ok(());
    }
    // Who doesn't take it finds out by the silence.
    let _ = writeln!(
        std::io::stderr(),
        "fairing: the kernel of this machine has no timer"
    );
    loop {
        std::thread::park();
    }
}

/// Whether a processor lacks one. That of all together is another matter.
fn is_missing(list: &str) -> bool {
    let of_processors = list.split("Per CPU device:").skip(1);
    let mut names = of_processors.filter_map(|part| {
        let name = part.lines().find_map(|line| line.strip_prefix(DEVICE));
        name.map(str::trim)
    });
    names.any(|name| name == NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_without_a_timer_is_told_from_one_that_has_one() {
        let list = |of_all: &str, second: &str| {
            format!(
                "Tick Device: mode:     1\nBroadcast device\nClock Event Device: {of_all}\n\
                 Tick Device: mode:     1\nPer CPU device: 0\nClock Event Device: lapic\n mult: 1\n\
                 Tick Device: mode:     1\nPer CPU device: 1\nClock Event Device: {second}\n"
            )
        };
        assert!(!is_missing(&list("<NULL>", "lapic")));
        assert!(!is_missing(&list("hpet", "lapic")));
        assert!(is_missing(&list("hpet", "<NULL>")));
        assert!(!is_missing(""));
    }
}
