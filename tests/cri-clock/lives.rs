//! Pods from their beginning to their end, by the clock.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use cri_shim::api::runtime_service_client::RuntimeServiceClient;
use cri_shim::api::{
    ContainerConfig, ContainerMetadata, ContainerStatusRequest, CreateContainerRequest,
    ExecSyncRequest, ImageSpec, LinuxPodSandboxConfig, ListContainersRequest,
    ListPodSandboxRequest, PodSandboxConfig, PodSandboxMetadata, PodSandboxStatusRequest,
    RemoveContainerRequest, RemovePodSandboxRequest, RunPodSandboxRequest, StartContainerRequest,
    StopContainerRequest, StopPodSandboxRequest,
};
use tonic::transport::Channel;

type Fallible<T> = Result<T, Box<dyn Error>>;
/// What steps have taken, by their names.
pub(crate) type Steps = Vec<(&'static str, Duration)>;

/// A client of one runtime.
#[derive(Clone)]
pub(crate) struct Client {
    runtime: RuntimeServiceClient<Channel>,
    image: String,
    logs: String,
}

/// What is asked again and again, and what it has taken each time.
#[derive(Default)]
pub(crate) struct Times(BTreeMap<String, Vec<Duration>>);

impl Times {
    pub(crate) fn push(&mut self, what: &str, took: Duration) {
        self.0.entry(what.replace(' ', "-")).or_default().push(took);
    }

    pub(crate) fn add(&mut self, how: &str, steps: Steps) {
        for (step, took) in steps {
            self.push(&format!("{how} {step}"), took);
        }
    }

    /// The median of each.
    pub(crate) fn tell(&mut self, name: &str) {
        for (what, all) in &mut self.0 {
            all.sort_unstable();
            if let Some(median) = all.get(all.len() / 2) {
                println!("{name} {what} {}", median.as_micros());
            }
        }
    }
}

/// A clock that is read between two steps.
struct Watch {
    since: Instant,
    steps: Steps,
}

impl Watch {
    fn begin() -> Self {
        Self {
            since: Instant::now(),
            steps: Vec::new(),
        }
    }

    fn lap(&mut self, step: &'static str) {
        let now = Instant::now();
        self.steps.push((step, now - self.since));
        self.since = now;
    }
}

impl Client {
    /// The name of the processes of containers.
    pub(crate) const APP: &'static str = "sleep";

    pub(crate) fn new(channel: Channel, image: &str, logs: &str) -> Self {
        Self {
            runtime: RuntimeServiceClient::new(channel).max_decoding_message_size(64 << 20),
            image: image.to_owned(),
            logs: logs.to_owned(),
        }
    }

    /// One pod with one container, in which one command runs.
    pub(crate) async fn life(&mut self, name: &str) -> Fallible<Steps> {
        let mut watch = Watch::begin();
        let config = self.sandbox(name);
        let pod_sandbox_id = self.run(config.clone()).await?;
        watch.lap("run-pod-sandbox");
        let container_id = self.container(&pod_sandbox_id, config).await?;
        watch.lap("create-and-start");
        let exec = ExecSyncRequest {
            container_id: container_id.clone(),
            cmd: vec!["/bin/true".to_owned()],
            timeout: 10,
        };
        let done = self.runtime.exec_sync(exec).await?.into_inner();
        if done.exit_code != 0 {
            return Err(format!("the command ended with {}", done.exit_code).into());
        }
        watch.lap("exec-sync");
        let stop = StopContainerRequest {
            container_id: container_id.clone(),
            timeout: 0,
        };
        self.runtime.stop_container(stop).await?;
        let remove = RemoveContainerRequest { container_id };
        self.runtime.remove_container(remove).await?;
        self.end(pod_sandbox_id).await?;
        watch.lap("stop-and-remove");
        Ok(watch.steps)
    }

    /// Many sandboxes at once; until the last is up.
    pub(crate) async fn at_once(&mut self, count: usize, round: usize) -> Fallible<Duration> {
        let configs: Vec<_> = (0..count)
            .map(|number| self.sandbox(&format!("once{round}-{number}")))
            .collect();
        let begun = Instant::now();
        let calls: Vec<_> = configs
            .into_iter()
            .map(|config| {
                let mut client = self.clone();
                tokio::spawn(async move { client.run(config).await.map_err(|e| e.to_string()) })
            })
            .collect();
        let mut ids = Vec::new();
        for call in calls {
            ids.push(call.await??);
        }
        let took = begun.elapsed();
        for id in ids {
            self.end(id).await?;
        }
        Ok(took)
    }

    /// Makes many pods with a container each.
    pub(crate) async fn run_many(&mut self, count: usize) -> Fallible<()> {
        for number in 0..count {
            let config = self.sandbox(&format!("many{number}"));
            let id = self.run(config.clone()).await?;
            self.container(&id, config).await?;
        }
        Ok(())
    }

    /// What a kubelet asks each second.
    pub(crate) async fn ask_of_many(&mut self, count: usize, times: &mut Times) -> Fallible<()> {
        let mut watch = Watch::begin();
        let sandboxes = ListPodSandboxRequest { filter: None };
        let sandboxes = self.runtime.list_pod_sandbox(sandboxes).await?;
        watch.lap("list-pod-sandbox");
        let containers = ListContainersRequest { filter: None };
        let containers = self.runtime.list_containers(containers).await?;
        watch.lap("list-containers");
        let (sandboxes, containers) = (
            sandboxes.into_inner().items,
            containers.into_inner().containers,
        );
        if sandboxes.len() != count || containers.len() != count {
            return Err(format!("{} pods are listed", sandboxes.len()).into());
        }
        let (Some(sandbox), Some(container)) = (sandboxes.first(), containers.first()) else {
            return Ok(());
        };
        watch.since = Instant::now();
        let status = PodSandboxStatusRequest {
            pod_sandbox_id: sandbox.id.clone(),
            verbose: false,
        };
        self.runtime.pod_sandbox_status(status).await?;
        watch.lap("pod-sandbox-status");
        let status = ContainerStatusRequest {
            container_id: container.id.clone(),
            verbose: false,
        };
        self.runtime.container_status(status).await?;
        watch.lap("container-status");
        times.add("many", watch.steps);
        Ok(())
    }

    /// Whether all sandboxes are told of.
    pub(crate) async fn lists(&mut self, count: usize) -> bool {
        let all = ListPodSandboxRequest { filter: None };
        let listed = self.runtime.list_pod_sandbox(all).await;
        listed.is_ok_and(|listed| listed.into_inner().items.len() == count)
    }

    pub(crate) async fn remove_all(&mut self) -> Fallible<()> {
        let all = ListPodSandboxRequest { filter: None };
        let listed = self.runtime.list_pod_sandbox(all).await?;
        for sandbox in listed.into_inner().items {
            self.end(sandbox.id).await?;
        }
        Ok(())
    }

    async fn run(&mut self, config: PodSandboxConfig) -> Fallible<String> {
        let request = RunPodSandboxRequest {
            config: Some(config),
            runtime_handler: String::new(),
        };
        let made = self.runtime.run_pod_sandbox(request).await?;
        Ok(made.into_inner().pod_sandbox_id)
    }

    async fn end(&mut self, pod_sandbox_id: String) -> Fallible<()> {
        let stop = StopPodSandboxRequest {
            pod_sandbox_id: pod_sandbox_id.clone(),
        };
        self.runtime.stop_pod_sandbox(stop).await?;
        let remove = RemovePodSandboxRequest { pod_sandbox_id };
        self.runtime.remove_pod_sandbox(remove).await?;
        Ok(())
    }

    async fn container(&mut self, sandbox: &str, of: PodSandboxConfig) -> Fallible<String> {
        let config = ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: "app".to_owned(),
                attempt: 0,
            }),
            image: Some(ImageSpec {
                image: self.image.clone(),
                ..ImageSpec::default()
            }),
            command: ["/bin/sleep", "100000"].map(str::to_owned).into(),
            log_path: format!("{sandbox}.log"),
            ..ContainerConfig::default()
        };
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox.to_owned(),
            config: Some(config),
            sandbox_config: Some(of),
        };
        let made = self.runtime.create_container(request).await?;
        let container_id = made.into_inner().container_id;
        let start = StartContainerRequest {
            container_id: container_id.clone(),
        };
        self.runtime.start_container(start).await?;
        Ok(container_id)
    }

    fn sandbox(&self, name: &str) -> PodSandboxConfig {
        PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: name.to_owned(),
                uid: format!("uid-of-{name}"),
                namespace: "bench".to_owned(),
                attempt: 0,
            }),
            hostname: name.to_owned(),
            log_directory: self.logs.clone(),
            labels: BTreeMap::from([("app".to_owned(), name.to_owned())]),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: "/fairing-bench".to_owned(),
                ..LinuxPodSandboxConfig::default()
            }),
            ..PodSandboxConfig::default()
        }
    }
}
