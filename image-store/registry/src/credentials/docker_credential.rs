//! Credential helpers: programs `docker-credential-NAME` that keep secrets elsewhere (the protocol of
//! docker-credential-helpers). They are given a name on standard input and answer with JSON.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use image_document::go_json;
use image_name::DOCKER_HUB;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use serde::Deserialize;
use serde_json::json;

use super::known::{Credentials, Known};
use crate::answer::sanitize;
use crate::error::RegistryError;

/// How long a helper may take: some ask a cloud.
const LIMIT: Duration = Duration::from_secs(30);

/// Bytes of an answer.
const MAX_ANSWER: u64 = 256 << 10;

/// What helpers call Docker Hub.
const HUB: &str = "https://index.docker.io/v1/";

/// The user name that says: the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// A helper by its name.
pub(crate) struct Helper {
    name: String,
    folder: Option<PathBuf>,
    limit: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

impl Helper {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            folder: None,
            limit: LIMIT,
        }
    }

    /// Looks for the program in this directory, and not in `PATH`.
    pub(super) fn at(mut self, folder: Option<&Path>) -> Self {
        self.folder = folder.map(Path::to_owned);
        self
    }

    #[cfg(test)]
    pub(super) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What messages call it.
    pub(crate) fn program(&self) -> String {
        format!("docker-credential-{}", self.name)
    }

    /// Asks for the credentials of `server`; `None` if the helper has none.
    pub(super) fn get(&self, server: &str) -> Result<Option<Known>, RegistryError> {
        let (success, output) = self.run("get", server_name(server).as_bytes())?;
        if !success {
            let text = String::from_utf8_lossy(&output);
            if is_not_found(&text) {
                return Ok(None);
            }
            return Err(self.failed(&format!("`get {server}` fails: {text}")));
        }
        // What the parser says may quote the secret.
        let answer: Answer = go_json::from_slice(&output)
            .map_err(|_| self.failed("its answer is not the expected JSON"))?;
        if answer.secret.is_empty() {
            return Ok(None);
        }
        let credentials = match answer.username.as_str() {
            TOKEN_USER => Credentials::Refresh(answer.secret),
            user => Credentials::basic(user, &answer.secret),
        };
        Ok(Some(Known {
            credentials,
            from: self.program(),
        }))
    }

    /// Gives user and password to keep.
    pub(crate) fn store(
        &self,
        server: &str,
        user: &str,
        password: &str,
    ) -> Result<(), RegistryError> {
        let server = server_name(server);
        let input = json!({ "ServerURL": server, "Username": user, "Secret": password });
        match self.run("store", input.to_string().as_bytes())? {
            (true, _) => Ok(()),
            (false, output) => Err(self.failed(&format!(
                "`store` fails: {}",
                String::from_utf8_lossy(&output)
            ))),
        }
    }

    /// Makes it forget; whether it knew any.
    pub(crate) fn erase(&self, server: &str) -> Result<bool, RegistryError> {
        if self.get(server)?.is_none() {
            return Ok(false);
        }
        match self.run("erase", server_name(server).as_bytes())? {
            (true, _) => Ok(true),
            (false, output) => Err(self.failed(&format!(
                "`erase` fails: {}",
                String::from_utf8_lossy(&output)
            ))),
        }
    }

    /// Runs the program to its end; gives whether it succeeded, and what it said.
    fn run(&self, action: &str, input: &[u8]) -> Result<(bool, Vec<u8>), RegistryError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(self.failed("that is not the name of a helper"));
        }
        let program = match &self.folder {
            Some(folder) => folder.join(self.program()).into_os_string(),
            None => self.program().into(),
        };
        // A file: a helper that reads nothing can neither block nor kill this process.
        let stdin = memfd_create("credential", MemfdFlags::CLOEXEC)
            .map_err(std::io::Error::from)
            .and_then(|descriptor| {
                let mut file = File::from(descriptor);
                file.write_all(input)?;
                file.rewind()?;
                Ok(file)
            })
            .map_err(|error| self.failed(&error.to_string()))?;
        let child = Command::new(program)
            .arg(action)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| self.failed(&format!("it can't be started: {error}")))?;
        Running {
            child,
            end: Instant::now() + self.limit,
        }
        .finish()
        .map_err(|reason| self.failed(&reason))
    }

    fn failed(&self, reason: &str) -> RegistryError {
        RegistryError::CredentialHelper {
            program: sanitize(&self.program()),
            reason: sanitize(reason),
        }
    }
}

/// A helper at work; killed with all that it started, if it is not done in time.
struct Running {
    child: Child,
    end: Instant,
}

impl Running {
    fn finish(mut self) -> Result<(bool, Vec<u8>), String> {
        let mut output = Vec::new();
        let Some(mut stdout) = self.child.stdout.take() else {
            return Err("it has no output".to_owned());
        };
        loop {
            self.wait_for(&stdout)?;
            let mut buffer = [0; 4096];
            let count = stdout
                .read(&mut buffer)
                .map_err(|error| error.to_string())?;
            if count == 0 {
                break;
            }
            output.extend_from_slice(buffer.get(..count).unwrap_or_default());
            if output.len() as u64 > MAX_ANSWER {
                return Err(format!("it answers with more than {MAX_ANSWER} bytes"));
            }
        }
        let descriptor = self
            .pid()
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
            .ok_or("it can't be waited for")?;
        self.wait_for(&descriptor)?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        Ok((status.success(), output))
    }

    fn wait_for(&self, descriptor: &impl AsFd) -> Result<(), String> {
        loop {
            let left = self.end.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(|error| error.to_string())?;
            let mut wanted = [PollFd::new(descriptor, PollFlags::IN)];
            match poll(&mut wanted, Some(&timeout)) {
                Ok(0) => return Err("it takes too long".to_owned()),
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.to_string()),
            }
        }
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).ok()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Where it has been waited for already, the number may be another's by now.
        if matches!(self.child.try_wait(), Ok(None)) {
            if let Some(pid) = self.pid() {
                let _ = kill_process_group(pid, Signal::KILL);
            }
            let _ = self.child.wait();
        }
    }
}

fn server_name(server: &str) -> String {
    match server {
        DOCKER_HUB => HUB.to_owned(),
        server => server.to_owned(),
    }
}

/// What helpers say for "none": the words of the protocol, and those of some old ones.
fn is_not_found(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    text.starts_with("credentials not found") || text.contains("could not be found in the keychain")
}
