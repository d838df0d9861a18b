//! Makes connections to ports beside a session, since connecting may wait.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::pair::Pair;

/// How many connections of a client are made at once. Further ones wait for these.
const AT_ONCE: usize = 16;
/// Enough for connecting.
const STACK: usize = 256 << 10;

/// Connects to a port, or says why it can't.
pub(crate) type Connect = Arc<dyn Fn(u16) -> Result<OwnedFd, String> + Send + Sync>;

/// How many connections to ports a server may have.
#[derive(Debug, Clone)]
pub(crate) struct Permits {
    taken: Arc<AtomicUsize>,
    most: usize,
}

/// The right to one of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<AtomicUsize>);

impl Permits {
    /// So many at once.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            taken: Arc::new(AtomicUsize::new(0)),
            most,
        }
    }

    fn take(&self) -> Option<Permit> {
        let another = |taken| (taken < self.most).then_some(taken + 1);
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, another);
        taken.ok().map(|_| Permit(Arc::clone(&self.taken)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection, and the right to it.
pub(super) struct Connected {
    pub(super) socket: OwnedFd,
    pub(super) permit: Permit,
}

/// What came of connecting for a pair.
type Made = (Pair, Result<Connected, String>);

/// What the threads of a connector share with it.
struct Shared {
    made: Mutex<Vec<Made>>,
    /// Counts up when something was made.
    wake: OwnedFd,
}

/// The connections of a client that are being made.
pub(super) struct Connector {
    connect: Connect,
    permits: Permits,
    queue: VecDeque<(Pair, u16)>,
    running: usize,
    shared: Arc<Shared>,
}

impl Connector {
    pub(super) fn new(connect: Connect, permits: Permits) -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Shared {
            made: Mutex::new(Vec::new()),
            wake,
        });
        Ok(Self {
            connect,
            permits,
            queue: VecDeque::new(),
            running: 0,
            shared,
        })
    }

    /// What becomes readable when something was made.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.shared.wake.as_fd()
    }

    /// Begins to connect, or lets it wait for its turn.
    pub(super) fn begin(&mut self, pair: Pair, port: u16) {
        self.queue.push_back((pair, port));
        self.run();
    }

    /// Doesn't connect any more for a pair whose turn hasn't come.
    pub(super) fn forget(&mut self, pair: Pair) {
        self.queue.retain(|(queued, _)| *queued != pair);
    }

    /// What was made since it was last asked.
    pub(super) fn made(&mut self) -> Vec<Made> {
        // What was counted doesn't matter.
        let _ = rustix::io::read(&self.shared.wake, &mut [0; 8]);
        let made = std::mem::take(&mut *self.shared.lock());
        self.running = self.running.saturating_sub(made.len());
        self.run();
        made
    }

    fn run(&mut self) {
        while self.running < AT_ONCE
            && let Some((pair, port)) = self.queue.pop_front()
        {
            self.running += 1;
            let Some(permit) = self.permits.take() else {
                let text = format!("{} ports are forwarded already", self.permits.most);
                self.shared.tell((pair, Err(text)));
                continue;
            };
            let (connect, shared) = (Arc::clone(&self.connect), Arc::clone(&self.shared));
            let thread = thread::Builder::new()
                .name("streams-connect".into())
                .stack_size(STACK);
            let spawned = thread.spawn(move || {
                let socket = connect(port).and_then(|socket| {
                    let set = fcntl_getfl(&socket)
                        .and_then(|flags| fcntl_setfl(&socket, flags | OFlags::NONBLOCK));
                    set.map(|()| socket).map_err(|errno| errno.to_string())
                });
                shared.tell((pair, socket.map(|socket| Connected { socket, permit })));
            });
            if let Err(error) = spawned {
                self.shared
                    .tell((pair, Err(format!("no thread to connect on: {error}"))));
            }
        }
    }
}

impl Shared {
    fn tell(&self, made: Made) {
        self.lock().push(made);
        // It fails only when it has been counted up 2^64 times.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
