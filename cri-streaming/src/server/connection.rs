//! A connection: its request, and what it is upgraded to.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use super::shared::{Pending, Seat, Shared, block_sigpipe};
use super::tls::TlsError;
use crate::http::{Refusal, Request, Upgrade};
use crate::link::{Heed, Link};
use crate::port_forward::{self, Connect, Pairs};
use crate::process::{Process, Wanted};
use crate::remote_command::{self, Channels, Heir, Kind};
use crate::streams::{Failure, Streams, chain};
use crate::times::Times;
use crate::transport::{Received, Transport};

/// Serves a client from its request to its end.
pub(super) fn serve<S: Streams>(socket: TcpStream, seat: &Seat<S>) {
    // A client with which something is wrong before it has asked for anything is told nothing.
    let Ok(mut link) = open(socket, &seat.shared) else {
        return;
    };
    let request = match read_head(&mut link, &seat.shared) {
        Ok(Ok(request)) => request,
        Ok(Err(refusal)) => return refuse(link, &refusal),
        Err(_) => return,
    };
    match admit(&request, &seat.shared) {
        Ok((upgrade, pending)) => {
            seat.identify();
            begin(link, &upgrade, pending, &seat.shared);
        }
        Err(refusal) => refuse(link, &refusal),
    }
}

fn open<S: Streams>(socket: TcpStream, shared: &Shared<S>) -> io::Result<Link<'_>> {
    let warn = |error: &TlsError| {
        let text = format!("new files of TLS are not used, those from before are: {error}");
        shared.streams.warn(&text);
    };
    let tls = shared.tls.as_ref().map(|tls| tls.connection(warn));
    let tls = tls
        .transpose()
        .map_err(io::Error::other)?
        .map(rustls::Connection::from);
    let transport = Transport::new(socket, tls)?;
    Ok(Link::new(transport, Some(shared.stopped.as_fd())))
}

/// The request, and nothing of what follows it.
fn read_head<S: Streams>(
    link: &mut Link<'_>,
    shared: &Shared<S>,
) -> io::Result<Result<Request, Refusal>> {
    let until = Instant::now() + shared.limits.head;
    loop {
        match Request::parse(link.incoming()) {
            Ok(Some((request, length))) => {
                link.incoming().drain(..length);
                return Ok(Ok(request));
            }
            Ok(None) if Instant::now() >= until => {
                return Ok(Err(Refusal::new(408, "no request has come")));
            }
            Ok(None) => {}
            Err(refusal) => return Ok(Err(refusal)),
        }
        if link.wait(Heed::Input, &[], Some(until))?.stopped || link.receive()? == Received::End {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// What the request stands for, and what it is upgraded to. Only a request for an upgrade that is
/// possible uses its token.
fn admit<S: Streams>(
    request: &Request,
    shared: &Shared<S>,
) -> Result<(Upgrade, Pending<S>), Refusal> {
    let unknown = || Refusal::new(404, "no such request: its URL is good once, for a minute");
    let (action, token) = shared.base.split(&request.path).ok_or_else(unknown)?;
    let (spdy, websocket): (&[_], &[_]) = match action {
        "exec" | "attach" => (
            &remote_command::SPDY_PROTOCOLS,
            &remote_command::WEBSOCKET_PROTOCOLS,
        ),
        "portforward" => (
            &port_forward::SPDY_PROTOCOLS,
            &port_forward::WEBSOCKET_PROTOCOLS,
        ),
        _ => return Err(unknown()),
    };
    let upgrade = Upgrade::negotiate(request, spdy, websocket)?;
    let pending = shared.tokens.take(token).ok_or_else(unknown)?;
    let fits = match &pending {
        Pending::Exec(..) => action == "exec",
        Pending::Attach(..) => action == "attach",
        Pending::PortForward(..) => action == "portforward",
    };
    if fits {
        Ok((upgrade, pending))
    } else {
        Err(unknown())
    }
}

fn begin<S: Streams>(
    mut link: Link<'_>,
    upgrade: &Upgrade,
    pending: Pending<S>,
    shared: &Arc<Shared<S>>,
) {
    match pending {
        Pending::Exec(request, wanted) => {
            let owner = shared.streams.owner(&request);
            let start = || shared.streams.exec(request, wanted);
            run(link, upgrade, wanted, Kind::Exec, owner, shared, start);
        }
        Pending::Attach(request, wanted) => {
            let start = || shared.streams.attach(request, wanted);
            // What is attached to is never left to itself: it is nobody's here.
            let owner = String::new();
            run(link, upgrade, wanted, Kind::Attach, owner, shared, start);
        }
        Pending::PortForward(request, ports) => {
            let pairs = match Pairs::new(upgrade, &ports) {
                Ok(pairs) => pairs,
                Err(refusal) => return refuse(link, &refusal),
            };
            link.queue(&mut upgrade.answer());
            let connecting = Arc::clone(shared);
            let connect: Connect = Arc::new(move |port| {
                block_sigpipe();
                let connected = connecting.streams.connect(&request, port);
                connected.map_err(|failure| chain(&failure))
            });
            port_forward::serve(link, pairs, times(shared), connect, shared.permits.clone());
        }
    }
}

fn run<S: Streams>(
    mut link: Link<'_>,
    upgrade: &Upgrade,
    wanted: Wanted,
    kind: Kind,
    owner: String,
    shared: &Shared<S>,
    start: impl FnOnce() -> Result<Process, Failure>,
) {
    link.queue(&mut upgrade.answer());
    let channels = Channels::new(upgrade, wanted);
    let start = || start().map_err(|failure| chain(&failure));
    let abandoned = &shared.abandoned;
    let heir = Heir { abandoned, owner };
    remote_command::serve(link, channels, kind, times(shared), heir, start);
}

fn times<S: Streams>(shared: &Shared<S>) -> Times {
    Times {
        creation: shared.limits.creation,
        stalled: shared.limits.stalled,
        idle: shared.limits.idle,
    }
}

fn refuse(mut link: Link<'_>, refusal: &Refusal) {
    link.queue(&mut refusal.to_bytes());
    // Whoever left meanwhile isn't told.
    let _ = link.refuse();
}
