//! A metric: what it is called, and how it is made of facts. Pure.

use super::facts::Facts;
use crate::api::MetricType::{self, Counter, Gauge};

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// One metric.
pub(super) struct Family {
    /// Its name.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) help: &'static str,
    /// Whether it only grows.
    pub(super) kind: MetricType,
    /// The label that its values differ by.
    label: Option<&'static str>,
    /// Labels after that one which always have the same value, as cAdvisor's have where it counts the whole.
    constant: &'static [(&'static str, &'static str)],
    /// How many of what is counted make one.
    pub(super) unit: u64,
    /// Whether a container has it also where nobody counts: then it is 0.
    is_always_there: bool,
    values: Values,
}

enum Values {
    /// At most one.
    One(fn(&Facts) -> Option<u64>),
    /// One for each value of the label.
    Each(fn(&Facts) -> Vec<(String, u64)>),
}

impl Family {
    /// The labels that it has beside [`LABELS`](super::families::LABELS), in order.
    pub(super) fn labels(&self) -> impl Iterator<Item = &'static str> {
        let constant = self.constant.iter().map(|(label, _)| *label);
        self.label.into_iter().chain(constant)
    }

    /// Its values, each with those of these labels.
    pub(super) fn values(&self, facts: &Facts) -> Vec<(Vec<String>, u64)> {
        let labelled = |own: Option<String>, value| {
            let constant = self.constant.iter().map(|(_, value)| (*value).to_owned());
            (own.into_iter().chain(constant).collect(), value)
        };
        match self.values {
            Values::One(value) => value(facts)
                .or((self.is_always_there && facts.is_of_container).then_some(0))
                .map(|value| labelled(None, value))
                .into_iter()
                .collect(),
            Values::Each(values) => {
                let values = values(facts).into_iter();
                values
                    .map(|(own, value)| labelled(Some(own), value))
                    .collect()
            }
        }
    }

    /// With further labels of these values.
    pub(super) const fn with(self, constant: &'static [(&'static str, &'static str)]) -> Self {
        Self { constant, ..self }
    }

    /// It is counted in nanoseconds, and told in seconds.
    pub(super) const fn in_seconds(self) -> Self {
        Self {
            unit: SECOND,
            ..self
        }
    }

    /// Containers have it also where nobody counts: kubelets' tests want it.
    pub(super) const fn always(self) -> Self {
        Self {
            is_always_there: true,
            ..self
        }
    }
}

/// One that goes up and down.
pub(super) const fn gauge(
    name: &'static str,
    help: &'static str,
    value: fn(&Facts) -> Option<u64>,
) -> Family {
    one(name, help, Gauge, value)
}

/// One that only grows.
pub(super) const fn counter(
    name: &'static str,
    help: &'static str,
    value: fn(&Facts) -> Option<u64>,
) -> Family {
    one(name, help, Counter, value)
}

const fn one(
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    value: fn(&Facts) -> Option<u64>,
) -> Family {
    Family {
        name,
        help,
        kind,
        label: None,
        constant: &[],
        unit: 1,
        is_always_there: false,
        values: Values::One(value),
    }
}

/// One that only grows, for each value of a label.
pub(super) const fn each(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    values: fn(&Facts) -> Vec<(String, u64)>,
) -> Family {
    Family {
        name,
        help,
        kind: Counter,
        label: Some(label),
        constant: &[],
        unit: 1,
        is_always_there: false,
        values: Values::Each(values),
    }
}

/// What is counted, by kinds.
pub(super) fn counted<const N: usize>(kinds: [(&str, Option<u64>); N]) -> Vec<(String, u64)> {
    let kinds = kinds.into_iter();
    kinds
        .filter_map(|(kind, count)| Some((kind.to_owned(), count?)))
        .collect()
}
