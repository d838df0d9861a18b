//! From files to pods that run.

use engine::pods::prepare::{foresee, prepare};
use engine::pods::spec::{PodSpec, Users};
use engine::volumes::store;
use engine::{Error, error::VolumeError};
use pod::PodName;
use pod::activation::ActivationSockets;
use pod::manifest::Streams;
use pod::named_volumes::{NamedVolumeName, NewVolume};
use pod_yaml::{ClaimPlan, pods};

use super::arguments::Play;
use super::plan::Plan;
use crate::arguments::pod::UuidPlace;
use crate::command::trust::offer::Offers;
use crate::console::output;
use crate::context::Context;
use crate::kube::facts::facts;
use crate::kube::files::{PodFile, refused};
use crate::start::{handover, new_pod};
use crate::wording::failure::Failure;

/// What files and flags ask for. What means nothing here is told of.
///
/// # Errors
/// What is wrong with the files, or contradicts the flags.
pub(super) fn plan(
    flags: &Play,
    files: &[PodFile],
    config_maps: &[PodFile],
) -> Result<Plan, Failure> {
    let sources: Vec<_> = files.iter().map(PodFile::source).collect();
    let config_maps: Vec<_> = config_maps.iter().map(PodFile::source).collect();
    let facts = facts(flags.seccomp_profile_root.clone());
    let found = pods(&sources, &config_maps, &facts).map_err(refused)?;
    for warning in &found.warnings {
        output::warn(&warning.to_string());
    }
    if found.pods.is_empty() && found.claims.is_empty() {
        return Err(Failure::Usage(
            "there is no pod in what was read".to_owned(),
        ));
    }
    if found.pods.len() > 1 && (flags.network.is_for_one() || flags.uuid_file_save.is_some()) {
        return Err(Failure::Usage(
            "--publish, --ip, --mac-address and --uuid-file-save are for one pod, and there are several"
                .to_owned(),
        ));
    }
    let users = flags.users.clone().users()?;
    let log = flags.log.log()?;
    let mut plan = Plan {
        specs: Vec::new(),
        claims: found.claims,
        logins: Vec::new(),
    };
    for pod in found.pods {
        let mut spec = pod.spec;
        flags.network.apply(&mut spec.network)?;
        if users != Users::Usual {
            spec.users = users.clone();
        }
        spec.isolator = flags.isolator.clone().or_of_pod(pod.isolator);
        spec.annotations.extend(flags.annotation.iter().cloned());
        spec.machine = flags.machine.clone().spec();
        spec.ready_when = flags.ready.ready_when();
        spec.replace = flags.replace;
        spec.log.clone_from(&log);
        plan.specs.push(spec);
        plan.logins.extend(pod.logins);
    }
    Ok(plan)
}

/// Prints what the manifests would be.
///
/// # Errors
/// What keeps a pod from being made.
pub(super) fn dry_run(plan: Plan, context: &Context) -> Result<u8, Failure> {
    for spec in &plan.specs {
        let manifest = foresee(&context.engine, spec, &context.console)?;
        output::json(&manifest)?;
    }
    Ok(0)
}

/// Makes the volumes of claims that are not there; gives the names of those that were not.
///
/// # Errors
/// If one can't be made.
pub(super) fn make_volumes(
    claims: &[ClaimPlan],
    context: &Context,
) -> Result<Vec<NamedVolumeName>, Failure> {
    let mut new_ones = Vec::new();
    for claim in claims {
        let new = NewVolume {
            labels: claim.labels.clone(),
            ownership: claim.ownership,
            ..NewVolume::called(claim.volume.clone())
        };
        match store::create(&context.engine, new) {
            Err(Error::Volume(VolumeError::Exists(_))) => {}
            made => {
                made?;
                new_ones.push(claim.volume.clone());
            }
        }
    }
    Ok(new_ones)
}

/// Removes volumes that were made for pods of which none runs.
pub(super) fn remove_volumes(volumes: &[NamedVolumeName], context: &Context) {
    for volume in volumes {
        // One that a pod has stays; why there is no pod is told by who gave up.
        let _ = store::remove(&context.engine, volume, &context.console);
    }
}

/// Makes all pods, to be started later.
///
/// # Errors
/// What keeps one from being made.
pub(super) fn prepare_all(plan: Plan, context: &Context) -> Result<u8, Failure> {
    let sockets = ActivationSockets::default();
    for spec in &plan.specs {
        let prepared = prepare(&context.engine, spec, &sockets, &context.console)?;
        output::line(&prepared.keep()?.to_string())?;
    }
    Ok(0)
}

/// How one pod is run.
pub(super) struct How {
    /// Whether it runs in the background.
    pub(super) detach: bool,
    /// Whether it goes away when it has ended.
    pub(super) remove: bool,
    /// Where its UUID is written to.
    pub(super) uuid_file: Option<UuidPlace>,
    /// The sockets that its apps get.
    pub(super) sockets: ActivationSockets,
}

/// Runs the one pod that there is, as `run` does: in the place of this process, or in the background.
///
/// # Errors
/// If there are several, or why it did not start.
pub(super) fn run_one(mut plan: Plan, how: How, context: &Context) -> Result<u8, Failure> {
    let names: Vec<Option<PodName>> = plan.specs.iter().map(|spec| spec.name.clone()).collect();
    let (Some(mut spec), true) = (plan.specs.pop(), plan.specs.is_empty()) else {
        return Err(Failure::Usage(format!(
            "one pod alone runs in the foreground, and there are {}: {}; --detach starts them in the background",
            names.len(),
            listed(&names)
        )));
    };
    let wants_streams = spec.apps.iter().any(|app| app.tty || app.stdin);
    if !how.detach && spec.apps.len() > 1 && wants_streams {
        return Err(Failure::Usage(
            "tty and stdin of several apps are not in the foreground; with --detach, `fairing attach` has them"
                .to_owned(),
        ));
    }
    spec.remove_on_exit = how.remove;
    let mut offers = Offers::default();
    let run = new_pod::Run {
        spec,
        detach: how.detach,
        uuid_file: how.uuid_file,
        sockets: how.sockets,
    };
    run.run(context, |spec, error| offers.pin(context, spec, error))
}

/// Starts several pods in the background, one after the other, and prints their UUIDs.
///
/// # Errors
/// Why one did not start: those before it run.
pub(super) fn start_all(plan: Plan, context: &Context) -> Result<u8, Failure> {
    let mut started = Vec::new();
    for mut spec in plan.specs {
        let name = spec.name.clone();
        spec.streams = Streams::Log;
        start(&spec, context).map_err(|failure| match started.as_slice() {
            [] => failure,
            names => failure.helped(format!(
                "{} run already, and `fairing down` of the same files ends them",
                listed(names)
            )),
        })?;
        output::line(&spec.uuid.to_string())?;
        started.push(name);
    }
    Ok(0)
}

fn start(spec: &PodSpec, context: &Context) -> Result<(), Failure> {
    let mut offers = Offers::default();
    let sockets = ActivationSockets::default();
    let prepared = loop {
        match prepare(&context.engine, spec, &sockets, &context.console) {
            Ok(prepared) => break prepared,
            Err(error) => offers.pin(context, spec, error)?,
        }
    };
    // By the time that the pin goes, the pod is on record.
    let _pin = prepared.pin;
    let signals = handover::in_background(prepared.pod, &prepared.stage1, context, None)?;
    signals.release();
    Ok(())
}

/// The names of pods, for messages.
fn listed(names: &[Option<PodName>]) -> String {
    let names = names.iter().flatten().map(PodName::as_str);
    names.collect::<Vec<_>>().join(", ")
}
