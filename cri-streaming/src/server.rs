//! The server: it gives URLs for requests, and serves who comes with one.

mod accept;
mod base_url;
mod config;
mod connection;
mod shared;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};

pub use self::base_url::BaseUrlError;
pub use self::config::{Config, Limits};
pub use self::tls::{Tls, TlsError, TlsFiles};

use self::base_url::BaseUrl;
use self::shared::{Pending, Shared};
use crate::process::Wanted;
use crate::streams::Streams;
use crate::token::TokenError;

/// How long dropping a server waits for sessions to end.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// A server that runs until it is dropped. All sessions end then; commands don't.
pub struct Server<S: Streams> {
    shared: Arc<Shared<S>>,
    address: SocketAddr,
    /// Its other end becomes readable when this is dropped.
    stop: Option<OwnedFd>,
    threads: Vec<JoinHandle<()>>,
}

/// Why a server can't be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can't be listened on.
    #[error("cannot listen on {address} for streams: {source}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// The base URL is none.
    #[error(transparent)]
    BaseUrl(#[from] BaseUrlError),
    /// Something else that it needs of the kernel.
    #[error("cannot serve streams: {0}")]
    Kernel(#[from] std::io::Error),
}

impl<S: Streams> Server<S> {
    /// Listens, and serves from then on.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(config: Config, streams: S) -> Result<Self, StartError> {
        let address = config.address;
        let failed = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let base = match &config.base_url {
            Some(text) => BaseUrl::parse(text)?,
            None => BaseUrl::of(address, config.tls.is_some()),
        };
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC).map_err(std::io::Error::from)?;
        let shared = Arc::new(Shared::new(config, base, streams, stopped)?);
        let mut server = Self {
            shared: Arc::clone(&shared),
            address,
            stop: Some(stop),
            threads: Vec::new(),
        };
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let for_abandoned = Arc::clone(&shared);
        server.threads.push(named("streams-output").spawn(move || {
            shared::block_sigpipe();
            for_abandoned.abandoned.serve(&for_abandoned.stopped);
        })?);
        let accept = named("streams-accept").spawn(move || accept::run(&listener, &shared))?;
        server.threads.push(accept);
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL for a request for exec. It is good once, for a minute.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn exec(&self, request: S::Exec, wanted: Wanted) -> Result<String, TokenError> {
        self.url("exec", Pending::Exec(request, wanted))
    }

    /// A URL for a request for attach.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn attach(&self, request: S::Attach, wanted: Wanted) -> Result<String, TokenError> {
        self.url("attach", Pending::Attach(request, wanted))
    }

    /// A URL for a request for ports. Which ones counts for clients of WebSocket without a tunnel
    /// alone: the others name one with each stream.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn port_forward(
        &self,
        request: S::PortForward,
        ports: Vec<u16>,
    ) -> Result<String, TokenError> {
        self.url("portforward", Pending::PortForward(request, ports))
    }

    fn url(&self, action: &str, pending: Pending<S>) -> Result<String, TokenError> {
        let token = self.shared.tokens.insert(pending)?;
        Ok(self.shared.base.url(action, &token))
    }
}

impl<S: Streams> Drop for Server<S> {
    fn drop(&mut self) {
        drop(self.stop.take());
        for thread in self.threads.drain(..) {
            // A thread that panicked has ended too.
            let _ = thread.join();
        }
        self.shared.wait_until_left(LAST_WAIT);
    }
}
