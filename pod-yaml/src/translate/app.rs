//! An app of a pod.

use engine::images::choice::Pull;
use engine::pods::spec::AppSpec;
use pod::manifest::{Restart, RestartPolicy as Policy, Role};

use super::about::About;
use super::environment::Environment;
use super::known::Known;
use super::plan::Facts;
use super::pull::pull;
use super::volumes::Volumes;
use super::{probes, resources, security};
use crate::kubernetes::{Container, RestartPolicy};
use crate::reading::{Error, Findings};

/// What a container is to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    Init,
    Main,
}

/// What is asked of an app.
pub(super) fn app(
    container: &Container,
    among: Among,
    (about, known, volumes): (&About<'_>, &Known, &Volumes),
    facts: &Facts,
    findings: &Findings,
) -> Result<AppSpec, Error> {
    let pod = &about.pod.spec;
    let (role, restart) = role(container, among, about)?;
    let environment = Environment::of(container, known, about)?;
    let expand = |words: &[String]| -> Result<Vec<String>, Error> {
        let words = words.iter();
        words
            .map(|word| environment.expand(word, &container.place))
            .collect()
    };
    let mut command = expand(&container.command)?.into_iter();
    let exec = command.next();
    let arguments = command.chain(expand(&container.args)?).collect();
    let (limits, devices) = resources::resources(&container.resources, findings)?;
    let pull = (container.pull).map_or_else(|| Pull::usual_of(&container.image), pull);
    let mut spec = AppSpec {
        name: Some(container.name.clone()),
        exec,
        arguments,
        workdir: container.working_dir.clone(),
        resources: limits,
        devices,
        role,
        restart,
        restart_rules: container.rules.clone(),
        termination_message: container.termination.clone(),
        probes: probes::probes(container)?,
        hooks: probes::hooks(container)?,
        stop_signal: container.lifecycle.stop_signal,
        own_processes: !pod.shares_processes && !pod.host_pid,
        host_processes: pod.host_pid,
        tty: container.tty,
        stdin: container.stdin,
        pull: Some(pull),
        ..AppSpec::of(container.image.clone())
    };
    security::confine(container, &pod.security, facts, &mut spec)?;
    volumes.mount(container, &environment, &mut spec)?;
    spec.env = environment.list;
    let words = spec.exec.iter().chain(&spec.arguments).map(String::as_str);
    let texts: Vec<&str> = words
        .chain(spec.env.iter().map(|one| one.as_str()))
        .collect();
    spec.addresses = about.addresses();
    spec.addresses
        .retain(|mark, _| texts.iter().any(|text| text.contains(mark)));
    Ok(spec)
}

/// What an app is to the others, and when it starts again.
fn role(container: &Container, among: Among, about: &About<'_>) -> Result<(Role, Restart), Error> {
    let of_pod = about.pod.spec.restart;
    let own = container.restart.as_ref();
    let restart = |policy| Restart {
        policy,
        max_retries: match policy {
            Policy::OnFailure => about.pod.retries,
            Policy::Never | Policy::Always => None,
        },
        ..Restart::default()
    };
    if among == Among::Main {
        let policy = match own.map_or(of_pod, |(_, own)| *own) {
            RestartPolicy::Always => Policy::Always,
            RestartPolicy::OnFailure => Policy::OnFailure,
            RestartPolicy::Never => Policy::Never,
        };
        return Ok((Role::Main, restart(policy)));
    }
    let is_tried_again = match own {
        Some((_, RestartPolicy::Always)) => return Ok((Role::Sidecar, Restart::default())),
        Some((_, RestartPolicy::OnFailure)) => true,
        Some((_, RestartPolicy::Never)) => false,
        None => of_pod != RestartPolicy::Never,
    };
    let probes = &container.probes;
    let has_probes =
        probes.startup.is_some() || probes.readiness.is_some() || probes.liveness.is_some();
    let lifecycle = &container.lifecycle;
    if has_probes || lifecycle.post_start.is_some() || lifecycle.pre_stop.is_some() {
        return Err(container.place.wrong(
            "an init container has neither probes nor hooks, unless its restartPolicy is Always",
        ));
    }
    let policy = match is_tried_again {
        true => Policy::OnFailure,
        false => Policy::Never,
    };
    Ok((Role::Init, restart(policy)))
}
