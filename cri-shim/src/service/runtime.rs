//! RuntimeService.

use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use super::Service;
use crate::api::runtime_service_server::RuntimeService;
use crate::{about, api, container, sandbox, streaming};

/// Each call, its messages, and what carries it out; last those whose answer comes in parts.
macro_rules! calls {
    (
        whole { $($name:ident($request:ident) -> $response:ident = $carry_out:path;)+ }
        listed {
            $($list:ident($wanted:ident) -> $part:ident { $items:ident } = $carry_out_list:path;)+
        }
    ) => {
        #[tonic::async_trait]
        impl RuntimeService for Service {
            $(
                async fn $name(
                    &self,
                    request: Request<api::$request>,
                ) -> Result<Response<api::$response>, Status> {
                    self.call(request, $carry_out).await
                }
            )+
            $(
                async fn $list(
                    &self,
                    request: Request<api::$wanted>,
                ) -> Result<Response<BoxStream<api::$part>>, Status> {
                    self.list(request, $carry_out_list, |$items| api::$part { $items }).await
                }
            )+
        }
    };
}

calls! {
    whole {
    version(VersionRequest) -> VersionResponse = about::version;
    status(StatusRequest) -> StatusResponse = about::status;
    runtime_config(RuntimeConfigRequest) -> RuntimeConfigResponse = about::runtime_config;
    update_runtime_config(UpdateRuntimeConfigRequest) -> UpdateRuntimeConfigResponse =
        about::update_runtime_config;
    run_pod_sandbox(RunPodSandboxRequest) -> RunPodSandboxResponse = sandbox::run;
    stop_pod_sandbox(StopPodSandboxRequest) -> StopPodSandboxResponse = sandbox::stop;
    remove_pod_sandbox(RemovePodSandboxRequest) -> RemovePodSandboxResponse = sandbox::remove;
    pod_sandbox_status(PodSandboxStatusRequest) -> PodSandboxStatusResponse = sandbox::status;
    exec(ExecRequest) -> ExecResponse = streaming::exec;
    attach(AttachRequest) -> AttachResponse = streaming::attach;
    port_forward(PortForwardRequest) -> PortForwardResponse = streaming::port_forward;
    list_pod_sandbox(ListPodSandboxRequest) -> ListPodSandboxResponse = sandbox::list;
    create_container(CreateContainerRequest) -> CreateContainerResponse = container::create;
    start_container(StartContainerRequest) -> StartContainerResponse = container::start;
    stop_container(StopContainerRequest) -> StopContainerResponse = container::stop;
    remove_container(RemoveContainerRequest) -> RemoveContainerResponse = container::remove;
    list_containers(ListContainersRequest) -> ListContainersResponse = container::list;
    container_status(ContainerStatusRequest) -> ContainerStatusResponse = container::status;
    reopen_container_log(ReopenContainerLogRequest) -> ReopenContainerLogResponse =
        container::reopen;
    exec_sync(ExecSyncRequest) -> ExecSyncResponse = container::exec_sync;
    update_container_resources(UpdateContainerResourcesRequest) ->
        UpdateContainerResourcesResponse = container::update;
    update_pod_sandbox_resources(UpdatePodSandboxResourcesRequest) ->
        UpdatePodSandboxResourcesResponse = sandbox::update;
    }
    listed {
    stream_pod_sandboxes(StreamPodSandboxesRequest) -> StreamPodSandboxesResponse { pod_sandboxes } =
        sandbox::listed;
    stream_containers(StreamContainersRequest) -> StreamContainersResponse { containers } =
        container::listed;
    }
}
