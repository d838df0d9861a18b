//! What is behind the URLs: monitors of pods.

use std::os::fd::OwnedFd;

use cri_streaming::{Failure, Process, Streams, Wanted};
use engine::config::directories::Directories;
use engine::pods::connection::{START, await_answer, connect_when_up, unexpected};
use engine::pods::port_forward;
use pod::control::{AttachRequest, ExecRequest, Request, Response};
use pod::seqpacket::SeqPacket;
use pod::{AppName, PodEntry};

use super::process::{Attached, Executed, only_wanted, streams};
use crate::journal::{self, Priority};

/// The pods of some directories.
#[derive(Debug)]
pub(crate) struct PodStreams {
    directories: Directories,
}

/// An app of a pod that ran when somebody asked for a URL.
#[derive(Debug)]
pub(crate) struct AppTarget {
    /// Its pod.
    pub(crate) pod: PodEntry,
    /// Its name.
    pub(crate) app: AppName,
}

/// A command in an app.
#[derive(Debug)]
pub(crate) struct Command {
    /// Where.
    pub(crate) app: AppTarget,
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
}

impl PodStreams {
    pub(super) fn new(directories: Directories) -> Self {
        Self { directories }
    }

    /// Asks the monitor of a pod to begin something; gives the connection, the answer and what came with it.
    fn begin(
        &self,
        pod: &PodEntry,
        request: &Request,
    ) -> Result<(SeqPacket, Response, Vec<OwnedFd>), Failure> {
        let connection = connect_when_up(pod, &self.directories)?.ok_or("the pod has ended")?;
        connection.send(request, &[])?;
        if !await_answer(&connection, Some(START))? {
            return Err("the pod's monitor does not answer".into());
        }
        match connection.recv::<Response>()? {
            Some((Response::Refused { message, .. }, _)) => Err(message.into()),
            Some((response, descriptors)) => Ok((connection, response, descriptors)),
            None => Err("the pod has ended".into()),
        }
    }
}

impl Streams for PodStreams {
    type Exec = Command;
    type Attach = AppTarget;
    type PortForward = PodEntry;

    fn exec(&self, request: Command, wanted: Wanted) -> Result<Process, Failure> {
        // What programs in terminals expect, as other runtimes have it.
        let env = match wanted.terminal() {
            true => vec!["TERM=xterm".to_owned()],
            false => Vec::new(),
        };
        let asked = Request::Exec(ExecRequest {
            app: Some(request.app.app),
            argv: request.argv,
            env,
            workdir: None,
            detach: false,
            tty: wanted.terminal(),
            size: None,
            timeout_ms: None,
            // Who leaves ends no command, as in other runtimes.
            outlives: true,
        });
        match self.begin(&request.app.pod, &asked)? {
            (connection, Response::ExecStarted { .. }, descriptors) => Ok(Process {
                streams: streams(descriptors, wanted.terminal(), true, wanted)?,
                control: Box::new(Executed::new(connection)),
            }),
            (_, other, _) => Err(unexpected(&other).into()),
        }
    }

    fn attach(&self, request: AppTarget, wanted: Wanted) -> Result<Process, Failure> {
        let asked = |stdin: bool| {
            Request::Attach(AttachRequest {
                app: Some(request.app.clone()),
                stdin,
                size: None,
                at_start: false,
            })
        };
        let with_input = match wanted.stdin() {
            true => self.begin(&request.pod, &asked(true)).ok(),
            false => None,
        };
        let has_input = with_input.is_some();
        // One that has no input, or has none any more, is looked at all the same, as in other runtimes: what is written to
        // it goes nowhere. Any other reason is given a second time.
        let begun = match with_input {
            Some(begun) => begun,
            None => self.begin(&request.pod, &asked(false))?,
        };
        match begun {
            (connection, Response::Attached { tty }, descriptors) => Ok(Process {
                streams: only_wanted(streams(descriptors, tty, has_input, wanted)?, wanted),
                control: Box::new(Attached::new(connection)),
            }),
            (_, other, _) => Err(unexpected(&other).into()),
        }
    }

    fn connect(&self, request: &PodEntry, port: u16) -> Result<OwnedFd, Failure> {
        Ok(port_forward::connect(request, &self.directories, port)?.into())
    }

    fn owner(&self, request: &Command) -> String {
        format!("{} {}", request.app.pod.uuid, request.app.app)
    }

    fn warn(&self, text: &str) {
        journal::line(Priority::Warning, &format!("warning: {text}"));
    }
}
