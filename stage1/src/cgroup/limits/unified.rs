//! Files of version 2 by their names: limits for which there is no other word.

use std::collections::BTreeMap;

use super::setting::Setting;
use crate::cgroup::error::CgroupError;

/// The controllers whose files can be set. What manages cgroups themselves, `cgroup.kill` say, is no limit.
const CONTROLLERS: [&str; 8] = [
    "cpu", "cpuset", "hugetlb", "io", "memory", "misc", "pids", "rdma",
];
/// Longest value, in bytes: the kernel takes no more at once.
const VALUE_MAX: usize = 4096;

/// One for each file.
///
/// # Errors
/// If a name is not that of a limit.
pub(super) fn settings(files: &BTreeMap<String, String>) -> Result<Vec<Setting>, CgroupError> {
    files
        .iter()
        .map(|(file, value)| {
            let no_limit = || CgroupError::NotALimit(file.clone());
            let (controller, rest) = file.split_once('.').ok_or_else(no_limit)?;
            let mut controllers = CONTROLLERS.iter();
            let controller = controllers.find(|one| **one == controller);
            let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            let is_value = value.len() <= VALUE_MAX && !value.chars().any(char::is_control);
            match (controller, !rest.is_empty() && rest.chars().all(is_name)) {
                (Some(controller), true) if is_value => {
                    Ok(Setting::new(controller, file.as_str(), value.as_str()))
                }
                _ => Err(no_limit()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: &str, value: &str) -> Result<Vec<Setting>, String> {
        let files = BTreeMap::from([(file.to_owned(), value.to_owned())]);
        settings(&files).map_err(|error| error.to_string())
    }

    #[test]
    fn files_of_controllers_are_limits() {
        let expected = vec![Setting::new("memory", "memory.high", "1048576")];
        assert_eq!(of("memory.high", "1048576"), Ok(expected));
        let expected = vec![Setting::new("io", "io.max", "8:0 rbps=7 wbps=max")];
        assert_eq!(of("io.max", "8:0 rbps=7 wbps=max"), Ok(expected));
        assert!(of("hugetlb.2MB.max", "0").is_ok());
    }

    #[test]
    fn what_is_no_limit_is_refused_by_its_name() {
        let long = "1".repeat(VALUE_MAX + 1);
        for (file, value) in [
            ("cgroup.kill", "1"),
            ("cgroup.procs", "1"),
            ("memory", "1"),
            ("memory.", "1"),
            ("memory./../x", "1"),
            ("memory.high", "1\n2"),
            ("memory.high", long.as_str()),
            ("", ""),
        ] {
            let error = of(file, value).unwrap_err();
            assert!(error.contains(&format!("{file:?}")), "{file}: {error}");
        }
    }
}
