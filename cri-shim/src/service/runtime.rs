//! RuntimeService.

use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use super::threads::Pace;
use super::{Caller, Service};
use crate::api::runtime_service_server::RuntimeService;
use crate::error::CriError;
use crate::{about, api, container, metrics, sandbox, stats, streaming};

/// Each call, its messages, and what carries it out, by its pace; first those whose answer comes in parts, then those that
/// change something, which are slow.
macro_rules! calls {
    (
        listed {
            $($list:ident($wanted:ident) -> $part:ident { $items:ident } = $carry_out_list:path;)+
        }
        changing { $($change:ident($changed:ident) -> $done:ident = $carry_out_change:path;)+ }
        $($pace:ident { $($name:ident($request:ident) -> $response:ident = $carry_out:path;)+ })+
    ) => {
        #[tonic::async_trait]
        impl RuntimeService for Service {
            $($(
                async fn $name(
                    &self,
                    request: Request<api::$request>,
                ) -> Result<Response<api::$response>, Status> {
                    self.call(Pace::$pace, request, $carry_out).await
                }
            )+)+
            $(
                async fn $list(
                    &self,
                    request: Request<api::$wanted>,
                ) -> Result<Response<BoxStream<api::$part>>, Status> {
                    self.list(request, $carry_out_list, |$items| api::$part { $items }).await
                }
            )+

            $(
                async fn $change(
                    &self,
                    request: Request<api::$changed>,
                ) -> Result<Response<api::$done>, Status> {
                    self.change(Pace::Slow, request, $carry_out_change).await
                }
            )+

            /// What nobody waits for any more is ended.
            async fn exec_sync(
                &self,
                request: Request<api::ExecSyncRequest>,
            ) -> Result<Response<api::ExecSyncResponse>, Status> {
                let waiting = Caller::waiting();
                let (caller, _waits) = waiting.map_err(CriError::io("watch the caller"))?;
                let carry_out =
                    move |shim: &_, request| container::exec_sync(shim, request, &caller);
                self.call(Pace::Command, request, carry_out).await
            }

            async fn get_container_events(
                &self,
                _: Request<api::GetEventsRequest>,
            ) -> Result<Response<BoxStream<api::ContainerEventResponse>>, Status> {
                self.events().await
            }
        }
    };
}

calls! {
    listed {
    stream_pod_sandboxes(StreamPodSandboxesRequest) -> StreamPodSandboxesResponse { pod_sandboxes } =
        sandbox::listed;
    stream_containers(StreamContainersRequest) -> StreamContainersResponse { containers } =
        container::listed;
    stream_container_stats(StreamContainerStatsRequest) -> StreamContainerStatsResponse {
        container_stats
    } = stats::listed_containers;
    stream_pod_sandbox_stats(StreamPodSandboxStatsRequest) -> StreamPodSandboxStatsResponse {
        pod_sandbox_stats
    } = stats::listed_sandboxes;
    stream_pod_sandbox_metrics(StreamPodSandboxMetricsRequest) -> StreamPodSandboxMetricsResponse {
        pod_sandbox_metrics
    } = metrics::listed;
    }
    changing {
    run_pod_sandbox(RunPodSandboxRequest) -> RunPodSandboxResponse = sandbox::run;
    stop_pod_sandbox(StopPodSandboxRequest) -> StopPodSandboxResponse = sandbox::stop;
    remove_pod_sandbox(RemovePodSandboxRequest) -> RemovePodSandboxResponse = sandbox::remove;
    create_container(CreateContainerRequest) -> CreateContainerResponse = container::create;
    start_container(StartContainerRequest) -> StartContainerResponse = container::start;
    stop_container(StopContainerRequest) -> StopContainerResponse = container::stop;
    remove_container(RemoveContainerRequest) -> RemoveContainerResponse = container::remove;
    reopen_container_log(ReopenContainerLogRequest) -> ReopenContainerLogResponse =
        container::reopen;
    update_container_resources(UpdateContainerResourcesRequest) ->
        UpdateContainerResourcesResponse = container::update;
    update_pod_sandbox_resources(UpdatePodSandboxResourcesRequest) ->
        UpdatePodSandboxResourcesResponse = sandbox::update;
    }
    Brief {
    version(VersionRequest) -> VersionResponse = about::version;
    status(StatusRequest) -> StatusResponse = about::status;
    runtime_config(RuntimeConfigRequest) -> RuntimeConfigResponse = about::runtime_config;
    update_runtime_config(UpdateRuntimeConfigRequest) -> UpdateRuntimeConfigResponse =
        about::update_runtime_config;
    pod_sandbox_status(PodSandboxStatusRequest) -> PodSandboxStatusResponse = sandbox::status;
    exec(ExecRequest) -> ExecResponse = streaming::exec;
    attach(AttachRequest) -> AttachResponse = streaming::attach;
    port_forward(PortForwardRequest) -> PortForwardResponse = streaming::port_forward;
    list_pod_sandbox(ListPodSandboxRequest) -> ListPodSandboxResponse = sandbox::list;
    list_containers(ListContainersRequest) -> ListContainersResponse = container::list;
    container_status(ContainerStatusRequest) -> ContainerStatusResponse = container::status;
    container_stats(ContainerStatsRequest) -> ContainerStatsResponse = stats::container;
    list_container_stats(ListContainerStatsRequest) -> ListContainerStatsResponse =
        stats::list_containers;
    pod_sandbox_stats(PodSandboxStatsRequest) -> PodSandboxStatsResponse = stats::sandbox;
    list_pod_sandbox_stats(ListPodSandboxStatsRequest) -> ListPodSandboxStatsResponse =
        stats::list_sandboxes;
    list_metric_descriptors(ListMetricDescriptorsRequest) -> ListMetricDescriptorsResponse =
        metrics::descriptors;
    list_pod_sandbox_metrics(ListPodSandboxMetricsRequest) -> ListPodSandboxMetricsResponse =
        metrics::list;
    }
}
