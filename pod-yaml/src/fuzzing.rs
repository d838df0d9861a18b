//! Bodies of the fuzz targets: ordinary functions that take any bytes, and panic only where the code under test has a bug.

use crate::{Facts, Source, named, pods};

/// What the tests of this crate know of a machine.
pub(crate) fn facts() -> Facts {
    Facts {
        host_name: "machine".to_owned(),
        addresses: "192.0.2.7".parse().into_iter().collect(),
        processors: 4,
        memory: 8 << 30,
        seccomp_profiles: "/var/lib/kubelet/seccomp".into(),
    }
}

/// Pods in YAML, as they are started and as they are ended.
pub fn pod_yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let source = [Source { name: "x", text }];
    if let Ok(pods) = pods(&source, &[], &facts()) {
        // What can be started can be ended.
        let named = named(&source).unwrap_or_default();
        let of_specs = pods.pods.iter().filter_map(|plan| plan.spec.name.clone());
        assert_eq!(named.pods, of_specs.collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    replay::targets! {
        pod_yaml: 20_000,
    }
}
