//! Limits that are words: which make no sense, wherever they are to be written.

use crate::api::LinuxContainerResources;
use crate::error::CriError;

/// Most limits of huge pages, and of files of version 2: there are few sizes, and few files.
const MOST: usize = 64;
/// The controllers whose files are limits. What manages cgroups themselves, `cgroup.kill` say, is none.
const CONTROLLERS: [&str; 8] = [
    "cpu", "cpuset", "hugetlb", "io", "memory", "misc", "pids", "rdma",
];
/// Longest list of processors, in bytes.
const LIST_MAX: usize = 4096;

/// Refuses words that can't be limits.
///
/// # Errors
/// [`CriError::Invalid`].
pub(super) fn check(field: &str, asked: &LinuxContainerResources) -> Result<(), CriError> {
    let invalid = |name: &str, reason: String| {
        let reason = CriError::invalid(format!("{field}.{name}"), reason);
        Err(reason)
    };
    for (name, list) in [
        ("cpuset_cpus", &asked.cpuset_cpus),
        ("cpuset_mems", &asked.cpuset_mems),
    ] {
        if list.len() > LIST_MAX {
            return invalid(name, format!("it is longer than {LIST_MAX} bytes"));
        }
        if !list.is_empty() && !list.split(',').all(is_range) {
            return invalid(name, format!("{list:?} is no list of numbers"));
        }
    }
    for (name, count) in [
        ("hugepage_limits", asked.hugepage_limits.len()),
        ("unified", asked.unified.len()),
    ] {
        if count > MOST {
            return invalid(name, format!("{count} are more than {MOST}"));
        }
    }
    let mut sizes = asked.hugepage_limits.iter().map(|huge| &huge.page_size);
    if let Some(size) = sizes.find(|size| !is_page_size(size)) {
        return invalid("hugepage_limits", format!("{size:?} is no size of pages"));
    }
    let is_value = |value: &str| !value.is_empty() && !value.contains('\0');
    let mut files = asked.unified.iter();
    match files.find(|(file, value)| !is_file(file) || !is_value(value)) {
        Some((file, _)) => invalid(
            &format!("unified[{}]", file.escape_default()),
            "that can't be a limit".to_owned(),
        ),
        None => Ok(()),
    }
}

/// A number, or two with a hyphen between them.
fn is_range(text: &str) -> bool {
    let number = |text: &str| {
        let number = text.parse::<u32>().ok();
        number.filter(|_| !text.starts_with('+'))
    };
    match text.split_once('-') {
        Some((first, last)) => number(first).is_some_and(|first| Some(first) <= number(last)),
        None => number(text).is_some(),
    }
}

/// As the kernel names them: `2MB`, `1GB`, `64KB`.
fn is_page_size(text: &str) -> bool {
    let number = ["KB", "MB", "GB"]
        .iter()
        .find_map(|unit| text.strip_suffix(unit));
    number.is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 0))
}

/// The name of a file of a controller: `memory.high`.
fn is_file(name: &str) -> bool {
    let is_part = |part: &str| {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !part.is_empty() && part.bytes().all(is_known)
    };
    let of_controller = |one: &&str| name.split('.').next() == Some(*one);
    name.len() < 256
        && name.contains('.')
        && name.split('.').all(is_part)
        && CONTROLLERS.iter().any(of_controller)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::HugepageLimit;

    fn of(change: impl FnOnce(&mut LinuxContainerResources)) -> Result<(), String> {
        let mut asked = LinuxContainerResources::default();
        change(&mut asked);
        check("linux", &asked).map_err(|error| error.to_string())
    }

    fn huge(size: &str) -> Vec<HugepageLimit> {
        vec![HugepageLimit {
            page_size: size.to_owned(),
            limit: 0,
        }]
    }

    #[test]
    fn words_of_kubelets_are_taken_and_nonsense_is_refused_by_field() {
        for good in ["", "0", "0-3", "0-1,4,6-7"] {
            of(|asked| asked.cpuset_cpus = good.to_owned()).unwrap();
        }
        for bad in [
            "a",
            "-1",
            "1-",
            "3-1",
            "0,,1",
            " 0",
            "+1",
            "\0",
            &"1,".repeat(5000),
        ] {
            let refused = of(|asked| asked.cpuset_mems = bad.to_owned()).unwrap_err();
            assert!(refused.starts_with("linux.cpuset_mems: "), "{refused}");
        }
        for good in ["2MB", "1GB", "64KB"] {
            of(|asked| asked.hugepage_limits = huge(good)).unwrap();
        }
        for bad in ["", "MB", "0MB", "../2MB", "2M", "2TB"] {
            let refused = of(|asked| asked.hugepage_limits = huge(bad)).unwrap_err();
            assert!(refused.starts_with("linux.hugepage_limits: "), "{refused}");
        }
        let unified = |file: &str, value: &str| {
            of(|asked| {
                asked.unified.insert(file.to_owned(), value.to_owned());
            })
        };
        unified("memory.high", "max").unwrap();
        unified("hugetlb.2MB.max", "0").unwrap();
        for bad in [
            "",
            "memory",
            "../memory.max",
            "memory..max",
            "memory/x.max",
            "memory.b\n",
            "cgroup.procs",
        ] {
            let refused = unified(bad, "1").unwrap_err();
            assert!(refused.starts_with("linux.unified["), "{refused}");
        }
        unified("memory.high", "").unwrap_err();
    }
}
