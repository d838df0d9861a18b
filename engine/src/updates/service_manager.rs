//! The machine's service manager, which starts services again.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::unit::UnitName;
use super::watch::{UnitState, UnitStatus};
use crate::error::{Error, UpdateError};
use crate::pods::connection::wait_readable;

/// What is kept of what systemctl(1) says.
const SAID: u64 = 4096;
/// How long the service manager may take to say how a service is.
const ANSWER: Duration = Duration::from_secs(30);
/// Between two looks at what it has to do.
const AGAIN: Duration = Duration::from_millis(100);

/// Starts services again.
pub trait ServiceManager {
    /// Looks whether there is a service manager that does anything.
    ///
    /// # Errors
    /// What keeps it from that.
    fn require(&self) -> Result<(), Error>;

    /// Starts a service again, and waits until the service manager says that this is done. How often it was started before
    /// does not count.
    ///
    /// # Errors
    /// If it could not be, or is not within `limit`.
    fn restart(&self, unit: &UnitName, limit: Duration) -> Result<(), Error>;

    /// Waits until the service manager has nothing more to do with a service, such as a restart that somebody else has asked
    /// for. Whether it has not, within `limit`.
    ///
    /// # Errors
    /// If the service manager can't be asked.
    fn wait_for_jobs(&self, unit: &UnitName, limit: Duration) -> Result<bool, Error>;

    /// How a service is.
    ///
    /// # Errors
    /// If the service manager can't be asked.
    fn state(&self, unit: &UnitName) -> Result<UnitStatus, Error>;
}

/// systemd, by systemctl(1): that waits for jobs, and finds the manager wherever it listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Systemctl;

impl ServiceManager for Systemctl {
    fn require(&self) -> Result<(), Error> {
        let mut command = Command::new("systemctl");
        command
            .args(["--no-ask-password", "show", "--property=Version"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        match finish(command, ANSWER)? {
            Some((true, _)) => Ok(()),
            Some((false, said)) => Err(UpdateError::NoManager(said).into()),
            None => Err(UpdateError::NoManager("it does not answer".to_owned()).into()),
        }
    }

    fn restart(&self, unit: &UnitName, limit: Duration) -> Result<(), Error> {
        // An image that ends again and again uses the starts up that the service is allowed, and the one before could not come
        // back. Where the service manager does not know the service, it says so below.
        finish(systemctl("reset-failed", unit), ANSWER)?;
        let Some((is_success, said)) = finish(systemctl("restart", unit), limit)? else {
            return Err(UpdateError::Slow {
                unit: unit.to_string(),
                limit,
            }
            .into());
        };
        if is_success {
            return Ok(());
        }
        // What follows is how to look for the reason, which is at hand.
        let said = said.split(" See \"").next().unwrap_or_default();
        let status = match show(unit, "StatusText", true) {
            Ok(Some(status)) if !status.is_empty() => format!(" (its status: {status})"),
            _ => String::new(),
        };
        Err(UpdateError::Restart {
            unit: unit.to_string(),
            said: format!("{said}{status}"),
        }
        .into())
    }

    fn wait_for_jobs(&self, unit: &UnitName, limit: Duration) -> Result<bool, Error> {
        let deadline = Instant::now() + limit;
        loop {
            // Without a job there is no such property.
            let job = show(unit, "Job", true)?.unwrap_or_default();
            if job.is_empty() || job == "0" {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            thread::sleep(AGAIN);
        }
    }

    fn state(&self, unit: &UnitName) -> Result<UnitStatus, Error> {
        let told = show(unit, "ActiveState,NRestarts,Job", false)?.unwrap_or_default();
        Ok(parse(&told))
    }
}

/// A command that does this with a service.
fn systemctl(verb: &str, unit: &UnitName) -> Command {
    let mut command = Command::new("systemctl");
    command.args(["--no-ask-password", verb, "--"]);
    command
        .arg(unit.as_str())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// What `ActiveState=…`, `NRestarts=…` and `Job=…` say, in whatever order. A service that is down and about to be started is
/// alive.
fn parse(told: &str) -> UnitStatus {
    let value = |key: &str| {
        let mut words = told.split(' ');
        words.find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    };
    let has_job = value("Job").is_some_and(|job| !job.is_empty() && job != "0");
    UnitStatus {
        state: match value("ActiveState") {
            Some("failed" | "inactive") if !has_job => UnitState::Down,
            _ => UnitState::Alive,
        },
        restarts: value("NRestarts")
            .and_then(|number| number.parse().ok())
            .unwrap_or_default(),
    }
}

/// Properties of a service, or the value of one alone; `None` if the service manager doesn't tell.
fn show(unit: &UnitName, property: &str, is_value: bool) -> Result<Option<String>, Error> {
    let mut command = Command::new("systemctl");
    if is_value {
        command.arg("--value");
    }
    command.args(["--no-ask-password", "show", "--property", property, "--"]);
    command
        .arg(unit.as_str())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let done = finish(command, ANSWER)?;
    Ok(done
        .filter(|(is_success, _)| *is_success)
        .map(|(_, value)| value))
}

/// Runs a command to its end; whether it succeeded, and the beginning of what it said, in one line. `None` if it was not
/// done within `limit`, and killed.
fn finish(mut command: Command, limit: Duration) -> Result<Option<(bool, String)>, Error> {
    let failed = |error| Error::from(UpdateError::Systemctl(error));
    let mut child = command.stdin(Stdio::null()).spawn().map_err(failed)?;
    let is_done = match pidfd(&child) {
        Ok(process) => wait_readable(&process, Some(limit)),
        Err(errno) => Err(failed(errno.into())),
    };
    if !matches!(is_done, Ok(true)) {
        // One that has ended meanwhile need not be killed; what the service manager does goes on.
        let _ = child.kill();
    }
    let status = child.wait().map_err(failed)?;
    if !is_done? {
        return Ok(None);
    }
    let mut said = Vec::new();
    let outputs = (child.stdout.take(), child.stderr.take());
    let read = match outputs {
        (Some(output), _) => output.take(SAID).read_to_end(&mut said),
        (None, Some(output)) => output.take(SAID).read_to_end(&mut said),
        (None, None) => Ok(0),
    };
    read.map_err(failed)?;
    let text = String::from_utf8_lossy(&said);
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(Some((status.success(), words.join(" "))))
}

fn pidfd(child: &Child) -> rustix::io::Result<std::os::fd::OwnedFd> {
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pidfd_open(number.ok_or(rustix::io::Errno::SRCH)?, PidfdFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped());
        command
    }

    #[test]
    fn what_the_service_manager_says_is_understood_in_any_order() {
        let status = |state, restarts| UnitStatus { state, restarts };
        for (told, expected) in [
            (
                "NRestarts=3 ActiveState=active",
                status(UnitState::Alive, 3),
            ),
            ("ActiveState=failed NRestarts=0", status(UnitState::Down, 0)),
            ("ActiveState=inactive", status(UnitState::Down, 0)),
            ("ActiveState=inactive Job=0", status(UnitState::Down, 0)),
            ("Job=71 ActiveState=inactive", status(UnitState::Alive, 0)),
            (
                "ActiveState=activating NRestarts=x",
                status(UnitState::Alive, 0),
            ),
            ("", status(UnitState::Alive, 0)),
        ] {
            assert_eq!(parse(told), expected, "{told}");
        }
    }

    #[test]
    fn a_command_ends_or_is_ended() {
        let long = Duration::from_secs(60);
        let done = finish(sh("echo one; echo ' two'"), long).unwrap();
        assert_eq!(done, Some((true, "one two".to_owned())));
        assert_eq!(
            finish(sh("exit 3"), long).unwrap(),
            Some((false, String::new()))
        );
        let none = finish(sh("exec sleep 1000"), Duration::from_millis(10)).unwrap();
        assert_eq!(none, None);
        let unknown = finish(Command::new("/no/such/program"), long).unwrap_err();
        assert!(
            unknown.to_string().contains("cannot run systemctl"),
            "{unknown}"
        );
    }
}
