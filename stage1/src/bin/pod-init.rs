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

use pod::entry::ClosedStreams;
use stage1::failure::{StartFailure, one_line};
use stage1::file_transfer::COPY;
use stage1::first_root::{FIRST, FirstWords};

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
        1
    })
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
