//! Hosts with a shim and a sandbox, and containers in it.

use std::path::PathBuf;
use std::time::Duration;

use cri_shim::api::{
    ContainerConfig, ContainerMetadata, ContainerState, ContainerStatus, ContainerStatusRequest,
    CreateContainerRequest, ExecSyncRequest, ExecSyncResponse, ImageSpec, LinuxContainerConfig,
    LinuxContainerSecurityContext, ListPodSandboxRequest, PodSandboxConfig, RemoveContainerRequest,
    StartContainerRequest, StopContainerRequest,
};
use harness::{Cri, Host, ImageBuilder, wait_until};
use tonic::Status;

use crate::cri_sandbox;
use crate::stocked::{IDLE, IMAGE, import};

pub(crate) const CREATED: i32 = ContainerState::ContainerCreated as i32;
pub(crate) const RUNNING: i32 = ContainerState::ContainerRunning as i32;
pub(crate) const EXITED: i32 = ContainerState::ContainerExited as i32;

/// How long something may take that is known to happen.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A host with busybox, a shim, and a sandbox that is ready.
pub(crate) struct Ground {
    pub(crate) cri: Cri,
    pub(crate) host: Host,
    pub(crate) sandbox: String,
    pub(crate) config: PodSandboxConfig,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self::of(ImageBuilder::busybox(), |_| ())
    }

    /// With a sandbox that may have privileged containers.
    pub(crate) fn privileged() -> Self {
        Self::of(ImageBuilder::busybox(), |sandbox| {
            let linux = sandbox.linux.get_or_insert_default();
            linux.security_context.get_or_insert_default().privileged = true;
        })
    }

    /// With another image, and another sandbox.
    pub(crate) fn of(image: ImageBuilder, change: impl FnOnce(&mut PodSandboxConfig)) -> Self {
        Self::on(cri_sandbox::host(), "", image, change)
    }

    /// On a host that is configured already, with a sandbox of this handler.
    pub(crate) fn on(
        host: Host,
        handler: &str,
        image: ImageBuilder,
        change: impl FnOnce(&mut PodSandboxConfig),
    ) -> Self {
        let cri = Cri::start(&host);
        Self::by(cri, host, handler, image, change)
    }

    /// With a shim that was started by the test.
    pub(crate) fn by(
        cri: Cri,
        host: Host,
        handler: &str,
        image: ImageBuilder,
        change: impl FnOnce(&mut PodSandboxConfig),
    ) -> Self {
        import(&host, &image.build(), IMAGE);
        let mut config = cri_sandbox::config("box");
        let logs = host.base().join("logs");
        std::fs::create_dir(&logs).unwrap();
        config.log_directory = logs.to_str().unwrap().to_owned();
        change(&mut config);
        let sandbox = cri_sandbox::run_by(&cri, handler, &config).unwrap();
        Self {
            cri,
            host,
            sandbox,
            config,
        }
    }

    /// Asks for a container.
    pub(crate) fn try_create(&self, config: &ContainerConfig) -> Result<String, Status> {
        let request = CreateContainerRequest {
            pod_sandbox_id: self.sandbox.clone(),
            config: Some(config.clone()),
            sandbox_config: Some(self.config.clone()),
        };
        let made = self
            .cri
            .call(self.cri.runtime().create_container(request))?;
        Ok(made.container_id)
    }

    #[track_caller]
    pub(crate) fn create(&self, config: &ContainerConfig) -> String {
        self.try_create(config).unwrap()
    }

    pub(crate) fn try_start(&self, id: &str) -> Result<(), Status> {
        let container_id = id.to_owned();
        let request = StartContainerRequest { container_id };
        let started = self.cri.call(self.cri.runtime().start_container(request));
        started.map(drop)
    }

    /// Makes and starts a container.
    #[track_caller]
    pub(crate) fn run(&self, config: &ContainerConfig) -> String {
        let id = self.create(config);
        self.try_start(&id).unwrap();
        id
    }

    /// Runs a container to its end; gives how it is then.
    #[track_caller]
    pub(crate) fn run_to_end(&self, config: &ContainerConfig) -> ContainerStatus {
        let id = self.run(config);
        self.wait_end(&id)
    }

    #[track_caller]
    pub(crate) fn wait_end(&self, id: &str) -> ContainerStatus {
        wait_until("the container has ended", SOON, || {
            let status = self.status(id);
            (status.state == EXITED).then_some(status)
        })
    }

    pub(crate) fn stop(&self, id: &str, timeout: i64) -> Result<(), Status> {
        let container_id = id.to_owned();
        let request = StopContainerRequest {
            container_id,
            timeout,
        };
        let stopped = self.cri.call(self.cri.runtime().stop_container(request));
        stopped.map(drop)
    }

    pub(crate) fn remove(&self, id: &str) -> Result<(), Status> {
        let container_id = id.to_owned();
        let request = RemoveContainerRequest { container_id };
        let removed = self.cri.call(self.cri.runtime().remove_container(request));
        removed.map(drop)
    }

    pub(crate) fn try_status(&self, id: &str) -> Result<ContainerStatus, Status> {
        let request = ContainerStatusRequest {
            container_id: id.to_owned(),
            verbose: false,
        };
        let told = self
            .cri
            .call(self.cri.runtime().container_status(request))?;
        Ok(told.status.expect("a status"))
    }

    #[track_caller]
    pub(crate) fn status(&self, id: &str) -> ContainerStatus {
        self.try_status(id).unwrap()
    }

    /// A command in a container.
    pub(crate) fn try_exec(
        &self,
        id: &str,
        cmd: &[&str],
        timeout: i64,
    ) -> Result<ExecSyncResponse, Status> {
        let request = ExecSyncRequest {
            container_id: id.to_owned(),
            cmd: cmd.iter().map(|word| (*word).to_owned()).collect(),
            timeout,
        };
        self.cri.call(self.cri.runtime().exec_sync(request))
    }

    /// What a shell script in a container writes, which ends well.
    #[track_caller]
    pub(crate) fn sh(&self, id: &str, script: &str) -> String {
        let done = self.try_exec(id, &["/bin/sh", "-c", script], 20).unwrap();
        let told = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.exit_code, 0, "{script}: {told}");
        String::from_utf8(done.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    pub(crate) fn log_file(&self, name: &str) -> PathBuf {
        PathBuf::from(&self.config.log_directory).join(name)
    }

    /// What a script writes in a container that is changed so.
    #[track_caller]
    pub(crate) fn said(
        &self,
        name: &str,
        text: &str,
        change: impl FnOnce(&mut ContainerConfig),
    ) -> String {
        let mut config = script(name, text);
        change(&mut config);
        self.run_to_end(&config);
        self.logged(name)
    }

    /// What a container has written to its standard output and error.
    pub(crate) fn logged(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.log_file(name)).unwrap_or_default();
        let words = text.lines().map(|line| line.splitn(4, ' ').nth(3).unwrap());
        words.collect::<Vec<_>>().join("\n")
    }

    /// Waits until its log holds a text.
    #[track_caller]
    pub(crate) fn wait_logged(&self, name: &str, part: &str) {
        wait_until(&format!("{part:?} in {name}"), SOON, || {
            self.logged(name).contains(part).then_some(())
        });
    }
}

/// Sandboxes are gone at the end of a test, and with them all containers.
impl Drop for Ground {
    fn drop(&mut self) {
        let all = ListPodSandboxRequest { filter: None };
        let Ok(all) = self.cri.call(self.cri.runtime().list_pod_sandbox(all)) else {
            return;
        };
        for sandbox in all.items {
            let removed = cri_sandbox::remove(&self.cri, &sandbox.id);
            assert!(removed.is_ok() || std::thread::panicking(), "{removed:?}");
        }
    }
}

/// What is asked of a container of this name that runs a script. Its log has its name.
pub(crate) fn script(name: &str, script: &str) -> ContainerConfig {
    ContainerConfig {
        metadata: Some(ContainerMetadata {
            name: name.to_owned(),
            attempt: 0,
        }),
        image: Some(ImageSpec {
            image: IMAGE.to_owned(),
            ..ImageSpec::default()
        }),
        command: ["/bin/sh", "-c", script].map(str::to_owned).into(),
        log_path: name.to_owned(),
        linux: Some(LinuxContainerConfig {
            security_context: Some(LinuxContainerSecurityContext::default()),
            ..LinuxContainerConfig::default()
        }),
        ..ContainerConfig::default()
    }
}

/// One that does nothing until it is asked to end.
pub(crate) fn idle(name: &str) -> ContainerConfig {
    script(name, &format!("trap 'exit 0' TERM; {IDLE}"))
}

/// The security context of a request.
pub(crate) fn security(config: &mut ContainerConfig) -> &mut LinuxContainerSecurityContext {
    let linux = config.linux.get_or_insert_default();
    linux.security_context.get_or_insert_default()
}
