//! Clearing of what dead pods hold of networks: addresses, links, rules, ports.

use cni_glue::attach::GcReport;
use cni_glue::id::ContainerId;
use pod::PodUuid;

use crate::context::Context;
use crate::failure::Failure;
use crate::output;

/// Clears it, and says what was cleared; but nothing of the pods of which it is known that they can't be cleared. The
/// failures that came up; the rest is done.
pub(crate) fn clear(context: &Context, hopeless: &[PodUuid]) -> Vec<Failure> {
    let attacher = context.attacher();
    // Nothing was ever joined since the machine started.
    if !attacher.runtime.state.exists() {
        return Vec::new();
    }
    let pods = context.pods();
    let hopeless: Vec<_> = hopeless.iter().map(PodUuid::to_string).collect();
    let is_kept = |container: &ContainerId| {
        hopeless.iter().any(|uuid| uuid == container.as_str())
            || pod::network::is_live(&pods, container)
    };
    let (report, errors) = attacher.gc(&is_kept);
    let mut failures: Vec<Failure> = errors
        .into_iter()
        .map(|error| Failure::Other(error.to_string()))
        .collect();
    if let Some(line) = in_words(&report) {
        failures.extend(output::line(&line).err());
    }
    failures
}

fn in_words(report: &GcReport) -> Option<String> {
    let parts: Vec<String> = [
        (report.attachments, "places in networks"),
        (report.addresses, "addresses"),
        (report.links, "links"),
        (report.rules, "rules"),
        (report.ports, "ports"),
        (report.files, "files"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    (!parts.is_empty()).then(|| format!("networks: {} cleared", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cleared_is_counted_and_nothing_is_not_mentioned() {
        assert_eq!(in_words(&GcReport::default()), None);
        let report = GcReport {
            attachments: 2,
            ports: 1,
            ..GcReport::default()
        };
        assert_eq!(
            in_words(&report).unwrap(),
            "networks: 2 places in networks, 1 ports cleared"
        );
    }
}
