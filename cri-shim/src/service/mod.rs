//! The two services of the interface, over gRPC. Here calls come in and answers go out; what is done is elsewhere, in plain
//! functions that may take their time.

mod caller;
mod change;
mod deadline;
mod events;
mod image;
mod incoming;
mod runtime;
mod threads;

use std::sync::Arc;

use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

pub(crate) use self::caller::Caller;
use self::change::Change;
pub(crate) use self::incoming::{Bounded, Room};
pub(crate) use self::threads::THREADS_MAX;
use self::threads::{Pace, Threads};
use crate::error::CriError;
use crate::shim::Shim;

/// Items of a list in one message of a stream.
const ITEMS: usize = 64;

/// Both services.
#[derive(Clone)]
pub(crate) struct Service {
    shim: Arc<Shim>,
    threads: Threads,
}

impl Service {
    pub(crate) fn new(shim: Arc<Shim>) -> Self {
        Self {
            shim,
            threads: Threads::new(),
        }
    }

    /// Has a call carried out by a thread that may wait. It is carried out whole, also if the caller goes away.
    async fn call<Q, A>(
        &self,
        pace: Pace,
        request: Request<Q>,
        carry_out: impl FnOnce(&Shim, Q) -> Result<A, CriError> + Send + 'static,
    ) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        let shim = Arc::clone(&self.shim);
        let request = request.into_inner();
        let thread = self.threads.one(pace).await;
        let done = tokio::task::spawn_blocking(move || {
            let _thread = thread;
            carry_out(&shim, request)
        })
        .await;
        match done {
            Ok(answer) => Ok(Response::new(answer?)),
            Err(error) => Err(Status::internal(format!(
                "the call was not carried out: {error}"
            ))),
        }
    }

    /// The same with a call that changes something: one that comes to nothing is told in the journal, too.
    async fn change<Q, A>(
        &self,
        pace: Pace,
        request: Request<Q>,
        carry_out: impl FnOnce(&Shim, Q) -> Result<A, CriError> + Send + 'static,
    ) -> Result<Response<A>, Status>
    where
        Q: Change + Send + 'static,
        A: Send + 'static,
    {
        let carry_out = move |shim: &Shim, request: Q| {
            let about = request.about();
            let done = carry_out(shim, request);
            if let Err(error) = &done {
                shim.refusals.tell(Q::CALL, &about.told(shim), error);
            }
            done
        };
        self.call(pace, request, carry_out).await
    }

    /// The same for a list that is streamed: each item once, some in a message.
    async fn list<Q, T, M>(
        &self,
        request: Request<Q>,
        carry_out: impl FnOnce(&Shim, Q) -> Result<Vec<T>, CriError> + Send + 'static,
        message: fn(Vec<T>) -> M,
    ) -> Result<Response<BoxStream<M>>, Status>
    where
        Q: Send + 'static,
        T: Send + 'static,
        M: Send + 'static,
    {
        let listed = self.call(Pace::Brief, request, carry_out).await?;
        Ok(listed.map(|items| {
            let mut items = items.into_iter();
            let messages = std::iter::from_fn(move || {
                let some: Vec<T> = items.by_ref().take(ITEMS).collect();
                (!some.is_empty()).then(|| Ok(message(some)))
            });
            Box::pin(tokio_stream::iter(messages)) as BoxStream<M>
        }))
    }
}
