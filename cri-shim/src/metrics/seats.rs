//! The clients that are served at once. The oldest one that keeps its thread waiting gives way to the next.

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most clients at once.
const SEATS: usize = 8;
/// How long a further client waits for the seat of one that gave way.
const GIVING_WAY: Duration = Duration::from_secs(1);

/// All seats.
#[derive(Default)]
pub(super) struct Seats(Arc<Shared>);

#[derive(Default)]
struct Shared {
    taken: Mutex<Taken>,
    left: Condvar,
}

#[derive(Default)]
struct Taken {
    count: usize,
    last: u64,
    /// Those that are waited for, the oldest first.
    waited_for: VecDeque<(u64, TcpStream)>,
}

/// One seat, until it is dropped.
pub(super) struct Seat {
    shared: Arc<Shared>,
    number: u64,
}

impl Seats {
    /// A seat for a client, if one is free or becomes so.
    ///
    /// # Errors
    /// If no descriptor is left.
    pub(super) fn take(&self, client: &TcpStream) -> io::Result<Option<Seat>> {
        let client = client.try_clone()?;
        let mut taken = self.0.lock();
        if taken.count >= SEATS
            && let Some((_, oldest)) = taken.waited_for.pop_front()
        {
            // Its thread sees the end. If it has ended already, all is well.
            let _ = oldest.shutdown(Shutdown::Both);
        }
        let full = |taken: &mut Taken| taken.count >= SEATS;
        let waited = self.0.left.wait_timeout_while(taken, GIVING_WAY, full);
        let mut taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        if taken.count >= SEATS {
            return Ok(None);
        }
        taken.count += 1;
        taken.last += 1;
        let number = taken.last;
        taken.waited_for.push_back((number, client));
        Ok(Some(Seat {
            shared: Arc::clone(&self.0),
            number,
        }))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Works for the client, which doesn't give way meanwhile: to begin anew for another would be the same work. From then
    /// on it is the youngest one that is waited for.
    pub(super) fn keep<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut taken = self.shared.lock();
        let mut waited_for = taken.waited_for.iter();
        let place = waited_for.position(|(number, _)| *number == self.number);
        let kept = place.and_then(|place| taken.waited_for.remove(place));
        drop(taken);
        let done = work();
        self.shared.lock().waited_for.extend(kept);
        done
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.shared.lock();
        taken.count -= 1;
        taken
            .waited_for
            .retain(|(number, _)| *number != self.number);
        drop(taken);
        self.shared.left.notify_all();
    }
}
