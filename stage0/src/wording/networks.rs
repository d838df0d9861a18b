//! What was cleared of networks.

use cni_glue::attach::GcReport;

/// In one line; `None` if nothing was.
pub(crate) fn cleared(report: &GcReport) -> Option<String> {
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
        assert_eq!(cleared(&GcReport::default()), None);
        let report = GcReport {
            attachments: 2,
            ports: 1,
            ..GcReport::default()
        };
        assert_eq!(
            cleared(&report).unwrap(),
            "networks: 2 places in networks, 1 ports cleared"
        );
    }
}
