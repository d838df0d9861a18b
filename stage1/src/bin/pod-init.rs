//! Pid 1 of a pod.
//!
//! Without arguments it was started by an isolator, with its end of the monitor's socket as descriptor 3. With `machine`
//! it is pid 1 of a machine, and speaks to the monitor over the port that the next argument names, or else over its
//! standard input. With `first` it is that, and the first program of the machine, with words behind that say of what
//! kind it is. With `copy` it is a process in an app, which copies files out of there or in.

#![cfg_attr(not(test), no_main)]

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::channel;
use std::time::Duration;

use pod::entry::ClosedStreams;
use rustix::termios::tcdrain;
use stage1::failure::{StartFailure, one_line};
use stage1::file_transfer::COPY;
use stage1::first_root::{FIRST, FirstWords};

/// How long the machine's console may take for a line.
const CONSOLE_PATIENCE: Duration = Duration::from_secs(1);

pod::entry!(run);

/// What the program does. The result is its exit code.
fn run(_: ClosedStreams) -> i32 {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("machine") => ended(machine(arguments.next().as_deref())),
        Some(FIRST) => ended(stage1::init::run_first(&FirstWords::of(arguments))),
        Some(COPY) => stage1::file_transfer::run(&arguments.next().unwrap_or_default()),
        _ => stage1::init::run(),
    }
}

fn ended(result: Result<i32, StartFailure>) -> i32 {
    result.unwrap_or_else(|failure| {
        // The machine's console, if anybody reads it.
        let line = one_line(&failure.to_string());
        let _ = writeln!(std::io::stderr(), "fairing: {line}");
        await_console();
        1
    })
}

/// Waits until the machine's console has taken what was written to it, as the machine ends with this program; but not for
/// ever, as nobody need read it.
fn await_console() {
    let (taken, waiting) = channel();
    std::thread::spawn(move || {
        let _ = tcdrain(std::io::stderr());
        let _ = taken.send(());
    });
    let _ = waiting.recv_timeout(CONSOLE_PATIENCE);
}

fn machine(port: Option<&str>) -> Result<i32, StartFailure> {
    let port: OwnedFd = match port {
        Some(path) => OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(StartFailure::os(format_args!("open {path}")))?
            .into(),
        None => std::io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map_err(StartFailure::os("take the standard input"))?,
    };
    stage1::init::run_machine(port)
}
