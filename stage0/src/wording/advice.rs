//! Failures of the engine as a person at a shell is told of them: with the flags and commands that help.

use engine::Error;
use engine::error::{AppError, IsolatorError, MonitorError, NetworkSpecError};
use image_store::StoreError;
use pod::PodError;
use pod::stage1::Stage1Error;

/// What went wrong, and what to do about it.
pub(super) fn text(error: &Error) -> String {
    match error {
        Error::NotInStore { reference } => format!("{error}; {}", remedy(reference)),
        Error::Integrity { reference, source } => {
            format!("{error}; {}", integrity_remedy(source, reference))
        }
        Error::Pod(error) | Error::Stage1(Stage1Error::Manifest(error)) => pod(error),
        Error::App(error) => app(error),
        Error::Isolator(IsolatorError::NotFound { .. }) => {
            format!("{error}; name its directory with --stage1")
        }
        Error::Monitor(MonitorError::Deaf(uuid) | MonitorError::Busy { uuid, .. }) => {
            format!("{error}; `fairing stop --force {uuid}` may end it")
        }
        Error::NetworkSpec(error) => network(error),
        error => error.to_string(),
    }
}

fn pod(error: &PodError) -> String {
    match error {
        PodError::Damaged { .. } => {
            format!("{error}; `fairing rm` or `fairing gc` removes the pod it belongs to")
        }
        PodError::LaterVersion { .. } => format!("{error}; upgrade fairing"),
        PodError::NoSuchPod(_) => format!("{error}; `fairing list` shows all pods"),
        PodError::NameInUse { name, .. } => {
            format!("{error}; choose another or `fairing rm {name}` first")
        }
        error => error.to_string(),
    }
}

fn app(error: &AppError) -> String {
    match error {
        AppError::NoProgram { .. } => {
            format!("{error}; name one with --exec PROGRAM or after `--`")
        }
        AppError::EmptyProgram { .. } => format!("{error}; name one with --exec PROGRAM"),
        AppError::NotInBackground { pod } => format!(
            "pod {pod} was prepared with --tty or --interactive: it can't run in the background"
        ),
        error => error.to_string(),
    }
}

fn network(error: &NetworkSpecError) -> String {
    match error {
        NetworkSpecError::PortsWithoutNetwork => {
            "--port is for pods that join a network: with --net=host the pod's ports are the host's, and \
             with --net=none nobody reaches them"
                .to_owned()
        }
        NetworkSpecError::BandwidthWithoutNetwork => {
            "--bandwidth is for pods that join a network: with --net=host the interfaces are the host's, and with \
             --net=none there are none"
                .to_owned()
        }
        NetworkSpecError::Port(_) | NetworkSpecError::Ports(_) => format!("--port: {error}"),
        NetworkSpecError::Argument { .. } => format!("--net: {error}"),
        NetworkSpecError::HandedOver { .. } => {
            let text = error.to_string();
            text.replacen("to be published,", "to be published by --port,", 1)
        }
    }
}

/// What to do about an image that is not in the store.
fn remedy(reference: &str) -> String {
    match reference.starts_with("sha256:") {
        true => "`fairing image list` shows what is".to_owned(),
        false => format!("`fairing fetch {reference}` gets it"),
    }
}

/// What to do about layers that are not as they were unpacked.
fn integrity_remedy(error: &StoreError, reference: &str) -> String {
    match error {
        StoreError::Unsealed { .. } => format!(
            "`fairing image verify --reseal {reference}` reads every byte of it and seals it again"
        ),
        _ => format!("`fairing image verify --repair {reference}` restores it"),
    }
}
