//! Requests on their way in. What has come of one stays in memory until the rest comes, which it may never do: there is a bound
//! for all of them together, and small ones are never refused for the sake of large ones.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service, http};
use tonic::server::NamedService;

/// How much of each request is nobody's affair, in bytes.
const SMALL: usize = 64 << 10;
/// How much may have come beyond that, of all requests that are not whole, in bytes.
const LARGE_MAX: usize = 64 << 20;

/// A service whose requests are bounded.
#[derive(Debug, Clone)]
pub(crate) struct Bounded<S> {
    service: S,
    room: Room,
}

/// What is left for large requests.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<AtomicUsize>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(LARGE_MAX)))
    }
}

impl Room {
    /// Whether there was so much.
    fn take(&self, bytes: usize) -> bool {
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            });
        taken.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl<S> Bounded<S> {
    pub(crate) fn new(service: S, room: &Room) -> Self {
        Self {
            service,
            room: room.clone(),
        }
    }
}

impl<S: NamedService> NamedService for Bounded<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Bounded<S>
where
    S: Service<http::Request<Incoming>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let room = self.room.clone();
        self.service.call(request.map(|body| Incoming {
            body,
            come: 0,
            taken: 0,
            room,
        }))
    }
}

/// The message of a request. It goes once the request is whole.
#[derive(Debug)]
pub(crate) struct Incoming {
    body: Body,
    /// How much of it has come.
    come: usize,
    /// How much of the room it has.
    taken: usize,
    room: Room,
}

impl Incoming {
    fn take(&mut self, bytes: usize) -> Result<(), Status> {
        self.come = self.come.saturating_add(bytes);
        let more = self.come.saturating_sub(SMALL).saturating_sub(self.taken);
        match more == 0 || self.room.take(more) {
            true => {
                self.taken += more;
                Ok(())
            }
            false => Err(Status::resource_exhausted(format!(
                "requests that are not whole hold {LARGE_MAX} bytes already: try again later"
            ))),
        }
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(refused) = self.take(data.len())
        {
            return Poll::Ready(Some(Err(refused)));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.room.give_back(self.taken);
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn large_requests_share_their_room_and_small_ones_need_none() {
        let room = Room::default();
        let request = || Incoming {
            body: Body::empty(),
            come: 0,
            taken: 0,
            room: room.clone(),
        };
        let (mut first, mut second, mut small) = (request(), request(), request());
        first.take(SMALL + LARGE_MAX - 10).unwrap();
        second.take(SMALL).unwrap();
        second.take(10).unwrap();
        let refused = second.take(1).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        small.take(SMALL).unwrap();
        drop(first);
        second.take(1000).unwrap();
        drop((second, small));
        assert_eq!(room.0.load(Ordering::Relaxed), LARGE_MAX);
    }
}
