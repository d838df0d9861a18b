//! Sharing the standard streams of an app that runs, from now on until it ends or the user leaves it.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use engine::Error;
use engine::error::MonitorError;
use engine::pods::connection::{START, await_answer, unexpected};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use pod::control::{AttachRequest, Request, Response};
use pod::exit::Outcome;
use pod::seqpacket::SeqPacket;
use pod::signal::SignalNumber;
use pod::{AppName, PodError};

use crate::console::output::Stream;
use crate::start::readiness::HeldSignals;
use crate::sys::outlive_closed_pipes;
use crate::terminal::detach_keys::DetachKeys;
use crate::terminal::pump::{Downstream, Upstream, code_unless_lost};
use crate::terminal::raw_mode::{RawMode, window_size};
use crate::terminal::waiting::{Role, Waiting, watch_signals};
use crate::wording::failure::Failure;

/// How long the end of the output is waited for once the app has ended: what it has started may hold it open.
const REST: Duration = Duration::from_secs(1);

/// Signals that go to the app instead of to this command.
const PROXIED: [Signal; 6] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// How an attachment is.
pub(crate) struct Manner {
    /// The keys that leave the app to itself, if there are any.
    pub(crate) keys: Option<DetachKeys>,
    /// Whether signals are passed on to an app without a terminal.
    pub(crate) sig_proxy: bool,
}

/// How an attachment has ended, with the exit code for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With the app, as whose exit code a shell would show this.
    App(u8),
    /// The app goes on.
    Left(u8),
}

/// How it ended.
enum End {
    App(Option<Outcome>),
    Signal(i32),
    Detached,
}

/// An attachment that has been asked for.
pub(crate) struct Asked {
    connection: SeqPacket,
    app: Option<AppName>,
    stdin: bool,
}

/// Asks to be attached.
///
/// # Errors
/// If the pod has ended.
pub(crate) fn ask(connection: SeqPacket, request: AttachRequest) -> Result<Asked, Failure> {
    let (app, stdin) = (request.app.clone(), request.stdin);
    match connection.send(&Request::Attach(request), &[]) {
        Err(PodError::Ended) => return Err(gone()),
        other => other?,
    }
    Ok(Asked {
        connection,
        app,
        stdin,
    })
}

/// Attaches, and stays so to the end. Signals that are held until now do what they do to an attachment.
///
/// # Errors
/// If the monitor refuses, or the pod ends without a word of the app.
pub(crate) fn go_on(
    asked: Asked,
    manner: Manner,
    held: Option<HeldSignals>,
) -> Result<Ended, Failure> {
    outlive_closed_pipes();
    let Asked {
        connection,
        app,
        stdin,
    } = asked;
    let (tty, descriptors) = await_streams(&connection)?;
    let (mut upstream, downstreams) = streams(descriptors, tty, stdin)?;
    if let Some(keys) = manner.keys {
        upstream.end_by(keys);
    }
    let proxies = manner.sig_proxy && !tty;
    // Blocked before the terminal is raw: no signal can come in between and leave it so.
    let signals = (tty || proxies)
        .then(|| watch_signals(&PROXIED))
        .transpose()?;
    if signals.is_none()
        && let Some(held) = held
    {
        held.release();
    }
    let raw = match tty && stdin {
        true => RawMode::enter()?,
        false => None,
    };
    let mut attachment = Attachment {
        connection,
        app,
        upstream,
        downstreams,
        signals,
        proxies,
        ended: None,
    };
    let end = attachment.go_on();
    drop(raw);
    let code = |code| code_unless_lost(code, &attachment.downstreams);
    match end? {
        End::App(Some(outcome)) => Ok(Ended::App(code(outcome.exit_code())?)),
        End::App(None) => Err(gone()),
        End::Signal(signal) => Ok(Ended::Left(code(128 + signal)?)),
        End::Detached => Ok(Ended::Left(code(0)?)),
    }
}

fn gone() -> Failure {
    Failure::Other("the pod ended without telling how the app did".to_owned())
}

/// Whether the app has a terminal, and our ends of its streams.
fn await_streams(connection: &SeqPacket) -> Result<(bool, Vec<OwnedFd>), Failure> {
    if !await_answer(connection, Some(START))? {
        return Err(Error::Monitor(MonitorError::Mute(START)).into());
    }
    match connection.recv::<Response>()? {
        Some((Response::Attached { tty }, descriptors)) => Ok((tty, descriptors)),
        Some((Response::Refused { kind, message }, _)) => {
            Err(Error::Refusing { kind, message }.into())
        }
        Some((other, _)) => Err(unexpected(&other).into()),
        None => Err(gone()),
    }
}

/// Pipes: the input if it was asked for, the output, and the errors unless a terminal is both.
fn streams(
    descriptors: Vec<OwnedFd>,
    tty: bool,
    stdin: bool,
) -> Result<(Upstream, Vec<Downstream>), Failure> {
    let count = descriptors.len();
    let wrong = || PodError::Protocol(format!("{count} descriptors came with an app's streams"));
    if count != usize::from(stdin) + 1 + usize::from(!tty) {
        return Err(wrong().into());
    }
    let mut descriptors = descriptors.into_iter();
    let upstream = match stdin {
        true => Upstream::new(descriptors.next().ok_or_else(wrong)?, false, true)?,
        false => Upstream::nowhere(),
    };
    let sinks = [Stream::Stdout, Stream::Stderr];
    let downstreams = descriptors
        .zip(sinks)
        .map(|(source, sink)| Downstream::new(source, false, sink));
    Ok((upstream, downstreams.collect::<Result<_, _>>()?))
}

struct Attachment {
    connection: SeqPacket,
    app: Option<AppName>,
    upstream: Upstream,
    downstreams: Vec<Downstream>,
    signals: Option<SignalFd>,
    proxies: bool,
    /// How the app has ended, and until when the rest of its output is waited for.
    ended: Option<(Option<Outcome>, Instant)>,
}

impl Attachment {
    fn go_on(&mut self) -> Result<End, Failure> {
        loop {
            if let Some((outcome, until)) = self.ended {
                if Instant::now() >= until {
                    self.downstreams.iter_mut().for_each(Downstream::conclude);
                    for downstream in &mut self.downstreams {
                        while downstream.moves() {}
                    }
                }
                if self.downstreams.iter().all(Downstream::is_done) {
                    return Ok(End::App(outcome));
                }
            }
            let ready = self.wait()?;
            if ready.contains(&Role::Signals)
                && let Some(signal) = self.signal()?
            {
                return Ok(End::Signal(signal));
            }
            if ready.contains(&Role::Input) {
                self.upstream.read();
                if self.upstream.is_detached() {
                    return Ok(End::Detached);
                }
            }
            if ready.contains(&Role::ToApp) {
                self.upstream.write();
            }
            for (at, downstream) in self.downstreams.iter_mut().enumerate() {
                if ready.contains(&Role::ToUs(at)) {
                    downstream.write();
                }
                if ready.contains(&Role::FromApp(at)) {
                    downstream.moves();
                }
            }
            if ready.contains(&Role::Connection) {
                self.hear()?;
            }
        }
    }

    fn wait(&self) -> Result<Vec<Role>, Failure> {
        let waiting = Waiting {
            connection: self.ended.is_none().then_some(&self.connection),
            signals: self.signals.as_ref(),
            upstream: &self.upstream,
            downstreams: &self.downstreams,
            until: self.ended.map(|(_, until)| until),
        };
        waiting.wait()
    }

    /// Takes signals; gives the one that ends this, if one does.
    fn signal(&mut self) -> Result<Option<i32>, Failure> {
        while let Some(signals) = &self.signals
            && let Ok(Some(info)) = signals.read_signal()
        {
            let number = i32::try_from(info.ssi_signo).unwrap_or_default();
            let request = match (number == Signal::SIGWINCH as i32, window_size()) {
                (true, None) => continue,
                (true, Some(size)) => Request::Resize(size),
                (false, _) if !self.proxies => return Ok(Some(number)),
                (false, _) => match SignalNumber::try_from(number) {
                    Ok(signal) => Request::Signal {
                        app: self.app.clone(),
                        signal,
                    },
                    Err(_) => continue,
                },
            };
            match self.connection.send(&request, &[]) {
                // What it said last is read next.
                Err(PodError::Ended) => {}
                other => other?,
            }
        }
        Ok(None)
    }

    /// The monitor says something: the app has ended, or a signal has been passed on.
    fn hear(&mut self) -> Result<(), Failure> {
        let outcome = match self.connection.recv::<Response>()? {
            Some((Response::Done, _)) => return Ok(()),
            Some((Response::AppEnded { outcome, .. }, _)) => outcome,
            Some((Response::Refused { kind, message }, _)) => {
                return Err(Error::Refusing { kind, message }.into());
            }
            Some((other, _)) => return Err(unexpected(&other).into()),
            None => None,
        };
        self.ended = Some((outcome, Instant::now() + REST));
        Ok(())
    }
}
