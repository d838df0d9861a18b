//! How a container is.

use std::collections::BTreeMap;
use std::path::Path;

use engine::pods::connection::live_status;
use pod::exit::{AppStatus, Outcome};
use pod::timestamp::Timestamp;

use super::spec::{told_resources, told_signal};
use crate::api::{
    ContainerResources, ContainerState, ContainerStatus, ContainerStatusRequest,
    ContainerStatusResponse, ContainerUser, ImageSpec,
};
use crate::error::CriError;
use crate::record::ContainerRecord;
use crate::shim::Shim;
use crate::state::{self, Container, ContainerEnd, ContainerPhase, Look, nanoseconds};

/// The exit code of what could not be started, as containerd has it.
const NOT_STARTED: i32 = 128;
/// That of what has ended without anybody to tell how.
const LOST: i32 = 255;
/// The signal by which the kernel makes room.
const SIGKILL: i32 = 9;

/// How a container is.
pub(crate) fn status(
    shim: &Shim,
    request: ContainerStatusRequest,
) -> Result<ContainerStatusResponse, CriError> {
    let (sandbox, app) = state::container(shim, &request.container_id)?;
    let not_found = || CriError::NotFound {
        what: "container",
        id: request.container_id.clone(),
    };
    let container = sandbox.container(&app).ok_or_else(not_found)?;
    let info = match request.verbose {
        true => information(shim, &container)?,
        false => BTreeMap::new(),
    };
    let status = told(&container).ok_or_else(not_found)?;
    Ok(ContainerStatusResponse {
        status: Some(status),
        info,
    })
}

/// The image of a container: by the name that it was judged by, whatever name or id was asked for. People read it.
pub(super) fn told_image(record: &ContainerRecord) -> Option<ImageSpec> {
    let mut image = record.config.image.clone()?;
    if !record.image_name.is_empty() {
        image.image.clone_from(&record.image_name);
    }
    Some(image)
}

/// The state of a container, as the interface has it.
pub(super) fn told_state(phase: &ContainerPhase) -> ContainerState {
    match phase {
        ContainerPhase::Created => ContainerState::ContainerCreated,
        ContainerPhase::Running => ContainerState::ContainerRunning,
        ContainerPhase::Exited(_) => ContainerState::ContainerExited,
    }
}

/// All that the interface tells of a container; nothing of one that has been removed meanwhile.
pub(crate) fn told(container: &Container<'_>) -> Option<ContainerStatus> {
    let (record, app) = (container.record, container.app);
    let config = &record.config;
    let Look { phase, started_at } = container.look()?;
    let mut status = ContainerStatus {
        id: container.id().to_string(),
        metadata: config.metadata.clone(),
        state: told_state(&phase) as i32,
        created_at: record.created_at,
        image: told_image(record),
        image_ref: record.image_ref.clone(),
        image_id: record.image_id.clone(),
        labels: config.labels.clone(),
        annotations: config.annotations.clone(),
        mounts: config.mounts.clone(),
        log_path: log_path(container),
        resources: Some(ContainerResources {
            linux: Some(told_resources(app)),
            windows: None,
        }),
        user: Some(ContainerUser {
            linux: Some(record.user.clone()),
        }),
        stop_signal: told_signal(app.stop_signal) as i32,
        started_at,
        ..ContainerStatus::default()
    };
    if let ContainerPhase::Exited(end) = &phase {
        let end = End::of(end);
        status.finished_at = end.finished_at;
        status.exit_code = end.exit_code;
        status.reason = end.reason.to_owned();
        status.message = end.message;
    }
    Some(status)
}

/// How a container has ended, in the interface's words.
#[derive(Debug, PartialEq, Eq)]
struct End {
    finished_at: i64,
    exit_code: i32,
    reason: &'static str,
    message: String,
}

impl End {
    fn of(end: &ContainerEnd) -> Self {
        let status = match end {
            ContainerEnd::Recorded(status) => status,
            ContainerEnd::Lost(since) => {
                return Self {
                    finished_at: *since,
                    exit_code: LOST,
                    reason: "Unknown",
                    message: "its sandbox was killed, or the node was booted anew: nobody has seen how it ended".to_owned(),
                };
            }
        };
        let message = match status.outcome {
            Outcome::NotStarted { .. } => &status.complaint,
            _ => &status.message,
        };
        let (exit_code, reason) = match status.outcome {
            Outcome::NotStarted { .. } => (NOT_STARTED, "StartError"),
            _ if is_out_of_memory(status) => (status.exit_code, "OOMKilled"),
            _ if status.exit_code == 0 => (0, "Completed"),
            _ => (status.exit_code, "Error"),
        };
        Self {
            finished_at: time(status.finished),
            exit_code,
            reason,
            message: message.clone().unwrap_or_default(),
        }
    }
}

/// Whether it has ended because memory was short: its main process was killed for that, or has ended so because of another
/// one that was.
fn is_out_of_memory(status: &AppStatus) -> bool {
    let is_killed = status.exit_code == 128 + SIGKILL;
    let has_lost_some = status.oom_kills.is_some_and(|kills| kills > 0);
    status.out_of_memory.is_some()
        || (is_killed && has_lost_some)
        || matches!(
            status.outcome,
            Outcome::Signaled {
                oom_killed: true,
                ..
            }
        )
}

fn time(time: Timestamp) -> i64 {
    nanoseconds(time).max(1)
}

/// Where its log is; nothing if none is kept.
fn log_path(container: &Container<'_>) -> String {
    let log = container.app.log.as_ref();
    let path = log.and_then(|log| log.path.as_deref());
    path.map(Path::to_string_lossy)
        .unwrap_or_default()
        .into_owned()
}

/// What people look at, and tools such as `crictl`: they find the process by `pid`.
fn information(
    shim: &Shim,
    container: &Container<'_>,
) -> Result<BTreeMap<String, String>, CriError> {
    // Of a monitor that does not answer, nothing is told.
    let live = live_status(&container.sandbox.entry, &shim.engine.directories);
    let live = live.ok().flatten();
    let apps = live.as_ref().map(|live| live.apps.as_slice());
    let mut apps = apps.unwrap_or_default().iter();
    let running = apps.find(|app| app.name == container.app.name);
    let info = serde_json::json!({
        "sandboxID": container.sandbox.id().to_string(),
        "pid": running.and_then(|app| app.pid).unwrap_or_default(),
        "app": container.app,
    });
    Ok(BTreeMap::from([("info".to_owned(), info.to_string())]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pod::exit::{FailureKind, OutOfMemory};

    fn end(outcome: Outcome, change: fn(&mut AppStatus)) -> (i32, &'static str) {
        let mut status = AppStatus {
            version: pod::exit::RECORD_VERSION,
            started: None,
            finished: Timestamp::from(std::time::SystemTime::now()),
            exit_code: outcome.exit_code(),
            outcome,
            oom_kills: None,
            out_of_memory: None,
            message: None,
            complaint: None,
            restarts: 0,
        };
        change(&mut status);
        let end = End::of(&ContainerEnd::Recorded(status));
        assert!(end.finished_at > 0);
        (end.exit_code, end.reason)
    }

    fn killed(oom_killed: bool) -> Outcome {
        Outcome::Signaled {
            signal: SIGKILL,
            oom_killed,
        }
    }

    #[test]
    fn ends_have_the_words_of_kubernetes() {
        let exited = |code| Outcome::Exited { code };
        assert_eq!(end(exited(0), |_| ()), (0, "Completed"));
        assert_eq!(end(exited(3), |_| ()), (3, "Error"));
        assert_eq!(end(killed(false), |_| ()), (137, "Error"));
        assert_eq!(end(killed(true), |_| ()), (137, "OOMKilled"));
        let failure = FailureKind::NotFound;
        let not_started = Outcome::NotStarted { failure };
        assert_eq!(end(not_started, |_| ()), (128, "StartError"));
        // A shell whose child was killed.
        let some = |status: &mut AppStatus| status.oom_kills = Some(1);
        assert_eq!(end(exited(137), some), (137, "OOMKilled"));
        assert_eq!(end(exited(1), some), (1, "Error"));
        let known = |status: &mut AppStatus| status.out_of_memory = Some(OutOfMemory::Pod);
        assert_eq!(end(killed(false), known), (137, "OOMKilled"));
        let lost = End::of(&ContainerEnd::Lost(7));
        assert_eq!((lost.exit_code, lost.finished_at), (255, 7));
    }
}
