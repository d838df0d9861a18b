//! Probes over the pod's network: connections that pod init opens, without ever waiting for one. It is in that network
//! on every isolator, and needs no other program.

mod http;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, getsockopt, socket, sockopt,
};
use pod::manifest::{HttpGetAction, ProbeAction, Scheme};

use crate::protocol::{ProbeOutcome, ProbeSpec};

/// Most probes at once: what is beyond that is not asked.
const PROBES_MAX: usize = 256;
/// How much of an answer is looked at, in bytes.
const ANSWER_MAX: usize = 16 << 10;

/// All probes on their way, by the monitor's number for each.
#[derive(Debug, Default)]
pub(super) struct Probes(BTreeMap<u64, Exchange>);

/// What is said, and heard, over one connection.
#[derive(Debug)]
struct Exchange {
    stream: TcpStream,
    is_connected: bool,
    request: Vec<u8>,
    sent: usize,
    /// What has been heard; `None` where a connection is all that is asked for.
    answer: Option<Vec<u8>>,
    deadline: Instant,
}

impl Probes {
    /// Begins to ask. The result is what it comes to, if that is known at once.
    pub(super) fn begin(&mut self, spec: &ProbeSpec, now: Instant) -> Option<ProbeOutcome> {
        if self.0.len() >= PROBES_MAX {
            return Some(unknown("there are too many probes at once"));
        }
        let (host, port, request) = match &spec.action {
            ProbeAction::TcpSocket { port, host } => (host.as_deref(), *port, None),
            ProbeAction::HttpGet(action) if action.scheme == Scheme::Http => {
                (action.host.as_deref(), action.port, Some(request(action)))
            }
            _ => return Some(unknown("pod init can't ask that")),
        };
        let Some(address) = address(host) else {
            return Some(unknown("the host of a probe has to be an IP address"));
        };
        match open(SocketAddr::new(address, port)) {
            Ok((stream, is_connected)) => {
                let deadline = Duration::from_millis(spec.timeout_ms);
                let exchange = Exchange {
                    stream,
                    is_connected,
                    sent: 0,
                    answer: request.as_ref().map(|_| Vec::new()),
                    request: request.unwrap_or_default(),
                    deadline: now.checked_add(deadline).unwrap_or(now),
                };
                self.0.insert(spec.id, exchange);
                None
            }
            Err(errno) if is_lack(errno) => Some(unknown(errno.desc())),
            Err(errno) => Some(failed(format!(
                "cannot connect to port {port}: {}",
                errno.desc()
            ))),
        }
    }

    /// What to wait for, before [`Probes::advance`].
    pub(super) fn interests(&self) -> Vec<(BorrowedFd<'_>, PollFlags)> {
        let all = self.0.values();
        all.map(|exchange| (exchange.stream.as_fd(), exchange.awaits()))
            .collect()
    }

    /// When [`Probes::give_up_overdue`] is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.values().map(|exchange| exchange.deadline).min()
    }

    /// Goes on with those that are ready: `ready` answers [`Probes::interests`] one by one. The result is what is over.
    pub(super) fn advance(&mut self, ready: &[bool]) -> Vec<(u64, ProbeOutcome)> {
        let ready = self.0.iter_mut().zip(ready).filter(|(_, ready)| **ready);
        let over: Vec<_> = ready
            .filter_map(|((id, exchange), _)| Some((*id, exchange.advance()?)))
            .collect();
        for (id, _) in &over {
            self.0.remove(id);
        }
        over
    }

    /// Ends those whose time is up.
    pub(super) fn give_up_overdue(&mut self, now: Instant) -> Vec<(u64, ProbeOutcome)> {
        let overdue = self.0.extract_if(.., |_, one| one.deadline <= now);
        overdue
            .map(|(id, _)| (id, failed("there was no answer in time")))
            .collect()
    }
}

impl Exchange {
    fn awaits(&self) -> PollFlags {
        match self.is_connected && self.sent >= self.request.len() {
            true => PollFlags::POLLIN,
            false => PollFlags::POLLOUT,
        }
    }

    /// Does what can be done without waiting.
    fn advance(&mut self) -> Option<ProbeOutcome> {
        match self.go_on() {
            Ok(outcome) => outcome,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Err(error) => Some(failed(format!("the connection failed: {error}"))),
        }
    }

    fn go_on(&mut self) -> io::Result<Option<ProbeOutcome>> {
        if !self.is_connected {
            match getsockopt(&self.stream, sockopt::SocketError)? {
                0 => self.is_connected = true,
                errno => return Err(io::Error::from_raw_os_error(errno)),
            }
        }
        let Some(answer) = &mut self.answer else {
            return Ok(Some(ProbeOutcome::Passed));
        };
        while let Some(rest) = self
            .request
            .get(self.sent..)
            .filter(|rest| !rest.is_empty())
        {
            self.sent += self.stream.write(rest)?;
        }
        let mut some = [0; 4096];
        loop {
            let count = self.stream.read(&mut some)?;
            answer.extend(some.iter().take(count));
            if let Some(outcome) = http::judge(answer) {
                return Ok(Some(outcome));
            }
            if count == 0 || answer.len() > ANSWER_MAX {
                return Ok(Some(failed("the answer is none of HTTP")));
            }
        }
    }
}

fn request(action: &HttpGetAction) -> Vec<u8> {
    http::request(action)
}

/// The pod itself where no host is named.
fn address(host: Option<&str>) -> Option<IpAddr> {
    match host {
        None | Some("localhost") => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        Some(host) => host.parse().ok(),
    }
}

/// A connection that is there, or on its way.
fn open(address: SocketAddr) -> Result<(TcpStream, bool), Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) => Ok((TcpStream::from(socket), true)),
        Err(Errno::EINPROGRESS) => Ok((TcpStream::from(socket), false)),
        Err(errno) => Err(errno),
    }
}

/// Whether it is pod init that lacks something, which says nothing of the app.
fn is_lack(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS
    )
}

fn failed(reason: impl Into<String>) -> ProbeOutcome {
    let reason = reason.into();
    ProbeOutcome::Failed { reason }
}

fn unknown(reason: impl Into<String>) -> ProbeOutcome {
    let reason = reason.into();
    ProbeOutcome::Unknown { reason }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use nix::poll::{PollFd, PollTimeout, poll};
    use pod::manifest::ProbeAction;

    use super::*;

    fn tcp(port: u16) -> ProbeAction {
        ProbeAction::TcpSocket { port, host: None }
    }

    fn http(port: u16) -> ProbeAction {
        ProbeAction::HttpGet(HttpGetAction {
            port,
            path: String::new(),
            host: None,
            scheme: Scheme::Http,
            headers: Vec::new(),
        })
    }

    /// Asks as pod init does.
    fn ask(action: ProbeAction, timeout_ms: u64) -> ProbeOutcome {
        let mut probes = Probes::default();
        let spec = ProbeSpec {
            id: 7,
            action,
            timeout_ms,
        };
        if let Some(outcome) = probes.begin(&spec, Instant::now()) {
            return outcome;
        }
        loop {
            let mut fds: Vec<_> = probes
                .interests()
                .into_iter()
                .map(|(fd, flags)| PollFd::new(fd, flags))
                .collect();
            let left = probes
                .deadline()
                .unwrap()
                .saturating_duration_since(Instant::now());
            let left = left + Duration::from_millis(1);
            poll(&mut fds, PollTimeout::try_from(left).unwrap()).unwrap();
            let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap()).collect();
            let mut over = probes.advance(&ready);
            over.extend(probes.give_up_overdue(Instant::now()));
            if let Some((id, outcome)) = over.pop() {
                assert_eq!((id, probes.interests().len()), (7, 0));
                return outcome;
            }
        }
    }

    fn answering(answer: &'static [u8]) -> (u16, std::thread::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut some = [0; 512];
            while !asked.ends_with(b"\r\n\r\n") {
                let count = stream.read(&mut some).unwrap();
                asked.extend(&some[..count]);
            }
            stream.write_all(answer).unwrap();
            asked
        });
        (port, server)
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_well_and_one_that_nobody_does_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(ask(tcp(port), 5000), ProbeOutcome::Passed);
        drop(listener);
        let ProbeOutcome::Failed { reason } = ask(tcp(port), 5000) else {
            panic!("nobody listens");
        };
        assert!(reason.contains("refused"), "{reason}");
    }

    #[test]
    fn a_server_says_by_its_status_whether_it_is_well() {
        let (port, server) = answering(b"HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(ask(http(port), 5000), ProbeOutcome::Passed);
        let asked = String::from_utf8(server.join().unwrap()).unwrap();
        assert!(asked.starts_with("GET / HTTP/1.1\r\n"), "{asked}");
        let (port, server) = answering(b"HTTP/1.1 503 Busy\r\n\r\n");
        let busy = ProbeOutcome::Failed {
            reason: "the status is 503".to_owned(),
        };
        assert_eq!(ask(http(port), 5000), busy);
        server.join().unwrap();
    }

    #[test]
    fn a_server_that_never_answers_is_waited_for_no_longer_than_its_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let late = failed("there was no answer in time");
        assert_eq!(ask(http(port), 50), late);
    }

    #[test]
    fn a_host_that_is_a_name_is_not_asked_for() {
        let action = ProbeAction::TcpSocket {
            port: 1,
            host: Some("db.lan".to_owned()),
        };
        assert!(matches!(ask(action, 50), ProbeOutcome::Unknown { .. }));
    }
}
