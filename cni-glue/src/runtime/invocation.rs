//! One call of one plugin's program.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use serde::Deserialize;

use super::at_work::AtWork;
use super::shown::shown;
use crate::error::PluginFailure;
use crate::sys;

/// Most that is read of an answer.
const LONGEST_ANSWER: usize = 1 << 20;
/// Most that is read of what a plugin writes beside it.
const LONGEST_NOISE: usize = 16 << 10;

/// Where plugins' programs are.
#[derive(Debug, Clone)]
pub struct PluginFolders(pub Vec<PathBuf>);

impl PluginFolders {
    /// The program of a plugin; its type was checked to be a plain file name.
    pub(super) fn find(&self, kind: &str) -> Result<PathBuf, PluginFailure> {
        self.0
            .iter()
            .map(|folder| folder.join(kind))
            .find(|path| path.is_file())
            .ok_or_else(|| PluginFailure::NotFound {
                searched: self.0.clone(),
            })
    }

    /// As `CNI_PATH`, by which plugins find those that they delegate to.
    pub(super) fn joined(&self) -> std::ffi::OsString {
        std::env::join_paths(&self.0).unwrap_or_default()
    }
}

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits<'a> {
    pub(super) timeout: Duration,
    /// The call ends when this becomes readable.
    pub(super) interrupt: Option<BorrowedFd<'a>>,
}

/// Runs a program with `environment` added to this process's, gives it `input`, and returns what it wrote if it
/// ended well. What is `at_work` on a pod outlives this process, and keeps others off the pod until it has ended.
pub(super) fn call(
    program: &Path,
    environment: &[(&str, std::ffi::OsString)],
    input: &[u8],
    limits: Limits<'_>,
    at_work: Option<AtWork>,
) -> Result<Vec<u8>, PluginFailure> {
    let failed = |source| PluginFailure::Run {
        path: program.to_path_buf(),
        source,
    };
    let mut command = Command::new(program);
    command
        .stdin(prepared(input).map_err(failed)?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .current_dir("/")
        .process_group(0);
    for name in [
        "CNI_COMMAND",
        "CNI_CONTAINERID",
        "CNI_NETNS",
        "CNI_IFNAME",
        "CNI_ARGS",
        "CNI_PATH",
        "CNI_NETNS_OVERRIDE",
    ] {
        command.env_remove(name);
    }
    for (name, value) in environment {
        command.env(name, value);
    }
    let mut running = Running {
        child: sys::start_alone(&mut command, at_work.as_ref().map(AsFd::as_fd))
            .spawn()
            .map_err(failed)?,
        reaped: false,
    };
    let talked = running.talk(limits).map_err(failed)?;
    let (status, talk) = match talked {
        CallOutcome::ToTheEnd(status, talk) => (status, talk),
        CallOutcome::Late => return Err(PluginFailure::Timeout(limits.timeout)),
        CallOutcome::TooLong => return Err(PluginFailure::TooLong(LONGEST_ANSWER)),
        CallOutcome::Interrupted => return Err(PluginFailure::Interrupted),
    };
    // What one that was killed has started may still be at work for a moment.
    if status.code().is_some() {
        at_work.into_iter().for_each(AtWork::end);
    }
    if status.success() {
        Ok(talk.answer)
    } else {
        Err(refusal(status, &talk))
    }
}

/// The error that a plugin wrote, or what can be made of its end.
fn refusal(status: ExitStatus, talk: &PluginOutput) -> PluginFailure {
    #[derive(Deserialize)]
    struct ErrorResult {
        code: u64,
        #[serde(default)]
        msg: String,
        #[serde(default)]
        details: String,
    }

    match serde_json::from_slice::<ErrorResult>(&talk.answer) {
        Ok(said) if said.code != 0 || !said.msg.is_empty() => PluginFailure::Refused {
            code: said.code,
            msg: shown(&said.msg),
            details: shown(&said.details),
        },
        _ => {
            let noise = if talk.noise.is_empty() {
                &talk.answer
            } else {
                &talk.noise
            };
            PluginFailure::Silent {
                status: status.to_string(),
                said: shown(&String::from_utf8_lossy(noise)),
            }
        }
    }
}

/// What a plugin wrote.
#[derive(Debug, Default)]
struct PluginOutput {
    answer: Vec<u8>,
    noise: Vec<u8>,
}

/// How talking to a plugin ended.
#[derive(Debug)]
enum CallOutcome {
    ToTheEnd(ExitStatus, PluginOutput),
    /// It took too long.
    Late,
    /// It wrote too much.
    TooLong,
    Interrupted,
}

/// A plugin's process. It and what it started are gone when this is.
struct Running {
    child: Child,
    reaped: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            // Nobody is left to tell of a failure.
            let _ = self.reap();
        }
    }
}

impl Running {
    /// Ends what there still is of its process group, and gives how it ended itself. In this order: once it is
    /// reaped, the group's number may become another's.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        // If it fails, none is left.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let status = self.child.wait()?;
        self.reaped = true;
        Ok(status)
    }

    /// Reads until the plugin has ended.
    fn talk(&mut self, limits: Limits<'_>) -> io::Result<CallOutcome> {
        let deadline = Instant::now() + limits.timeout;
        let pid = Pid::from_child(&self.child);
        let ended = pidfd_open(pid, PidfdFlags::empty())?;
        let mut stdout = self.child.stdout.take();
        let mut stderr = self.child.stderr.take();
        for fd in [
            stdout.as_ref().map(AsFd::as_fd),
            stderr.as_ref().map(AsFd::as_fd),
        ]
        .into_iter()
        .flatten()
        {
            fcntl_setfl(fd, OFlags::NONBLOCK)?;
        }
        let mut talk = PluginOutput::default();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(CallOutcome::Late);
            }
            let mut fds = vec![PollFd::new(&ended, PollFlags::IN)];
            let interrupt = limits.interrupt.as_ref();
            fds.extend(interrupt.map(|fd| PollFd::new(fd, PollFlags::IN)));
            fds.extend(stdout.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
            fds.extend(stderr.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
            let limit = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            match poll(&mut fds, Some(&limit)) {
                Ok(_) => (),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let over = fds.first().is_some_and(|fd| !fd.revents().is_empty());
            let second = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
            drop(fds);
            if !over && second && interrupt.is_some() {
                return Ok(CallOutcome::Interrupted);
            }
            if !drain(&mut stdout, &mut talk.answer, LONGEST_ANSWER)? {
                stdout = None;
            }
            if !drain(&mut stderr, &mut talk.noise, LONGEST_NOISE)? {
                stderr = None;
            }
            if talk.answer.len() > LONGEST_ANSWER {
                return Ok(CallOutcome::TooLong);
            }
            if over {
                // All that it wrote was there before its end was. What it left running may hold the streams
                // open, and isn't waited for.
                return Ok(CallOutcome::ToTheEnd(self.reap()?, talk));
            }
        }
    }
}

/// All that a plugin is told, as a file in memory: who doesn't read it breaks no pipe, and with it this process.
fn prepared(input: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create("cni", MemfdFlags::CLOEXEC)?);
    file.write_all(input)?;
    file.rewind()?;
    Ok(file)
}

/// Reads what there is, and keeps a little more than `most` of it. Whether there may be more: of one that writes
/// without an end no more is read in one go, so that its time runs out.
fn drain(
    stream: &mut Option<impl Read + AsRawFd>,
    into: &mut Vec<u8>,
    most: usize,
) -> io::Result<bool> {
    let Some(stream) = stream else {
        return Ok(false);
    };
    let mut buffer = [0; 16 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(read) => {
                let room = (most + 1).saturating_sub(into.len());
                into.extend(buffer.get(..read.min(room)).unwrap_or_default());
                if into.len() > most {
                    return Ok(true);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn script(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plugin");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (folder, path)
    }

    fn within(timeout: Duration) -> Limits<'static> {
        Limits {
            timeout,
            interrupt: None,
        }
    }

    fn run(text: &str, input: &[u8]) -> Result<Vec<u8>, PluginFailure> {
        let (_folder, path) = script(text);
        call(
            &path,
            &[("CNI_COMMAND", "ADD".into())],
            input,
            within(Duration::from_secs(60)),
            None,
        )
    }

    #[test]
    fn a_plugin_is_told_and_answers() {
        assert_eq!(run("cat", b"hello").unwrap(), b"hello");
        assert_eq!(
            run("printf %s $CNI_COMMAND-$CNI_ARGS", b"").unwrap(),
            b"ADD-"
        );
        // More than a pipe holds, in both directions.
        let large = vec![b'x'; 300_000];
        assert_eq!(run("cat", &large).unwrap(), large);
        // It need not read.
        assert_eq!(run("exec <&-; printf yes", &large).unwrap(), b"yes");
    }

    #[test]
    fn its_own_words_are_passed_on() {
        let said = r#"printf '{"cniVersion":"1.0.0","code":11,"msg":"try \\u001b[1mlater","details":"much"}'; exit 1"#;
        match run(said, b"") {
            Err(PluginFailure::Refused { code, msg, details }) => {
                assert_eq!(
                    (code, msg.as_str(), details.as_str()),
                    (11, "try  [1mlater", "much")
                );
            }
            other => panic!("{other:?}"),
        }
        let error = run("echo broken >&2; exit 3", b"").unwrap_err().to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("it said: broken"),
            "{error}"
        );
        let error = run("kill -9 $$", b"").unwrap_err().to_string();
        assert!(error.contains("signal: 9"), "{error}");
    }

    #[test]
    fn an_endless_answer_is_cut() {
        let error = run(
            "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2",
            b"",
        )
        .unwrap_err();
        assert!(matches!(error, PluginFailure::TooLong(_)), "{error}");
        // Nobody waits for its time to run out.
        let error = run("yes", b"").unwrap_err();
        assert!(matches!(error, PluginFailure::TooLong(_)), "{error}");
        // Noise is not kept, and no way around the time.
        let noise = "head -c 3000000 /dev/zero >&2; printf yes";
        assert_eq!(run(noise, b"").unwrap(), b"yes");
        let (_folder, path) = script("yes >&2");
        let error = call(&path, &[], b"", within(Duration::from_millis(300)), None).unwrap_err();
        assert!(matches!(error, PluginFailure::Timeout(_)), "{error}");
    }

    #[test]
    fn one_that_hangs_is_ended_with_all_that_it_started() {
        let (folder, path) =
            script("mkfifo $0.fifo; (exec 3<>$0.fifo; flock 9; read x <&3) 9>$0.lock & wait");
        let error = call(&path, &[], b"", within(Duration::from_millis(300)), None).unwrap_err();
        assert!(matches!(error, PluginFailure::Timeout(_)), "{error}");
        // The lock of the one that it started becomes free.
        if let Ok(file) = std::fs::File::open(folder.path().join("plugin.lock")) {
            file.lock().unwrap();
        }
    }

    #[test]
    fn one_that_nobody_wants_any_more_is_ended() {
        let (_folder, path) = script("exec sleep 1000");
        let (reader, writer) = std::io::pipe().unwrap();
        let limits = Limits {
            interrupt: Some(reader.as_fd()),
            ..within(Duration::from_secs(600))
        };
        let error = std::thread::scope(|scope| {
            let running = scope.spawn(|| call(&path, &[], b"", limits, None));
            (&writer).write_all(b"x").unwrap();
            running.join().unwrap().unwrap_err()
        });
        assert!(matches!(error, PluginFailure::Interrupted), "{error}");
    }

    #[test]
    fn what_it_leaves_running_is_not_waited_for() {
        let answer = run("sleep 1000 & printf done", b"").unwrap();
        assert_eq!(answer, b"done");
    }

    #[test]
    fn it_inherits_no_descriptor_and_no_blocked_signal() {
        let file = std::fs::File::open("/dev/null").unwrap();
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
        let mut mask = nix::sys::signal::SigSet::empty();
        mask.add(nix::sys::signal::Signal::SIGTERM);
        mask.thread_block().unwrap();
        let answer = run(
            "ls /proc/self/fd | tr '\\n' ' '; grep SigBlk /proc/self/status",
            b"",
        )
        .unwrap();
        mask.thread_unblock().unwrap();
        let answer = String::from_utf8(answer).unwrap();
        // The fourth is the directory that ls reads.
        assert!(
            answer.starts_with("0 1 2 3 SigBlk:\t0000000000000000"),
            "{answer}"
        );
    }
}
