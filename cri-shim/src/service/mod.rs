//! The two services of the interface, over gRPC. Here calls come in and answers go out; what is done is elsewhere, in plain
//! functions that may take their time.

mod image;
mod runtime;

use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::error::CriError;
use crate::shim::Shim;

/// Both services.
#[derive(Clone)]
pub(crate) struct Service {
    shim: Arc<Shim>,
}

impl Service {
    pub(crate) fn new(shim: Arc<Shim>) -> Self {
        Self { shim }
    }

    /// Has a call carried out by a thread that may wait. It is carried out whole, also if the caller goes away.
    async fn call<Q, A>(
        &self,
        request: Request<Q>,
        carry_out: fn(&Shim, Q) -> Result<A, CriError>,
    ) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        let shim = Arc::clone(&self.shim);
        let request = request.into_inner();
        let done = tokio::task::spawn_blocking(move || carry_out(&shim, request)).await;
        match done {
            Ok(answer) => Ok(Response::new(answer?)),
            Err(error) => Err(Status::internal(format!(
                "the call was not carried out: {error}"
            ))),
        }
    }
}
