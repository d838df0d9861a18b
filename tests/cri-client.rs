//! Asks a container runtime one thing: `cri-client SOCKET CALL < REQUEST`. Messages are JSON, as the tests' own client has
//! them. For machines that have nothing else that speaks the interface.

use std::error::Error;
use std::io::{Read, Write};

use cri_shim::api;
use cri_shim::api::runtime_service_client::RuntimeServiceClient;
use serde_json::Value;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket, call] = arguments.as_slice() else {
        return Err("usage: cri-client SOCKET CALL".into());
    };
    let mut request = String::new();
    std::io::stdin().read_to_string(&mut request)?;
    let request = match request.trim() {
        "" => "{}",
        request => request,
    };
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let answer = tokio.block_on(ask(socket, call, request))?;
    Ok(writeln!(std::io::stdout(), "{answer}")?)
}

async fn ask(socket: &str, call: &str, request: &str) -> Result<Value, Box<dyn Error>> {
    let endpoint = Endpoint::from_shared(format!("unix://{socket}"))?;
    let mut client: RuntimeServiceClient<Channel> =
        RuntimeServiceClient::new(endpoint.connect().await?);
    macro_rules! calls {
        ($($name:ident($request:ident),)+) => {
            match call {
                $(stringify!($name) => {
                    let request: api::$request = serde_json::from_str(request)?;
                    let answer = client.$name(request).await;
                    let failed = |status: Status| format!("{}: {}", status.code(), status.message());
                    let answer = answer.map_err(failed)?;
                    Ok(serde_json::to_value(answer.into_inner())?)
                })+
                _ => Err(format!("there is no call {call}").into()),
            }
        };
    }
    calls!(
        version(VersionRequest),
        status(StatusRequest),
        runtime_config(RuntimeConfigRequest),
        run_pod_sandbox(RunPodSandboxRequest),
        stop_pod_sandbox(StopPodSandboxRequest),
        remove_pod_sandbox(RemovePodSandboxRequest),
        pod_sandbox_status(PodSandboxStatusRequest),
        list_pod_sandbox(ListPodSandboxRequest),
        create_container(CreateContainerRequest),
        start_container(StartContainerRequest),
        stop_container(StopContainerRequest),
        remove_container(RemoveContainerRequest),
        list_containers(ListContainersRequest),
        container_status(ContainerStatusRequest),
        update_container_resources(UpdateContainerResourcesRequest),
        exec_sync(ExecSyncRequest),
        container_stats(ContainerStatsRequest),
        pod_sandbox_stats(PodSandboxStatsRequest),
        list_pod_sandbox_metrics(ListPodSandboxMetricsRequest),
    )
}
