//! Events, as they are streamed to one who watches.

use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::BoxStream;
use tonic::{Response, Status};

use super::Service;
use crate::api::ContainerEventResponse;
use crate::events::Watchers;

impl Service {
    /// Tells what happens from now on, for as long as the caller reads. Who falls behind is told so, and is not kept waiting
    /// for.
    pub(super) async fn events(
        &self,
    ) -> Result<Response<BoxStream<ContainerEventResponse>>, Status> {
        let shim = Arc::clone(&self.shim);
        let begun = tokio::task::spawn_blocking(move || Watchers::watch(&shim)).await;
        let mut events = begun.map_err(|error| Status::internal(error.to_string()))??;
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    event = events.recv() => event,
                    () = sender.closed() => return,
                };
                let (message, is_over) = match event {
                    Ok(event) => (Ok(ContainerEventResponse::clone(&event)), false),
                    Err(RecvError::Closed) => return,
                    Err(RecvError::Lagged(count)) => {
                        let told = format!("{count} events were not read in time: list anew");
                        (Err(Status::resource_exhausted(told)), true)
                    }
                };
                // Whoever doesn't read falls behind meanwhile.
                if sender.send(message).await.is_err() || is_over {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
