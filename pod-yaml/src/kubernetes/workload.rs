//! What makes pods in a cluster: here it is one pod.

use super::claim::Claim;
use super::metadata::Metadata;
use super::pod::{Pod, PodSpec, deadline};
use crate::reading::{At, Error, Object};
use crate::schema::{
    DAEMON_SET_SPEC, DEPLOYMENT_SPEC, JOB_SPEC, STATEFUL_SET_SPEC, Schema, TEMPLATE, WORKLOAD,
};

/// How often a job's pod is tried again if nothing is said.
const BACKOFF_LIMIT: u32 = 6;

/// A deployment, or a set of replicas.
pub(crate) fn deployment(at: &At<'_>) -> Result<Pod, Error> {
    let (metadata, spec) = parts(at, &DEPLOYMENT_SPEC)?;
    one_alone(&spec, "replicas")?;
    pod(&metadata, &spec, "pod")
}

/// A daemon set.
pub(crate) fn daemon_set(at: &At<'_>) -> Result<Pod, Error> {
    let (metadata, spec) = parts(at, &DAEMON_SET_SPEC)?;
    pod(&metadata, &spec, "pod")
}

/// A set of pods with volumes of their own.
pub(crate) fn stateful_set(at: &At<'_>) -> Result<Pod, Error> {
    let (metadata, spec) = parts(at, &STATEFUL_SET_SPEC)?;
    one_alone(&spec, "replicas")?;
    let mut pod = pod(&metadata, &spec, "0")?;
    let name = pod.metadata.name.clone();
    pod.claims = spec.each("volumeClaimTemplates", |at| Claim::of_template(at, &name))?;
    for claim in &pod.claims {
        // The volume that is mounted is called as the template.
        let volume = super::volume::Volume {
            place: claim.metadata.place.clone(),
            name: (claim.metadata.name.parse())
                .map_err(|error| claim.metadata.place.wrong(error))?,
            kind: super::volume::VolumeKind::Claim {
                name: claim.volume.clone(),
                read_only: false,
            },
        };
        pod.spec.volumes.push(volume);
    }
    Ok(pod)
}

/// A job.
pub(crate) fn job(at: &At<'_>) -> Result<Pod, Error> {
    let (metadata, spec) = parts(at, &JOB_SPEC)?;
    for name in ["parallelism", "completions"] {
        one_alone(&spec, name)?;
    }
    spec.choice("completionMode", &[("NonIndexed", ())])?;
    let mut pod = pod(&metadata, &spec, "pod")?;
    if let Some(at) = spec.get("template")
        && pod.spec.restart == super::RestartPolicy::Always
    {
        return Err(at.wrong("restartPolicy of a job is OnFailure or Never, and has to be given"));
    }
    let retries = spec.read("backoffLimit", At::number)?;
    if let Some(at) = spec.get("backoffLimit")
        && pod.spec.restart == super::RestartPolicy::Never
        && retries != Some(0)
    {
        at.ignore(
            "ignored: with restartPolicy Never no pod is made in the place of one that failed",
        );
    }
    pod.retries = Some(retries.unwrap_or(BACKOFF_LIMIT));
    let own = spec.read("activeDeadlineSeconds", deadline)?;
    pod.spec.deadline = match (own, pod.spec.deadline) {
        (Some(own), Some(of_pod)) => Some(own.min(of_pod)),
        (own, of_pod) => own.or(of_pod),
    };
    Ok(pod)
}

fn parts<'a>(at: &At<'a>, schema: &'static Schema) -> Result<(Metadata, Object<'a>), Error> {
    let object = at.object(&WORKLOAD)?;
    let metadata = object.need("metadata", Metadata::named)?;
    let spec = object.need("spec", |at| at.object(schema))?;
    Ok((metadata, spec))
}

fn pod(metadata: &Metadata, spec: &Object<'_>, suffix: &str) -> Result<Pod, Error> {
    spec.need("template", |at| {
        let template = at.object(&TEMPLATE)?;
        let own = template.read("metadata", Metadata::read)?;
        let own = own.unwrap_or_else(|| Metadata {
            labels: Default::default(),
            annotations: Default::default(),
            ..metadata.clone()
        });
        Ok(Pod {
            metadata: Metadata {
                place: metadata.place.clone(),
                name: format!("{}-{suffix}", metadata.name),
                namespace: metadata.namespace.clone(),
                ..own
            },
            spec: template.need("spec", PodSpec::read)?,
            retries: None,
            claims: Vec::new(),
        })
    })
}

fn one_alone(spec: &Object<'_>, name: &str) -> Result<(), Error> {
    spec.read(name, |at| {
        match at.number::<u32>()? {
            1 => {}
            0 => at.refuse("0 says that no pod is to run: `fairing down` ends it"),
            more => at.ignore(format!("{more} are asked for, and one pod is run")),
        }
        Ok(())
    })?;
    Ok(())
}
