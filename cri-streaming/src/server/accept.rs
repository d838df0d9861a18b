//! Takes connections.

use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::connection;
use super::shared::{Shared, block_sigpipe};
use crate::http::Refusal;
use crate::link::wait_for;
use crate::streams::Streams;

/// How long nothing is accepted after the kernel could give no descriptor, or no thread.
const PAUSE: Duration = Duration::from_millis(100);
/// Enough for a session. What the caller does on these threads is connecting and asking.
const STACK: usize = 512 << 10;

/// Takes connections until the server stops.
pub(super) fn run<S: Streams>(listener: &TcpListener, shared: &Arc<Shared<S>>) {
    block_sigpipe();
    loop {
        let mut polled = [
            PollFd::from_borrowed_fd(shared.stopped.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
        ];
        let waited = wait_for(&mut polled, None);
        if polled
            .first()
            .is_some_and(|stopped| !stopped.revents().is_empty())
        {
            return;
        }
        let accepted = waited.and_then(|()| listener.accept());
        let started = match accepted {
            Ok((socket, _)) => begin(socket, shared),
            // It has left again, or poll(2) was interrupted.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        };
        if started.is_err() {
            let mut stopped = [PollFd::from_borrowed_fd(
                shared.stopped.as_fd(),
                PollFlags::IN,
            )];
            // A pause that is cut short does no harm.
            let _ = wait_for(&mut stopped, Some(Instant::now() + PAUSE));
        }
    }
}

fn begin<S: Streams>(mut socket: TcpStream, shared: &Arc<Shared<S>>) -> std::io::Result<()> {
    let Some(seat) = shared.seat(&socket)? else {
        let refusal = Refusal::new(503, "too many connections");
        socket.set_nonblocking(true)?;
        if shared.tls.is_none() {
            // The client sees the end in any case.
            let _ = socket.write(&refusal.to_bytes());
        }
        return Ok(());
    };
    let thread = thread::Builder::new()
        .name("streams-client".to_owned())
        .stack_size(STACK);
    thread.spawn(move || {
        block_sigpipe();
        connection::serve(socket, &seat);
    })?;
    Ok(())
}
