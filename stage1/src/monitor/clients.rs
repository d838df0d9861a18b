//! Connections to the control socket, and what each waits for.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use pod::AppName;
use pod::control::bounds::{ANSWER_MAX, CGROUPS_MAX};
use pod::control::{AttachRequest, CommandUser, CopyRequest, ExecRequest, FileCopy, Response};
use pod::exit::Outcome;
use pod::seqpacket::SeqPacket;

use super::attachments::AttachmentId;
use crate::failure::StartFailure;
use crate::link::stream::StreamId;
use crate::link::{HandedOver, InitLink, Process};
use crate::protocol::{ExecSpec, ProcessStreams, ToInit};

/// A connection to the control socket.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: SeqPacket,
    awaits: Awaited,
    /// When it is told that it waits in vain.
    deadline: Option<Instant>,
    /// When pod init is looked at, which should have answered by then.
    look_at: Option<Instant>,
    left: bool,
}

/// After how long pod init is looked at, if it has not answered.
const MAYBE_STOPPED: Duration = Duration::from_millis(500);

/// What a client waits for.
#[derive(Debug)]
pub(super) enum Awaited {
    /// Nothing.
    Nothing,
    /// That its command may start: others do so now.
    Turn(Box<AskedCommand>),
    /// A command that it has started, and that command's end.
    Command(Command),
    /// The start of an app.
    Start(AppName),
    /// The end of an app that it has stopped.
    Stop(AppName),
    /// The same, upon which the app leaves the pod.
    Removal(AppName),
    /// The end of an app.
    AppEnd(AppName),
    /// The start of an app, to be attached to it.
    Attachment(AppName, AttachRequest),
    /// The end of an app that it is attached to, which may have a terminal.
    AttachedEnd(AppName, AttachmentId, Option<StreamId>),
    /// The end of the pod.
    PodEnd,
    /// Whatever happens.
    Events,
    /// That it leaves: this app is frozen until then.
    Release(AppName),
    /// What pod init answers to a question, by the monitor's number for it. It may be that this app is frozen until it
    /// leaves.
    Answer { id: u64, holds: Option<AppName> },
}

/// A command that a client asks for.
#[derive(Debug)]
pub(super) struct AskedCommand {
    pub(super) request: ExecRequest,
    /// Whose process it is, if not the app's user's.
    pub(super) user: Option<CommandUser>,
    /// What it copies, if it is that.
    pub(super) copy: Option<FileCopy>,
}

impl AskedCommand {
    /// A program of the app's.
    pub(super) fn of_program(request: ExecRequest, user: Option<CommandUser>) -> Self {
        Self {
            request,
            user,
            copy: None,
        }
    }

    /// One that copies files, as root of the app.
    pub(super) fn of_copy(asked: CopyRequest) -> Self {
        let root = || "0".to_owned();
        Self {
            request: ExecRequest {
                app: asked.app,
                argv: Vec::new(),
                env: Vec::new(),
                workdir: None,
                detach: false,
                tty: false,
                size: None,
                timeout_ms: None,
                outlives: false,
            },
            user: Some(CommandUser {
                user: root(),
                group: root(),
            }),
            copy: Some(asked.copy),
        }
    }
}

#[derive(Debug)]
pub(super) struct Command {
    id: u64,
    /// The app that it is in; the only one if none is named.
    app: Option<AppName>,
    /// The client's ends of its streams, until it has them.
    streams: Vec<OwnedFd>,
    /// Its terminal, to be resized.
    terminal: Option<StreamId>,
    /// Whether nobody waits for it.
    detached: bool,
    /// Whether it outlives the connection.
    outlives: bool,
    runs: bool,
}

impl Client {
    pub(super) fn new(socket: SeqPacket) -> Self {
        Self {
            socket,
            awaits: Awaited::Nothing,
            deadline: None,
            look_at: None,
            left: false,
        }
    }

    /// The connection is over. It stays in its place until nobody counts by places any more.
    pub(super) fn leave(&mut self) {
        self.left = true;
    }

    /// Whether the connection is over.
    pub(super) fn has_left(&self) -> bool {
        self.left
    }

    /// What it waits for.
    pub(super) fn awaits(&self) -> &Awaited {
        &self.awaits
    }

    /// Whether it can wait for something.
    pub(super) fn is_free(&self) -> bool {
        matches!(self.awaits, Awaited::Nothing)
    }

    /// The command that it has started and waits for.
    pub(super) fn command(&self) -> Option<u64> {
        match &self.awaits {
            Awaited::Command(command) if !command.outlives => Some(command.id),
            _ => None,
        }
    }

    /// The app that is frozen for as long as it is there.
    pub(super) fn holds(&self) -> Option<&AppName> {
        match &self.awaits {
            Awaited::Release(app) => Some(app),
            Awaited::Answer { holds, .. } => holds.as_ref(),
            _ => None,
        }
    }

    /// Whether it waits for the answer to this question.
    pub(super) fn waits_for_answer(&self, question: u64) -> bool {
        matches!(self.awaits, Awaited::Answer { id, .. } if id == question)
    }

    /// Pod init has answered this question.
    pub(super) fn hear_answer(&mut self, question: u64, response: &Response, is_done: bool) {
        let Awaited::Answer { id, holds } = &mut self.awaits else {
            return;
        };
        if *id != question {
            return;
        }
        match holds.take().filter(|_| is_done) {
            Some(app) => {
                self.await_this(Awaited::Release(app));
                self.tell(response, &[]);
            }
            None => self.end_wait(response),
        }
    }

    /// Whether this connection started the command with this number.
    pub(super) fn waits_for_command(&self, id: u64) -> bool {
        matches!(&self.awaits, Awaited::Command(command) if command.id == id)
    }

    /// Whether pod init has still to answer to its command.
    pub(super) fn starts_command(&self) -> bool {
        matches!(&self.awaits, Awaited::Command(command) if !command.runs)
    }

    /// The app of the command that it has started.
    pub(super) fn command_is_in(&self) -> Option<&AppName> {
        match &self.awaits {
            Awaited::Command(command) => command.app.as_ref(),
            _ => None,
        }
    }

    /// The app of the command whose turn it waits for, if it does.
    pub(super) fn waits_for_turn(&self) -> Option<Option<&AppName>> {
        match &self.awaits {
            Awaited::Turn(asked) if !self.left => Some(asked.request.app.as_ref()),
            _ => None,
        }
    }

    /// The command whose turn it waits for: from now on it doesn't.
    pub(super) fn take_turn(&mut self) -> Option<AskedCommand> {
        match std::mem::replace(&mut self.awaits, Awaited::Nothing) {
            Awaited::Turn(asked) => Some(*asked),
            other => {
                self.awaits = other;
                None
            }
        }
    }

    /// What it wants to share of this app, whose start it waits for: from now on it doesn't.
    pub(super) fn take_attachment(&mut self, app: &AppName) -> Option<AttachRequest> {
        if !matches!(&self.awaits, Awaited::Attachment(name, _) if name == app) {
            return None;
        }
        match std::mem::replace(&mut self.awaits, Awaited::Nothing) {
            Awaited::Attachment(_, request) => Some(request),
            _ => None,
        }
    }

    /// The app that it is attached to, if by this share of its streams.
    pub(super) fn is_attached_by(&self, attachment: AttachmentId) -> Option<&AppName> {
        match &self.awaits {
            Awaited::AttachedEnd(app, id, _) if *id == attachment => Some(app),
            _ => None,
        }
    }

    /// From now on it waits for this.
    pub(super) fn await_this(&mut self, awaited: Awaited) {
        self.deadline = match awaited {
            Awaited::Turn(_) | Awaited::Start(_) | Awaited::Command(_) => {
                Instant::now().checked_add(ANSWER_MAX)
            }
            Awaited::Answer { .. } => Instant::now().checked_add(CGROUPS_MAX),
            _ => None,
        };
        let now = Instant::now();
        let look_at = self.deadline.and_then(|_| now.checked_add(MAYBE_STOPPED));
        self.look_at = look_at;
        self.awaits = awaited;
    }

    /// When the client is to be looked after next.
    pub(super) fn due(&self) -> Option<Instant> {
        let look_at = self.look_at.filter(|_| !self.left);
        look_at.into_iter().chain(self.deadline()).min()
    }

    /// Whether pod init is to be looked at for it, now: once.
    pub(super) fn looks_at_init(&mut self, now: Instant) -> bool {
        let is_due = self.look_at.is_some_and(|instant| instant <= now);
        if is_due {
            self.look_at = None;
        }
        is_due && !self.left
    }

    /// When [`Client::give_up`] is due.
    fn deadline(&self) -> Option<Instant> {
        self.deadline.filter(|_| !self.left)
    }

    /// It has waited long enough.
    pub(super) fn give_up(&mut self) {
        let seconds = match self.awaits {
            Awaited::Answer { .. } => CGROUPS_MAX.as_secs(),
            _ => ANSWER_MAX.as_secs(),
        };
        let message = match self.awaits {
            Awaited::Turn(_) => {
                format!("too many commands are being started in this pod, for {seconds} s")
            }
            _ => format!("pod init did not answer within {seconds} s"),
        };
        self.end_wait(&refusal(StartFailure::other(message)));
    }

    /// It waits in vain: that process, which pod init is or runs in, is stopped.
    pub(super) fn hear_stopped(&mut self, what: &str, pid: i32) {
        let message = format!(
            "{what} is stopped (process {pid}); `kill -CONT {pid}` lets it go on, `fairing stop --force POD` ends the pod"
        );
        self.end_wait(&refusal(StartFailure::other(message)));
    }

    /// Whether it has waited long enough.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|instant| instant <= now)
    }

    /// Tells it what it has waited for.
    pub(super) fn end_wait(&mut self, response: &Response) {
        self.awaits = Awaited::Nothing;
        self.deadline = None;
        self.look_at = None;
        self.tell(response, &[]);
    }

    /// Sends it something. One that doesn't read is dropped.
    pub(super) fn tell(&mut self, response: &Response, fds: &[OwnedFd]) {
        let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        if self.socket.send(response, &borrowed).is_err() {
            self.leave();
        }
    }

    /// Passes a command on to pod init.
    pub(super) fn execute(
        &mut self,
        link: &mut dyn InitLink,
        id: u64,
        asked: AskedCommand,
    ) -> Result<(), StartFailure> {
        let AskedCommand {
            request,
            user,
            copy,
        } = asked;
        let (streams, ours) = match (request.detach, request.tty) {
            (true, _) => (ProcessStreams::Nothing, Vec::new()),
            (false, true) => {
                let terminal = link.open_terminal()?;
                let size = request.size;
                (ProcessStreams::Terminal { terminal, size }, Vec::new())
            }
            (false, false) => {
                let (stdin, input) = link.open_input()?;
                let (stdout, output) = link.open_output()?;
                let (stderr, error) = link.open_output()?;
                let streams = ProcessStreams::Pipes {
                    stdin: Some(stdin),
                    stdout,
                    stderr,
                };
                (streams, vec![input, output, error])
            }
        };
        let app = request.app.clone();
        let spec = ExecSpec {
            id,
            app: request.app,
            argv: request.argv,
            env: request.env,
            workdir: request.workdir,
            user,
            copy,
            timeout_ms: request.timeout_ms,
            streams,
        };
        link.send(&ToInit::Exec(Box::new(spec)), HandedOver::Nothing)?;
        self.await_this(Awaited::Command(Command {
            id,
            app,
            streams: ours,
            terminal: streams.terminal(),
            detached: request.detach,
            outlives: request.detach || request.outlives,
            runs: false,
        }));
        Ok(())
    }

    /// The command runs: the client gets its streams.
    pub(super) fn started(&mut self, process: Option<Process>, terminal: Option<OwnedFd>) {
        let Awaited::Command(command) = &mut self.awaits else {
            return;
        };
        let pid = process.as_ref().and_then(Process::pid).unwrap_or_default();
        let mut streams = std::mem::take(&mut command.streams);
        streams.extend(terminal);
        command.runs = true;
        if command.detached {
            self.awaits = Awaited::Nothing;
        }
        self.deadline = None;
        self.look_at = None;
        self.tell(&Response::ExecStarted { pid }, &streams);
    }

    /// The command could not be started.
    pub(super) fn failed(&mut self, failure: StartFailure) {
        self.end_wait(&refusal(failure));
    }

    /// The command has ended.
    pub(super) fn ended(&mut self, outcome: Outcome, timed_out: bool) {
        self.end_wait(&Response::ExecExited { outcome, timed_out });
    }

    /// The terminal of what it has started or is attached to.
    pub(super) fn terminal(&self) -> Option<StreamId> {
        match &self.awaits {
            Awaited::Command(command) => command.terminal,
            Awaited::AttachedEnd(_, _, terminal) => *terminal,
            _ => None,
        }
    }
}

/// The answer to a request that could not be carried out.
pub(super) fn refusal(failure: StartFailure) -> Response {
    Response::Refused {
        kind: failure.kind,
        message: failure.message,
    }
}
