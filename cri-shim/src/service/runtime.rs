//! RuntimeService.

use tonic::{Request, Response, Status};

use super::Service;
use crate::api::runtime_service_server::RuntimeService;
use crate::api::{
    ContainerStatusRequest, ContainerStatusResponse, CreateContainerRequest,
    CreateContainerResponse, ListContainersRequest, ListContainersResponse, ListPodSandboxRequest,
    ListPodSandboxResponse, PodSandboxStatusRequest, PodSandboxStatusResponse,
    RemoveContainerRequest, RemoveContainerResponse, RemovePodSandboxRequest,
    RemovePodSandboxResponse, ReopenContainerLogRequest, ReopenContainerLogResponse,
    RunPodSandboxRequest, RunPodSandboxResponse, RuntimeConfigRequest, RuntimeConfigResponse,
    StartContainerRequest, StartContainerResponse, StatusRequest, StatusResponse,
    StopContainerRequest, StopContainerResponse, StopPodSandboxRequest, StopPodSandboxResponse,
    UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse, VersionRequest, VersionResponse,
};
use crate::{about, container, sandbox};

/// Each call, its messages, and what carries it out.
macro_rules! calls {
    ($($name:ident($request:ident) -> $response:ident = $carry_out:path;)+) => {
        #[tonic::async_trait]
        impl RuntimeService for Service {
            $(
                async fn $name(
                    &self,
                    request: Request<$request>,
                ) -> Result<Response<$response>, Status> {
                    self.call(request, $carry_out).await
                }
            )+
        }
    };
}

calls! {
    version(VersionRequest) -> VersionResponse = about::version;
    status(StatusRequest) -> StatusResponse = about::status;
    runtime_config(RuntimeConfigRequest) -> RuntimeConfigResponse = about::runtime_config;
    update_runtime_config(UpdateRuntimeConfigRequest) -> UpdateRuntimeConfigResponse =
        about::update_runtime_config;
    run_pod_sandbox(RunPodSandboxRequest) -> RunPodSandboxResponse = sandbox::run;
    stop_pod_sandbox(StopPodSandboxRequest) -> StopPodSandboxResponse = sandbox::stop;
    remove_pod_sandbox(RemovePodSandboxRequest) -> RemovePodSandboxResponse = sandbox::remove;
    pod_sandbox_status(PodSandboxStatusRequest) -> PodSandboxStatusResponse = sandbox::status;
    list_pod_sandbox(ListPodSandboxRequest) -> ListPodSandboxResponse = sandbox::list;
    create_container(CreateContainerRequest) -> CreateContainerResponse = container::create;
    start_container(StartContainerRequest) -> StartContainerResponse = container::start;
    stop_container(StopContainerRequest) -> StopContainerResponse = container::stop;
    remove_container(RemoveContainerRequest) -> RemoveContainerResponse = container::remove;
    list_containers(ListContainersRequest) -> ListContainersResponse = container::list;
    container_status(ContainerStatusRequest) -> ContainerStatusResponse = container::status;
    reopen_container_log(ReopenContainerLogRequest) -> ReopenContainerLogResponse =
        container::reopen;
}
