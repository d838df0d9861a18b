//! Making sandboxes.

use std::thread;
use std::time::{Duration, Instant};

use engine::pods::{background, prepare};
use pod::activation::ActivationSockets;
use pod::{Phase, PodError, PodUuid};

use super::spec::spec;
use crate::api::{PodSandboxConfig, RunPodSandboxRequest, RunPodSandboxResponse};
use crate::error::CriError;
use crate::identity::{SandboxId, pod_name};
use crate::journal::Journal;
use crate::record::{SandboxRecord, require_fit};
use crate::shim::{START_PATIENCE, Shim};
use crate::state::{self, SandboxPhase};

/// Between two looks at what another request makes: the kernel tells nobody.
const OTHERS: Duration = Duration::from_millis(20);

/// Makes a sandbox and waits until it is up. A request for a key that another request is for waits for that one, and gets
/// the same id.
pub(crate) fn run(
    shim: &Shim,
    request: RunPodSandboxRequest,
) -> Result<RunPodSandboxResponse, CriError> {
    let config = request.config.ok_or_else(|| CriError::missing("config"))?;
    require_fit(&config)?;
    let record = SandboxRecord {
        config,
        runtime_handler: request.runtime_handler,
    };
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        let spec = match spec(shim, &record) {
            Ok(spec) => spec,
            // What the node lacks by now is nothing to who asks again for what there is.
            Err(error) => {
                return match already(shim, &record.config, deadline) {
                    Some(uuid) => Ok(response(uuid)),
                    None => Err(error),
                };
            }
        };
        let sockets = ActivationSockets::default();
        match prepare::prepare(&shim.engine, &spec, &sockets, &Journal) {
            Ok(prepared) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let uuid = background::start(prepared, &shim.engine, left, &Journal)?;
                return Ok(response(uuid));
            }
            Err(engine::Error::Pod(PodError::NameInUse { holder, .. })) => {
                if let Some(uuid) = await_other(shim, &record.config, holder, deadline)? {
                    return Ok(response(uuid));
                }
            }
            Err(error) => return Err(CriError::of_sandbox(error)),
        }
    }
}

fn response(uuid: PodUuid) -> RunPodSandboxResponse {
    RunPodSandboxResponse {
        pod_sandbox_id: SandboxId(uuid).to_string(),
    }
}

/// The sandbox that there is for this key, if it is up or about to be.
fn already(shim: &Shim, config: &PodSandboxConfig, deadline: Instant) -> Option<PodUuid> {
    let name = pod_name(config.metadata.as_ref()?).ok()?;
    let holder = shim.engine.pods().find(name.as_str()).ok()?.uuid;
    await_other(shim, config, holder, deadline).ok()?
}

/// Waits for the sandbox that another request makes for the same key; `None` if it has come to nothing.
fn await_other(
    shim: &Shim,
    config: &PodSandboxConfig,
    holder: PodUuid,
    deadline: Instant,
) -> Result<Option<PodUuid>, CriError> {
    let id = SandboxId(holder).to_string();
    loop {
        match shim.engine.pods().by_uuid(holder)? {
            None => return Ok(None),
            Some(entry) if entry.phase == Phase::Garbage => {}
            Some(entry) if entry.phase == Phase::Run => {
                let sandbox = state::sandbox_if_any(shim, &id)?;
                match sandbox.map(|sandbox| (sandbox.phase, sandbox)) {
                    Some((SandboxPhase::Ready, sandbox)) => {
                        return match sandbox.record().config.metadata == config.metadata {
                            true => Ok(Some(holder)),
                            false => Err(CriError::Busy(format!("the name of sandbox {id}"))),
                        };
                    }
                    Some((SandboxPhase::NotReady, _)) => {
                        return Err(CriError::State {
                            what: "sandbox",
                            id,
                            reason: "has this name, uid and attempt, and has ended: remove it, or ask for another attempt"
                                .to_owned(),
                        });
                    }
                    Some((SandboxPhase::Starting, _)) | None => {}
                }
            }
            Some(_) => {}
        }
        if Instant::now() >= deadline {
            return Err(CriError::Busy(format!("sandbox {id}")));
        }
        thread::sleep(OTHERS);
    }
}
