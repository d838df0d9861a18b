//! Which pods run, which service has each, and how they are.

use std::collections::BTreeMap;
use std::fs;

use image_name::Reference;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use pod::control::{LiveApp, LiveStatus, Request, Response};
use pod::manifest::{App, InsecureOption, PodManifest, Role};
use pod::seqpacket::SeqPacket;
use pod::{AppName, Phase, PodEntry, PodError, PodName, PodUuid, State};

use super::plan::RunningApp;
use super::policy::policy_of;
use super::unit::{UnitName, unit_of};
use super::version::Version;
use super::watch::SeenPod;
use crate::engine::Engine;
use crate::error::{Error, UpdateError};
use crate::observer::{Observer, Warning};
use crate::pods::connection::{ask, connect};

/// An app of a running pod.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) pod: PodUuid,
    pub(super) pod_name: Option<PodName>,
    pub(super) app: AppName,
    /// Whether its pod was started without verification of images.
    pub(super) is_waived: bool,
    /// What matters for what becomes of it.
    pub(super) running: RunningApp,
}

impl Member {
    /// What its pod is called.
    pub(super) fn called(&self) -> String {
        match &self.pod_name {
            Some(name) => name.to_string(),
            None => self.pod.to_string(),
        }
    }
}

/// All apps of running pods, in the order of their services; and what is wrong with what some of them ask for.
pub(super) fn survey(
    engine: &Engine,
    observer: &dyn Observer,
) -> Result<(Vec<Member>, Vec<Error>), Error> {
    let (mut members, mut notes) = (Vec::new(), Vec::new());
    for pod in running(engine, observer)? {
        let Running { manifest, unit, .. } = pod;
        let called = || match &manifest.name {
            Some(name) => name.to_string(),
            None => manifest.uuid.to_string(),
        };
        for app in manifest.apps.iter() {
            let policy = policy_of(&manifest, app).unwrap_or_else(|unknown| {
                notes.push(
                    UpdateError::Policy {
                        pod: called(),
                        app: app.name.to_string(),
                        word: unknown.0,
                    }
                    .into(),
                );
                None
            });
            members.push(Member {
                pod: manifest.uuid,
                pod_name: manifest.name.clone(),
                app: app.name.clone(),
                is_waived: manifest.insecure_options.contains(&InsecureOption::Image),
                running: RunningApp {
                    unit: unit.clone(),
                    name: app.image.reference.clone(),
                    runs: version(app),
                    policy,
                },
            });
        }
    }
    // By the services' names, since identifiers of pods are random: what is told, and which of several images of one
    // name is gone back to, is the same each time.
    members.sort_by(|one, other| {
        let order = |member: &Member| (member.running.unit.clone(), member.pod);
        order(one).cmp(&order(other))
    });
    Ok((members, notes))
}

/// What an app runs. An index by which its image was signed is what the name stood for.
fn version(app: &App) -> Version {
    let signed = app.image.verification.signed_digest.as_ref();
    let manifest = &app.image.manifest;
    Version {
        digest: signed.unwrap_or(manifest).clone(),
        manifest: manifest.clone(),
    }
}

/// The running pods of a service, with the names and digests of their images.
pub(super) fn pods_of(
    engine: &Engine,
    unit: &UnitName,
    observer: &dyn Observer,
) -> Result<BTreeMap<PodUuid, SeenPod>, Error> {
    let mut seen = BTreeMap::new();
    for pod in running(engine, observer)? {
        if pod.unit.as_ref() != Some(unit) {
            continue;
        }
        let live = match ask(&pod.connection, &Request::Status) {
            Ok(Some(Response::Status(live))) => live,
            // It has ended, or its monitor can't tell.
            _ => continue,
        };
        let images = pod.manifest.apps.iter().map(|app| {
            let image: (Reference, _) = (app.image.reference.clone(), app.image.manifest.clone());
            image
        });
        seen.insert(
            pod.manifest.uuid,
            SeenPod {
                images: images.collect(),
                complaint: complaint(&pod.manifest, &live),
                restarts: live
                    .apps
                    .iter()
                    .fold(0, |sum, app| sum.saturating_add(app.restarts)),
            },
        );
    }
    Ok(seen)
}

/// Why a pod is not ready; `None` if it is.
fn complaint(manifest: &PodManifest, live: &LiveStatus) -> Option<String> {
    if live.stopping {
        return Some("its pod is being stopped".to_owned());
    }
    manifest.apps.iter().find_map(|app| {
        let name = &app.name;
        match live.apps.iter().find(|live| live.name == *name) {
            None => Some(format!("app {name} is not there")),
            Some(live) => complaint_of(live, app.role).map(|why| format!("app {name} {why}")),
        }
    })
}

fn complaint_of(app: &LiveApp, role: Role) -> Option<String> {
    if app.next_start.is_some() {
        let outcome = app
            .last_end
            .as_ref()
            .map(|last| last.outcome)
            .or(app.outcome);
        let code = outcome.map_or(String::new(), |one| format!(" with {}", one.exit_code()));
        return Some(format!("has ended{code}, and is going to start again"));
    }
    match (app.pid, app.outcome) {
        (None, Some(outcome)) if outcome.is_success() => None,
        (None, Some(outcome)) => Some(format!("has ended with {}", outcome.exit_code())),
        (None, None) => Some("has not started".to_owned()),
        (Some(_), _) if role == Role::Init => Some("has not ended yet".to_owned()),
        (Some(_), _) if app.ready == Some(false) => Some(match &app.complaint {
            Some(complaint) => format!("is not ready: {complaint}"),
            None => "is not ready".to_owned(),
        }),
        (Some(_), _) => None,
    }
}

/// A running pod, with a connection to its monitor.
struct Running {
    manifest: PodManifest,
    unit: Option<UnitName>,
    connection: SeqPacket,
}

/// The pods that run and take connections. One that begins or ends just now is left out; one that can't be talked to is
/// told of.
fn running(engine: &Engine, observer: &dyn Observer) -> Result<Vec<Running>, Error> {
    let path = "/proc/1/cgroup";
    let manager = fs::read_to_string(path).map_err(Error::io("read", path))?;
    let mut pods = Vec::new();
    for entry in engine.pods().in_phase(Phase::Run)? {
        if !matches!(entry.state(), Ok(State::Running)) {
            continue;
        }
        match look(engine, &entry, &manager) {
            Ok(pod) => pods.extend(pod),
            Err(error) => observer.warning(Warning::Monitor(error)),
        }
    }
    Ok(pods)
}

fn look(engine: &Engine, entry: &PodEntry, manager: &str) -> Result<Option<Running>, Error> {
    let manifest = match PodManifest::load(&entry.path) {
        Ok(manifest) => manifest,
        Err(PodError::Io { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(connection) = connect(entry, &engine.directories)? else {
        return Ok(None);
    };
    // The kernel says who listens, in the numbers of this process.
    let monitor = getsockopt(&connection, PeerCredentials).map(|peer| peer.pid());
    let cgroups = monitor.ok().and_then(|monitor| {
        let path = format!("/proc/{monitor}/cgroup");
        fs::read_to_string(path).ok()
    });
    Ok(Some(Running {
        manifest,
        unit: cgroups.and_then(|cgroups| unit_of(&cgroups, manager)),
        connection,
    }))
}
