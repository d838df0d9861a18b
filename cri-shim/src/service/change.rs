//! Calls that change something: what each is called, and what it is about, for who reads of those that came to nothing.

use crate::api::{
    ContainerMetadata, CreateContainerRequest, PodSandboxMetadata, PullImageRequest,
    RemoveContainerRequest, RemoveImageRequest, RemovePodSandboxRequest, ReopenContainerLogRequest,
    RunPodSandboxRequest, StartContainerRequest, StopContainerRequest, StopPodSandboxRequest,
    UpdateContainerResourcesRequest, UpdatePodSandboxResourcesRequest,
};
use crate::shim::Shim;
use crate::state;

/// A request that changes something.
pub(super) trait Change {
    /// The name of its call.
    const CALL: &'static str;

    /// What it is about.
    fn about(&self) -> About;
}

/// What a request is about.
#[derive(Debug, Clone)]
pub(super) enum About {
    /// A sandbox that is to be.
    NewSandbox(Option<PodSandboxMetadata>),
    /// A sandbox, by its id.
    Sandbox(String),
    /// A container that is to be, in the sandbox of this id.
    NewContainer(String, Option<ContainerMetadata>),
    /// A container, by its id.
    Container(String),
    /// An image, by what it was called, for the pod of a sandbox.
    Image(String, Option<PodSandboxMetadata>),
}

impl About {
    /// By the names that people know it by, as far as there are some.
    pub(super) fn told(&self, shim: &Shim) -> String {
        match self {
            Self::NewSandbox(metadata) => {
                format!("sandbox {}", of_sandbox(metadata.as_ref()))
            }
            Self::Sandbox(id) => format!("sandbox {}", known_sandbox(shim, id)),
            Self::NewContainer(sandbox, metadata) => {
                let (name, pod) = (
                    of_container(metadata.as_ref()),
                    known_sandbox(shim, sandbox),
                );
                format!("container {name} in {pod}")
            }
            Self::Container(id) => format!("container {}", known_container(shim, id)),
            Self::Image(name, None) => format!("image {name}"),
            Self::Image(name, metadata) => {
                format!("image {name} for {}", of_sandbox(metadata.as_ref()))
            }
        }
    }
}

fn of_sandbox(metadata: Option<&PodSandboxMetadata>) -> String {
    metadata.map_or_else(
        || "without a name".to_owned(),
        |metadata| format!("{}/{}", metadata.namespace, metadata.name),
    )
}

fn of_container(metadata: Option<&ContainerMetadata>) -> String {
    metadata.map_or_else(
        || "without a name".to_owned(),
        |metadata| metadata.name.clone(),
    )
}

fn known_sandbox(shim: &Shim, id: &str) -> String {
    let known = state::sandbox_if_any(shim, id).ok().flatten();
    known.map_or_else(
        || id.to_owned(),
        |known| {
            format!(
                "{} ({id})",
                of_sandbox(known.record().config.metadata.as_ref())
            )
        },
    )
}

fn known_container(shim: &Shim, id: &str) -> String {
    let known = state::container_if_any(shim, id).ok().flatten();
    let Some((sandbox, app)) = known else {
        return id.to_owned();
    };
    let container = sandbox.container(&app);
    let metadata = container.and_then(|one| one.record.config.metadata.as_ref());
    let pod = of_sandbox(sandbox.record().config.metadata.as_ref());
    format!("{} ({id}) in {pod}", of_container(metadata))
}

macro_rules! changes {
    ($($call:literal $request:ident: |$this:ident| $about:expr;)+) => {
        $(
            impl Change for $request {
                const CALL: &'static str = $call;

                fn about(&self) -> About {
                    let $this = self;
                    $about
                }
            }
        )+
    };
}

changes! {
    "RunPodSandbox" RunPodSandboxRequest: |asked| {
        About::NewSandbox(asked.config.as_ref().and_then(|config| config.metadata.clone()))
    };
    "StopPodSandbox" StopPodSandboxRequest: |asked| About::Sandbox(asked.pod_sandbox_id.clone());
    "RemovePodSandbox" RemovePodSandboxRequest: |asked| {
        About::Sandbox(asked.pod_sandbox_id.clone())
    };
    "UpdatePodSandboxResources" UpdatePodSandboxResourcesRequest: |asked| {
        About::Sandbox(asked.pod_sandbox_id.clone())
    };
    "CreateContainer" CreateContainerRequest: |asked| {
        let metadata = asked.config.as_ref().and_then(|config| config.metadata.clone());
        About::NewContainer(asked.pod_sandbox_id.clone(), metadata)
    };
    "StartContainer" StartContainerRequest: |asked| About::Container(asked.container_id.clone());
    "StopContainer" StopContainerRequest: |asked| About::Container(asked.container_id.clone());
    "RemoveContainer" RemoveContainerRequest: |asked| About::Container(asked.container_id.clone());
    "ReopenContainerLog" ReopenContainerLogRequest: |asked| {
        About::Container(asked.container_id.clone())
    };
    "UpdateContainerResources" UpdateContainerResourcesRequest: |asked| {
        About::Container(asked.container_id.clone())
    };
    "PullImage" PullImageRequest: |asked| {
        let config = asked.sandbox_config.as_ref();
        let metadata = config.and_then(|config| config.metadata.clone());
        About::Image(name_of(asked.image.as_ref()), metadata)
    };
    "RemoveImage" RemoveImageRequest: |asked| About::Image(name_of(asked.image.as_ref()), None);
}

fn name_of(image: Option<&crate::api::ImageSpec>) -> String {
    image.map_or_else(String::new, |image| image.image.clone())
}
