//! `--filter KEY=VALUE` of the commands that list things.

use std::collections::BTreeMap;

/// By what pods are chosen.
pub(crate) const OF_PODS: &[&str] = &[
    "id", "name", "label", "status", "health", "exited", "ancestor", "network", "volume",
];
/// By what images are chosen.
pub(crate) const OF_IMAGES: &[&str] = &["reference", "digest"];
/// By what volumes are chosen.
pub(crate) const OF_VOLUMES: &[&str] = &["name", "label", "dangling"];

/// What is said of a filter that is none of those.
pub(crate) fn unknown(key: &str, there: &[&str]) -> String {
    let there = match there.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => there.concat(),
    };
    format!("the filter {key} is not there yet; there are {there}")
}

/// What a list is narrowed down to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Filter {
    /// Whether one of these labels is as a filter by label says: there, or there with that value.
    pub(crate) fn finds_label(&self, labels: &BTreeMap<String, String>) -> bool {
        let (key, wanted) = match self.value.split_once('=') {
            Some((key, wanted)) => (key, Some(wanted)),
            None => (self.value.as_str(), None),
        };
        let label = labels.get(key);
        label.is_some_and(|label| wanted.is_none_or(|wanted| label == wanted))
    }
}

/// Takes a filter apart.
pub(crate) fn filter(text: &str) -> Result<Filter, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(Filter {
            key: key.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// Whether something that is asked about each filter passes: one of those with the same key must hold, of labels each.
///
/// # Errors
/// What `holds` says.
pub(crate) fn passes<E>(
    filters: &[Filter],
    mut holds: impl FnMut(&Filter) -> Result<bool, E>,
) -> Result<bool, E> {
    for filter in filters {
        let alternatives = filters
            .iter()
            .filter(|other| other.key == filter.key && (filter.key != "label" || *other == filter));
        let mut one = false;
        for alternative in alternatives {
            one |= holds(alternative)?;
        }
        if !one {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_one_key_are_alternatives_and_labels_are_conditions() {
        let pass = |words: &[&str], true_ones: &[&str]| {
            let filters: Vec<Filter> = words.iter().map(|word| filter(word).unwrap()).collect();
            passes(&filters, |filter| {
                let word = format!("{}={}", filter.key, filter.value);
                Ok::<_, ()>(true_ones.contains(&word.as_str()))
            })
            .unwrap()
        };
        assert!(pass(&[], &[]));
        assert!(pass(&["name=a", "name=b"], &["name=b"]));
        assert!(!pass(&["name=a", "id=b"], &["name=a"]));
        assert!(!pass(&["label=a", "label=b"], &["label=a"]));
        assert!(pass(&["label=a=1", "label=b"], &["label=a=1", "label=b"]));
        for bad in ["", "name", "=x"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }
}
