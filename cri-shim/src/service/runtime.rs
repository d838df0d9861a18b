//! RuntimeService.

use tonic::{Request, Response, Status};

use super::Service;
use crate::api::runtime_service_server::RuntimeService;
use crate::api::{
    AttachRequest, AttachResponse, ExecRequest, ExecResponse, ListPodSandboxRequest,
    ListPodSandboxResponse, PodSandboxStatusRequest, PodSandboxStatusResponse, PortForwardRequest,
    PortForwardResponse, RemovePodSandboxRequest, RemovePodSandboxResponse, RunPodSandboxRequest,
    RunPodSandboxResponse, RuntimeConfigRequest, RuntimeConfigResponse, StatusRequest,
    StatusResponse, StopPodSandboxRequest, StopPodSandboxResponse, UpdateRuntimeConfigRequest,
    UpdateRuntimeConfigResponse, VersionRequest, VersionResponse,
};
use crate::{about, sandbox, streaming};

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
    exec(ExecRequest) -> ExecResponse = streaming::exec;
    attach(AttachRequest) -> AttachResponse = streaming::attach;
    port_forward(PortForwardRequest) -> PortForwardResponse = streaming::port_forward;
    list_pod_sandbox(ListPodSandboxRequest) -> ListPodSandboxResponse = sandbox::list;
}
