//! One question of a probe: what is said, and heard, over the connections that it takes.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use nix::poll::PollFlags;
use pod::manifest::{HttpGetAction, ProbeAction, Scheme};
use rustix::io::Errno;
use rustls::ClientConfig;

use super::connection::Connection;
use super::grpc::Call;
use super::http::{self, Said};
use super::outcome::{failed, unknown};
use super::redirect::{self, REDIRECTS_MAX};
use super::tls;
use crate::protocol::ProbeOutcome;

/// How much of an answer of HTTP is looked at, in bytes.
const ANSWER_MAX: usize = 16 << 10;

/// One question.
#[derive(Debug)]
pub(super) struct Exchange {
    connection: Connection,
    to_say: Vec<u8>,
    said: usize,
    asked: Asked,
    tls: Option<Arc<ClientConfig>>,
    pub(super) deadline: Instant,
}

/// What is asked, and what has been heard of it.
#[derive(Debug)]
enum Asked {
    /// A connection is all that is asked for.
    Connection,
    Http {
        action: HttpGetAction,
        answer: Vec<u8>,
        redirects: u8,
    },
    Grpc(Call),
}

/// What comes of a step.
enum Step {
    More,
    Over(ProbeOutcome),
    /// The same is asked elsewhere.
    Next(HttpGetAction),
}

impl Exchange {
    /// Begins to ask. `tls` is made where it is needed first.
    pub(super) fn begin(
        action: &ProbeAction,
        tls: &mut Option<Arc<ClientConfig>>,
        deadline: Instant,
    ) -> Result<Self, ProbeOutcome> {
        let (host, port, to_say, asked) = match action {
            ProbeAction::TcpSocket { port, host } => (*host, *port, Vec::new(), Asked::Connection),
            ProbeAction::HttpGet(action) => {
                let asked = Asked::Http {
                    action: action.clone(),
                    answer: Vec::new(),
                    redirects: 0,
                };
                (action.host, action.port, http::request(action), asked)
            }
            ProbeAction::Grpc { port, service } => {
                let call = Call::new(*port, service);
                let (call, to_say) =
                    call.ok_or_else(|| unknown("the name of the service is too long"))?;
                (None, *port, to_say, Asked::Grpc(call))
            }
            ProbeAction::Exec(_) => return Err(unknown("pod init runs no commands of probes")),
        };
        let scheme = match action {
            ProbeAction::HttpGet(action) => action.scheme,
            _ => Scheme::Http,
        };
        Ok(Self {
            connection: open(host, port, scheme, tls)?,
            to_say,
            said: 0,
            asked,
            tls: tls.clone(),
            deadline,
        })
    }

    pub(super) fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        let has_more_to_say = self.said < self.to_say.len();
        let flags = self.connection.awaits(has_more_to_say);
        (self.connection.fd(), flags)
    }

    /// Does what can be done without waiting.
    pub(super) fn advance(&mut self) -> Option<ProbeOutcome> {
        loop {
            let next = match self.go_on() {
                Ok(Step::More) => return None,
                Ok(Step::Over(outcome)) => return Some(outcome),
                Ok(Step::Next(action)) => action,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => return None,
                    _ => return Some(failed(format!("the connection failed: {error}"))),
                },
            };
            if let Err(outcome) = self.follow(next) {
                return Some(outcome);
            }
        }
    }

    /// Asks where the answer is said to be.
    fn follow(&mut self, next: HttpGetAction) -> Result<(), ProbeOutcome> {
        self.connection = open(next.host, next.port, next.scheme, &mut self.tls)?;
        self.to_say = http::request(&next);
        self.said = 0;
        if let Asked::Http {
            action,
            answer,
            redirects,
        } = &mut self.asked
        {
            *redirects += 1;
            *action = next;
            answer.clear();
        }
        Ok(())
    }

    fn go_on(&mut self) -> io::Result<Step> {
        self.connection.finish_connecting()?;
        if matches!(self.asked, Asked::Connection) {
            return Ok(Step::Over(ProbeOutcome::Passed));
        }
        self.say()?;
        let mut some = [0; 4096];
        loop {
            let count = self.connection.read(&mut some)?;
            let heard = some.get(..count).unwrap_or_default();
            let step = self.asked.hear(heard, &mut self.to_say);
            match step {
                Step::More => self.say()?,
                step => return Ok(step),
            }
        }
    }

    fn say(&mut self) -> io::Result<()> {
        while let Some(rest) = self.to_say.get(self.said..).filter(|rest| !rest.is_empty()) {
            self.said += self.connection.write(rest)?;
        }
        Ok(())
    }
}

impl Asked {
    /// Takes what has come; nothing is the end.
    fn hear(&mut self, some: &[u8], to_say: &mut Vec<u8>) -> Step {
        match self {
            Self::Connection => Step::More,
            Self::Http {
                action,
                answer,
                redirects,
            } => {
                answer.extend(some);
                match http::judge(answer) {
                    None if some.is_empty() || answer.len() > ANSWER_MAX => {
                        Step::Over(failed("the answer is none of HTTP"))
                    }
                    None => Step::More,
                    Some(Said::Outcome(outcome)) => Step::Over(outcome),
                    Some(Said::Redirect(location)) => match redirect::follow(action, &location) {
                        Err(redirect::NoAddress) => {
                            Step::Over(failed("the answer is a redirect to no address"))
                        }
                        Ok(None) => Step::Over(ProbeOutcome::Passed),
                        Ok(Some(_)) if *redirects >= REDIRECTS_MAX => {
                            Step::Over(failed("the answer is a redirect, again and again"))
                        }
                        Ok(Some(next)) => Step::Next(next),
                    },
                }
            }
            Self::Grpc(_) if some.is_empty() => {
                Step::Over(failed("the server has hung up before it has answered"))
            }
            Self::Grpc(call) => call.hear(some, to_say).map_or(Step::More, Step::Over),
        }
    }
}

/// A connection to the pod itself, where no host is named.
fn open(
    host: Option<IpAddr>,
    port: u16,
    scheme: Scheme,
    tls: &mut Option<Arc<ClientConfig>>,
) -> Result<Connection, ProbeOutcome> {
    let address = host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let config = match scheme {
        Scheme::Http => None,
        Scheme::Https => {
            if tls.is_none() {
                *tls = Some(tls::configuration().map_err(|error| unknown(error.to_string()))?);
            }
            tls.clone()
        }
    };
    Connection::open(address, port, config).map_err(|error| match is_lack(&error) {
        true => unknown(error.to_string()),
        false => failed(format!("cannot connect to port {port}: {error}")),
    })
}

/// Whether it is pod init that lacks something, which says nothing of the app.
fn is_lack(error: &io::Error) -> bool {
    let lacks = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    Errno::from_io_error(error).is_some_and(|errno| lacks.contains(&errno))
}
