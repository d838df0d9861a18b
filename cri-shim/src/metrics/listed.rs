//! Metrics as the interface has them.

use pod::manifest::Limit;

use super::facts::{Facts, Subject};
use super::families::{self, LABELS};
use super::open_files;
use crate::api::{
    ContainerMetrics, ListMetricDescriptorsRequest, ListMetricDescriptorsResponse,
    ListPodSandboxMetricsRequest, ListPodSandboxMetricsResponse, Metric, MetricDescriptor,
    PodSandboxMetrics, StreamPodSandboxMetricsRequest, UInt64Value,
};
use crate::disk::Capacity;
use crate::error::CriError;
use crate::shim::Shim;
use crate::state::{self, Container, Sandbox, SandboxPhase};
use crate::stats::{Gathered, gather};

/// Which metrics there are.
pub(crate) fn descriptors(
    _: &Shim,
    _: ListMetricDescriptorsRequest,
) -> Result<ListMetricDescriptorsResponse, CriError> {
    let descriptors = families::all().map(|family| MetricDescriptor {
        name: family.name.to_owned(),
        help: family.help.to_owned(),
        label_keys: LABELS
            .into_iter()
            .chain(family.labels())
            .map(str::to_owned)
            .collect(),
    });
    Ok(ListMetricDescriptorsResponse {
        descriptors: descriptors.collect(),
    })
}

/// The metrics of all sandboxes that are up.
pub(crate) fn list(
    shim: &Shim,
    _: ListPodSandboxMetricsRequest,
) -> Result<ListPodSandboxMetricsResponse, CriError> {
    let all = of_all(shim)?.into_iter();
    let pod_metrics = all.map(|(id, (subject, facts), containers)| PodSandboxMetrics {
        pod_sandbox_id: id,
        metrics: metrics(&subject, &facts),
        container_metrics: containers
            .into_iter()
            .map(|(subject, facts)| ContainerMetrics {
                metrics: metrics(&subject, &facts),
                container_id: subject.id,
            })
            .collect(),
    });
    Ok(ListPodSandboxMetricsResponse {
        pod_metrics: pod_metrics.collect(),
    })
}

/// The same, to be streamed.
pub(crate) fn listed(
    shim: &Shim,
    _: StreamPodSandboxMetricsRequest,
) -> Result<Vec<PodSandboxMetrics>, CriError> {
    Ok(list(shim, ListPodSandboxMetricsRequest {})?.pod_metrics)
}

/// What the kernel gives who asks for nothing: shares of processors, and microseconds of a period.
const USUAL_SHARES: u64 = 1024;
const USUAL_PERIOD: u64 = 100_000;

/// Whom metrics are about, and what they are made of.
pub(super) type Known = (Subject, Facts);

/// What is known of each sandbox that is up, and of its containers that run.
pub(super) fn of_all(shim: &Shim) -> Result<Vec<(String, Known, Vec<Known>)>, CriError> {
    let mut sandboxes = state::all(shim)?;
    sandboxes.retain(|sandbox| sandbox.phase == SandboxPhase::Ready);
    let gathered = gather(shim, &sandboxes);
    let file_system = Capacity::at(&shim.engine.directories.data.join("pods"));
    let open = open_files::count();
    let of_one = |sandbox: &Sandbox| {
        let at = gathered.time(sandbox)?;
        let containers = sandbox.containers();
        let containers = containers.filter_map(|one| {
            let (subject, facts) = of_container(&gathered, &one, at)?;
            let facts = Facts {
                file_system: Some(file_system),
                open: open.of(sandbox.entry.uuid, &one.app.name),
                ..facts
            };
            Some((subject, facts))
        });
        let known = of_sandbox(&gathered, sandbox, at)?;
        Some((sandbox.id().to_string(), known, containers.collect()))
    };
    Ok(sandboxes.iter().filter_map(of_one).collect())
}

fn subject(sandbox: &Sandbox) -> Subject {
    let metadata = sandbox.record().config.metadata.clone().unwrap_or_default();
    Subject {
        id: sandbox.id().to_string(),
        name: sandbox.manifest().called().to_string(),
        namespace: metadata.namespace,
        pod: metadata.name,
        ..Subject::default()
    }
}

fn of_sandbox(gathered: &Gathered, sandbox: &Sandbox, at: i64) -> Option<Known> {
    let measured = gathered.of_sandbox(sandbox)?;
    let whole = measured.stats.whole.unwrap_or_default();
    let facts = Facts {
        at,
        cpu: whole.cpu,
        memory: whole.memory,
        pids: whole.pids,
        block_io: whole.block_io,
        pressure: whole.pressure,
        interfaces: measured.interfaces.clone(),
        started: Some(sandbox.created_at()),
        ..Facts::default()
    };
    Some((subject(sandbox), facts))
}

fn of_container(gathered: &Gathered, container: &Container<'_>, at: i64) -> Option<Known> {
    let stats = gathered.of_container(container)?;
    let look = container.look()?;
    let config = &container.record.config;
    let cpu = &container.app.resources.cpu;
    let subject = Subject {
        container: config.metadata.clone().unwrap_or_default().name,
        id: container.id().to_string(),
        image: container.record.image_ref.clone(),
        name: container.app.name.to_string(),
        ..subject(container.sandbox)
    };
    let facts = Facts {
        is_of_container: true,
        at,
        cpu: stats.cpu,
        memory: stats.memory,
        pids: stats.pids,
        block_io: stats.block_io,
        pressure: stats.pressure,
        written: gathered.written(container).map(|written| written.used),
        started: Some(look.started_at).filter(|time| *time > 0),
        cpu_shares: Some(cpu.shares.unwrap_or(USUAL_SHARES)),
        cpu_quota: cpu.quota.and_then(Limit::value),
        cpu_period: Some(cpu.period.unwrap_or(USUAL_PERIOD)),
        ..Facts::default()
    };
    Some((subject, facts))
}

/// The values of the labels, in order.
pub(super) fn label_values(subject: &Subject, own: Vec<String>) -> Vec<String> {
    let Subject {
        container,
        id,
        image,
        name,
        namespace,
        pod,
    } = subject.clone();
    let all = [container, id, image, name, namespace, pod];
    all.into_iter().chain(own).collect()
}

fn metrics(subject: &Subject, facts: &Facts) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for family in families::all() {
        metrics.extend(family.values(facts).into_iter().map(|(own, value)| Metric {
            name: family.name.to_owned(),
            timestamp: facts.at,
            metric_type: family.kind as i32,
            label_values: label_values(subject, own),
            value: Some(UInt64Value {
                value: value / family.unit,
            }),
        }));
    }
    metrics
}
