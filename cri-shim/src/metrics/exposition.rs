//! Metrics as text, as Prometheus reads it. Pure.

use std::fmt::Write;

use super::families::{self, LABELS};
use super::listed::{Known, label_values};
use crate::api::MetricType;

/// All metrics of these, family by family.
pub(super) fn text(all: &[Known]) -> String {
    let mut text = String::new();
    for family in families::all() {
        let mut lines = String::new();
        for (subject, facts) in all {
            for (own, value) in family.values(facts) {
                let keys = LABELS.into_iter().chain(family.labels());
                let values = label_values(subject, own);
                let labels: Vec<_> = keys
                    .zip(&values)
                    .map(|(key, value)| format!("{key}=\"{}\"", escaped(value)))
                    .collect();
                let (name, labels) = (family.name, labels.join(","));
                // Writing to a text never fails.
                let _ = writeln!(lines, "{name}{{{labels}}} {}", number(value, family.unit));
            }
        }
        if !lines.is_empty() {
            let kind = match family.kind {
                MetricType::Counter => "counter",
                MetricType::Gauge => "gauge",
            };
            let (name, help) = (family.name, family.help);
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
        }
    }
    text
}

/// A value in its unit: with the fraction that an integer can't have.
fn number(value: u64, unit: u64) -> String {
    match value.checked_rem(unit) {
        Some(0) | None => (value / unit.max(1)).to_string(),
        Some(rest) => {
            let digits = unit.ilog10() as usize;
            let rest = format!("{rest:0digits$}");
            format!("{}.{}", value / unit, rest.trim_end_matches('0'))
        }
    }
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::facts::{Facts, Subject};
    use super::*;
    use pod::control::CpuStats;

    #[test]
    fn numbers_have_the_fraction_that_they_have() {
        let second = 1_000_000_000;
        assert_eq!(number(5, 1), "5");
        assert_eq!(number(2 * second, second), "2");
        assert_eq!(number(1_500_000_000, second), "1.5");
        assert_eq!(number(7, second), "0.000000007");
    }

    #[test]
    fn names_of_others_can_not_end_a_line() {
        let subject = Subject {
            pod: "a\"} 1\nb\\".to_owned(),
            ..Subject::default()
        };
        let facts = Facts {
            cpu: CpuStats {
                usage_ns: Some(1_250_000_000),
                ..CpuStats::default()
            },
            ..Facts::default()
        };
        let text = text(&[(subject, facts)]);
        let mut lines = text.lines();
        assert_eq!(
            lines.next().unwrap(),
            "# HELP container_cpu_usage_seconds_total Processor time"
        );
        assert_eq!(
            lines.next().unwrap(),
            "# TYPE container_cpu_usage_seconds_total counter"
        );
        assert_eq!(
            lines.next().unwrap(),
            "container_cpu_usage_seconds_total{container=\"\",id=\"\",image=\"\",name=\"\",\
             namespace=\"\",pod=\"a\\\"} 1\\nb\\\\\",cpu=\"total\"} 1.25"
        );
    }
}
