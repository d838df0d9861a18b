//! A command on a pseudo-terminal.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::output::Output;
use crate::running::{Stream, pid_of, readable};

/// A command whose standard streams are a terminal, which is its controlling terminal. Killed
/// when dropped.
pub struct Terminal {
    child: Child,
    master: File,
    screen: Stream,
    shown: String,
    started: Instant,
}

impl Terminal {
    pub(crate) fn start(command: &Command, shown: String, rows: u16, columns: u16) -> Self {
        // Another test's child that had the master too would keep the terminal from hanging up.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("openpt");
        grantpt(&master)
            .and_then(|()| unlockpt(&master))
            .expect("pseudo-terminal");
        let name = ptsname(&master, Vec::new()).expect("ptsname");
        tcsetwinsize(&master, size(rows, columns)).expect("window size");
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OpenptFlags::NOCTTY.bits().cast_signed())
            .open(OsStr::from_bytes(name.as_bytes()))
            .expect("open the terminal");

        // `setsid --ctty` makes the terminal the controlling one and becomes the command. It
        // forks first only where it leads a process group, which a child of ours does not.
        let mut wrapped = Command::new("setsid");
        wrapped
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                wrapped.env(name, value);
            }
        }
        if let Some(folder) = command.get_current_dir() {
            wrapped.current_dir(folder);
        }
        wrapped
            .env("TERM", "xterm")
            .stdin(slave.try_clone().expect("dup"))
            .stdout(slave.try_clone().expect("dup"))
            .stderr(slave);
        let started = Instant::now();
        let child = wrapped.spawn().expect("start setsid");
        let master = File::from(master);
        let screen = Stream::of(master.try_clone().expect("dup"));
        Self {
            child,
            master,
            screen,
            shown,
            started,
        }
    }

    /// The process id of the command.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types these bytes (Ctrl-C is `\x03`, Ctrl-D `\x04`).
    pub fn type_keys(&mut self, keys: impl AsRef<[u8]>) {
        self.master
            .write_all(keys.as_ref())
            .expect("write to the terminal");
    }

    /// Changes the window's size; the kernel sends SIGWINCH.
    pub fn resize(&self, rows: u16, columns: u16) {
        tcsetwinsize(&self.master, size(rows, columns)).expect("window size");
    }

    /// All that has been written to the terminal so far, with its `\r\n`.
    pub fn screen(&self) -> String {
        self.screen.text()
    }

    /// Waits until this text has been written to the terminal.
    ///
    /// # Panics
    /// If it does not come within 30 s.
    #[track_caller]
    pub fn wait_screen(&self, part: &str) {
        if !self.screen.wait_for(part, Duration::from_secs(30)) {
            panic!(
                "{part:?} did not come on the terminal of `{}`\n{}",
                self.shown,
                self.screen()
            );
        }
    }

    /// Waits until the command ends; all that it wrote is in the output's `stdout`.
    ///
    /// # Panics
    /// If it does not end within 60 s, or something else holds the terminal open after it.
    #[track_caller]
    pub fn wait(mut self) -> Output {
        let pidfd = pidfd_open(pid_of(&self.child), PidfdFlags::empty()).expect("pidfd_open");
        if !readable(&pidfd, Duration::from_secs(60)) {
            panic!("not ended after 60 s: {}\n{}", self.shown, self.screen());
        }
        let elapsed = self.started.elapsed();
        let status = self.child.wait().expect("wait for the command");
        // What was written last may still be on its way through the pseudo-terminal.
        if !self.screen.wait_end(Duration::from_secs(5)) {
            panic!(
                "something holds the terminal open after the end of {}\n{}",
                self.shown,
                self.screen()
            );
        }
        Output {
            command: self.shown.clone(),
            code: status.code(),
            signal: status.signal(),
            stdout: self.screen(),
            stderr: String::new(),
            elapsed,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = kill_process(pid_of(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}
