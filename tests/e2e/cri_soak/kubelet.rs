//! What kubelets do, again and again, though calls break off.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use cri_shim::api::{
    Container, ContainerConfig, ContainerFilter, ContainerStatusRequest, CreateContainerRequest,
    ExecSyncRequest, ListContainersRequest, ListPodSandboxRequest, PodSandbox, PodSandboxConfig,
    PodSandboxFilter, PodSandboxState, PodSandboxStatusRequest, PortMapping,
    RemoveContainerRequest, RemovePodSandboxRequest, RunPodSandboxRequest, StartContainerRequest,
    StopContainerRequest, StopPodSandboxRequest,
};
use harness::Cri;
use tonic::{Code, Response, Status};

use crate::cri_containers::{CREATED, RUNNING, idle};
use crate::cri_sandbox::config;
use crate::dice::Dice;

pub(super) const READY: i32 = PodSandboxState::SandboxReady as i32;

/// How long one call may take, with all its repetitions.
const PATIENCE: Duration = Duration::from_secs(60);
/// Sandboxes that are tried for one pod.
const ATTEMPTS: u32 = 30;

/// One that asks for pods.
pub(super) struct Kubelet<'a> {
    cri: &'a Cri,
    logs: &'a Path,
    number: u64,
    dice: Dice,
    pods: u64,
    /// What the shim has refused, and how often.
    pub(super) told: BTreeMap<String, usize>,
}

impl<'a> Kubelet<'a> {
    pub(super) fn new(cri: &'a Cri, logs: &'a Path, number: u64, seed: u64) -> Self {
        Self {
            cri,
            logs,
            number,
            dice: Dice(seed | 1),
            pods: 0,
            told: BTreeMap::new(),
        }
    }

    /// A pod from its beginning to its end.
    pub(super) fn life(&mut self) {
        let (pod, attempts) = self.next_pod();
        let Some((id, pod)) = self.sandbox(pod, attempts) else {
            return;
        };
        for number in 0..1 + self.dice.below(2) {
            self.container(&id, &pod, &format!("app{number}"));
        }
        self.end(&id);
    }

    /// The last pod, which stays with a container.
    pub(super) fn stay(&mut self) {
        let (pod, _) = self.next_pod();
        let Some((id, pod)) = self.sandbox(pod, ATTEMPTS) else {
            panic!("no pod of kubelet {} comes up", self.number);
        };
        let made = self.create(&id, &pod, &idle("stays"));
        let started = made.and_then(|container| self.start(&container));
        self.note(started.err());
    }

    /// What is asked of the next pod, and how long the kubelet goes on asking.
    fn next_pod(&mut self) -> (PodSandboxConfig, u32) {
        self.pods += 1;
        let mut pod = config(&format!("pod-{}-{}", self.number, self.pods));
        pod.labels = BTreeMap::from([("kubelet".to_owned(), self.number.to_string())]);
        pod.log_directory = self.logs.to_str().unwrap().to_owned();
        if self.dice.below(2) == 0 {
            pod.port_mappings = vec![PortMapping {
                container_port: 80,
                host_port: 8000 + i32::try_from(self.number).unwrap(),
                ..PortMapping::default()
            }];
        }
        // Now and then it loses interest, while the shim may be about to make it.
        let attempts = if self.dice.below(6) == 0 { 0 } else { ATTEMPTS };
        (pod, attempts)
    }

    /// Runs a sandbox, by another attempt where one has failed; `None` if nobody has waited for it.
    fn sandbox(
        &mut self,
        mut pod: PodSandboxConfig,
        attempts: u32,
    ) -> Option<(String, PodSandboxConfig)> {
        for attempt in 0..=attempts {
            pod.metadata.as_mut().unwrap().attempt = attempt;
            let request = RunPodSandboxRequest {
                config: Some(pod.clone()),
                runtime_handler: String::new(),
            };
            let run = || {
                let (mut client, request) = (self.cri.runtime(), request.clone());
                async move { client.run_pod_sandbox(request).await }
            };
            let made = match attempts {
                0 => self.once(run()),
                _ => self.again(run),
            };
            match made {
                Ok(made) => return Some((made.pod_sandbox_id, pod)),
                Err(error) => self.note(Some(error)),
            }
            // What there is of it goes first, and pods that came up when nobody waited for them any more.
            for sandbox in self.sandboxes_of(&pod) {
                self.end(&sandbox.id);
            }
        }
        assert_eq!(attempts, 0, "no sandbox comes up: {:?}", self.told);
        None
    }

    /// A container from its beginning to its end, which a killed sandbox may cut short.
    fn container(&mut self, sandbox: &str, pod: &PodSandboxConfig, name: &str) {
        let config = idle(name);
        let id = match self.create(sandbox, pod, &config) {
            Ok(id) => id,
            Err(error) => return self.note(Some(error)),
        };
        if self.dice.below(3) == 0
            && let Ok(same) = self.create(sandbox, pod, &config)
        {
            assert_eq!(same, id, "one key is one container");
        }
        if let Err(error) = self.start(&id) {
            return self.note(Some(error));
        }
        let done = self.exec(&id);
        self.note(done.err());
        if self.dice.below(3) != 0 {
            self.stop(&id);
        }
        if self.dice.below(3) != 0 {
            let container_id = id.clone();
            let request = RemoveContainerRequest { container_id };
            let removed = self.again(|| {
                let (mut client, request) = (self.cri.runtime(), request.clone());
                async move { client.remove_container(request).await }
            });
            removed.unwrap();
            let gone = self.state(&id).unwrap_err();
            assert_eq!(gone.code(), Code::NotFound, "{gone}");
        }
    }

    fn create(
        &self,
        sandbox: &str,
        pod: &PodSandboxConfig,
        config: &ContainerConfig,
    ) -> Result<String, Status> {
        let request = CreateContainerRequest {
            pod_sandbox_id: sandbox.to_owned(),
            config: Some(config.clone()),
            sandbox_config: Some(pod.clone()),
        };
        let made = self.again(|| {
            let (mut client, request) = (self.cri.runtime(), request.clone());
            async move { client.create_container(request).await }
        });
        Ok(made?.container_id)
    }

    /// Starts a container. Who was cut off looks what has become of it, and asks no container to start that runs.
    fn start(&self, id: &str) -> Result<(), Status> {
        let begun = Instant::now();
        loop {
            let container_id = id.to_owned();
            let request = StartContainerRequest { container_id };
            let mut client = self.cri.runtime();
            match self.once(async move { client.start_container(request).await }) {
                Err(error) if is_cut_off(&error) => {}
                other => return other.map(drop),
            }
            if self.state(id)? != CREATED {
                return Ok(());
            }
            assert!(begun.elapsed() < PATIENCE, "a start hangs");
        }
    }

    /// Ends a container; when that is answered it runs no more.
    fn stop(&mut self, id: &str) {
        let timeout = i64::try_from(self.dice.below(2)).unwrap();
        let container_id = id.to_owned();
        let request = StopContainerRequest {
            container_id,
            timeout,
        };
        let stopped = self.again(|| {
            let (mut client, request) = (self.cri.runtime(), request.clone());
            async move { client.stop_container(request).await }
        });
        stopped.unwrap();
        assert_ne!(self.state(id).unwrap(), RUNNING, "after its stop");
    }

    /// Has a container that runs answer.
    pub(super) fn exec(&self, id: &str) -> Result<(), Status> {
        let request = ExecSyncRequest {
            container_id: id.to_owned(),
            cmd: ["/bin/echo", "here"].map(str::to_owned).into(),
            timeout: 20,
        };
        let done = self.again(|| {
            let (mut client, request) = (self.cri.runtime(), request.clone());
            async move { client.exec_sync(request).await }
        })?;
        // A pod init that is killed takes the command along.
        if done.exit_code == 0 {
            assert_eq!(done.stdout, b"here\n");
        }
        Ok(())
    }

    fn state(&self, id: &str) -> Result<i32, Status> {
        let request = ContainerStatusRequest {
            container_id: id.to_owned(),
            verbose: false,
        };
        let told = self.again(|| {
            let (mut client, request) = (self.cri.runtime(), request.clone());
            async move { client.container_status(request).await }
        })?;
        Ok(told.status.unwrap().state)
    }

    /// Ends and removes a sandbox: whatever has become of it, that succeeds.
    fn end(&self, id: &str) {
        let stop = StopPodSandboxRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let stopped = self.again(|| {
            let (mut client, request) = (self.cri.runtime(), stop.clone());
            async move { client.stop_pod_sandbox(request).await }
        });
        stopped.unwrap();
        match self.sandbox_state(id) {
            Ok(state) => assert_ne!(state, READY, "after its stop"),
            Err(error) => assert_eq!(error.code(), Code::NotFound, "{error}"),
        }
        let mut containers = self.containers().into_iter();
        let running = containers.find(|one| one.pod_sandbox_id == id && one.state == RUNNING);
        assert_eq!(running, None, "in a sandbox that was stopped");
        let remove = RemovePodSandboxRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let removed = self.again(|| {
            let (mut client, request) = (self.cri.runtime(), remove.clone());
            async move { client.remove_pod_sandbox(request).await }
        });
        removed.unwrap();
        let gone = self.sandbox_state(id).unwrap_err();
        assert_eq!(gone.code(), Code::NotFound, "{gone}");
    }

    fn sandbox_state(&self, id: &str) -> Result<i32, Status> {
        let request = PodSandboxStatusRequest {
            pod_sandbox_id: id.to_owned(),
            verbose: false,
        };
        let told = self.again(|| {
            let (mut client, request) = (self.cri.runtime(), request.clone());
            async move { client.pod_sandbox_status(request).await }
        })?;
        Ok(told.status.unwrap().state)
    }

    /// Removes all sandboxes that there are.
    pub(super) fn remove_all(&self) {
        for sandbox in self.sandboxes() {
            self.end(&sandbox.id);
        }
    }

    pub(super) fn sandboxes(&self) -> Vec<PodSandbox> {
        self.list(None)
    }

    fn sandboxes_of(&self, pod: &PodSandboxConfig) -> Vec<PodSandbox> {
        self.list(Some(PodSandboxFilter {
            label_selector: pod.labels.clone(),
            ..PodSandboxFilter::default()
        }))
    }

    fn list(&self, filter: Option<PodSandboxFilter>) -> Vec<PodSandbox> {
        let request = ListPodSandboxRequest { filter };
        let listed = self.again(|| {
            let (mut client, request) = (self.cri.runtime(), request.clone());
            async move { client.list_pod_sandbox(request).await }
        });
        listed.unwrap().items
    }

    pub(super) fn containers(&self) -> Vec<Container> {
        let filter = Some(ContainerFilter::default());
        let request = ListContainersRequest { filter };
        let listed = self.again(|| {
            let (mut client, request) = (self.cri.runtime(), request.clone());
            async move { client.list_containers(request).await }
        });
        listed.unwrap().containers
    }

    /// Calls until there is an answer.
    fn again<T, F>(&self, call: impl Fn() -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let begun = Instant::now();
        loop {
            match self.once(call()) {
                Err(error) if is_cut_off(&error) => {
                    assert!(begun.elapsed() < PATIENCE, "no answer but {error}");
                }
                other => return other,
            }
        }
    }

    /// Calls once.
    fn once<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Status> {
        let answer = self
            .cri
            .wait(async { tokio::time::timeout(PATIENCE, call).await });
        answer.expect("an answer in time").map(Response::into_inner)
    }

    /// Notes what the shim has refused: that a call was not carried out is no answer.
    fn note(&mut self, refused: Option<Status>) {
        let Some(refused) = refused.filter(|refused| !is_cut_off(refused)) else {
            return;
        };
        assert_ne!(refused.code(), Code::Internal, "{refused}");
        let words = refused.message().split(' ');
        let is_id = |word: &&str| word.chars().filter(char::is_ascii_digit).count() > 6;
        let words: Vec<_> = words.filter(|word| !is_id(word)).collect();
        *self.told.entry(words.join(" ")).or_insert(0) += 1;
    }
}

/// Whether a call has broken off, and the shim has said nothing.
fn is_cut_off(status: &Status) -> bool {
    status.source().is_some()
}
