//! Events, as they are streamed to one who watches.

use std::sync::Arc;

use tokio_stream::StreamExt;
use tonic::codegen::BoxStream;
use tonic::{Response, Status};

use super::Service;
use crate::api::ContainerEventResponse;
use crate::events;

impl Service {
    /// Tells what happens from now on, for as long as the caller reads. Who falls behind is told so, and is not kept waiting
    /// for.
    pub(super) async fn events(
        &self,
    ) -> Result<Response<BoxStream<ContainerEventResponse>>, Status> {
        let shim = Arc::clone(&self.shim);
        let begun = tokio::task::spawn_blocking(move || events::watch(&shim)).await;
        let events = begun.map_err(|error| Status::internal(error.to_string()))??;
        let events = events.map(|event| event.map_err(Status::from));
        Ok(Response::new(Box::pin(events)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use engine::Engine;
    use engine::config::cri::Cri;
    use engine::config::directories::Directories;
    use image_registry::Environment;
    use image_store::WindowMemory;
    use pod::network::CniFolders;
    use tonic::Code;

    use super::*;
    use crate::shim::Shim;

    fn shim(base: &std::path::Path) -> Arc<Shim> {
        let engine = Engine {
            directories: Directories {
                data: base.join("data"),
                run: base.join("run"),
                local_config: base.join("etc"),
                system_config: base.join("usr"),
                isolators: None,
            },
            registries: Environment::default(),
            memory: WindowMemory::default(),
            cni: CniFolders::from_variables(|_| None),
            kubernetes_namespace: None,
            insecure: BTreeSet::new(),
        };
        Arc::new(Shim::new(engine, Cri::default()).unwrap())
    }

    #[test]
    fn who_falls_behind_is_told_so_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let shim = shim(dir.path());
        let service = Service::new(Arc::clone(&shim));
        let event = |number: usize| ContainerEventResponse {
            container_id: number.to_string(),
            ..ContainerEventResponse::default()
        };
        runtime.block_on(async {
            let watch = async || service.events().await.unwrap().into_inner();
            let (mut slow, mut reader) = (watch().await, watch().await);
            shim.watchers.tell(&event(0));
            let first = reader.next().await.unwrap().unwrap();
            assert_eq!(first.container_id, "0");
            for number in 0..5000 {
                shim.watchers.tell(&event(number));
            }
            // What had been handed on is still there.
            let mut told = slow.next().await.unwrap();
            if told.is_ok() {
                told = slow.next().await.unwrap();
            }
            assert_eq!(told.unwrap_err().code(), Code::ResourceExhausted);
            assert!(slow.next().await.is_none());
        });
    }
}
