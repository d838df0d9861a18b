//! Limits that are about parts of this node: processors, memory nodes, huge pages and files of its cgroups. What it doesn't
//! have is refused when a container is made or changed, by the field, and not by the kernel when it is started.

use std::fs;
use std::path::Path;

use crate::api::LinuxContainerResources;
use crate::error::CriError;

/// What the node has; `None` of what it doesn't tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    /// Processors, by their numbers: from one to another.
    cpus: Option<Vec<(u32, u32)>>,
    /// Memory nodes.
    mems: Option<Vec<(u32, u32)>>,
    /// Sizes of huge pages, as the kernel names them.
    page_sizes: Option<Vec<String>>,
    /// Whether its cgroups are of version 2.
    is_unified: bool,
}

/// Refuses what is not there.
///
/// # Errors
/// [`CriError::Invalid`].
pub(super) fn check(field: &str, asked: &LinuxContainerResources) -> Result<(), CriError> {
    let says_nothing = asked.cpuset_cpus.is_empty()
        && asked.cpuset_mems.is_empty()
        && asked.hugepage_limits.is_empty()
        && asked.unified.is_empty();
    match says_nothing {
        true => Ok(()),
        false => Node::read(Path::new("/sys")).check(field, asked),
    }
}

impl Node {
    fn read(sys: &Path) -> Self {
        let list = |file: &str| {
            let text = fs::read_to_string(sys.join(file)).ok()?;
            ranges(text.trim())
        };
        let pages = fs::read_dir(sys.join("kernel/mm/hugepages")).ok();
        let name = |entry: fs::DirEntry| page_size(entry.file_name().to_str()?);
        Self {
            cpus: list("devices/system/cpu/online"),
            mems: list("devices/system/node/online"),
            page_sizes: pages.map(|pages| pages.flatten().filter_map(name).collect()),
            is_unified: sys.join("fs/cgroup/cgroup.controllers").exists(),
        }
    }

    fn check(&self, field: &str, asked: &LinuxContainerResources) -> Result<(), CriError> {
        let invalid = |name: &str, reason: String| {
            let field = format!("{field}.{name}");
            Err(CriError::invalid(field, reason))
        };
        for (name, wanted, there, what) in [
            ("cpuset_cpus", &asked.cpuset_cpus, &self.cpus, "processors"),
            (
                "cpuset_mems",
                &asked.cpuset_mems,
                &self.mems,
                "memory nodes",
            ),
        ] {
            let (Some(wanted), Some(there)) = (ranges(wanted), there) else {
                continue;
            };
            let is_there = |(first, last): &(u32, u32)| {
                let mut all = there.iter();
                all.any(|(least, most)| least <= first && last <= most)
            };
            if !wanted.iter().all(is_there) {
                let reason = format!("the node has the {what} {}, and no others", words(there));
                return invalid(name, reason);
            }
        }
        // None of a size that there is not is what a container has in any case.
        let mut huge = asked.hugepage_limits.iter().filter(|huge| huge.limit > 0);
        let is_missing = |size: &String| {
            let sizes = self.page_sizes.as_ref();
            sizes.is_some_and(|sizes| !sizes.contains(size))
        };
        if let Some(huge) = huge.find(|huge| is_missing(&huge.page_size)) {
            let sizes = self.page_sizes.as_deref().unwrap_or_default();
            let reason = match sizes {
                [] => "the node has no huge pages".to_owned(),
                sizes => format!("the node has huge pages of {}", sizes.join(", ")),
            };
            return invalid(&format!("hugepage_limits[{}]", huge.page_size), reason);
        }
        match asked.unified.keys().next().filter(|_| !self.is_unified) {
            Some(file) => invalid(
                &format!("unified[{file}]"),
                "the node's cgroups are of version 1, which has no such files".to_owned(),
            ),
            None => Ok(()),
        }
    }
}

/// The numbers of a list such as `0-3,8`; `None` if it is none.
fn ranges(list: &str) -> Option<Vec<(u32, u32)>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    list.split(',').map(range).collect()
}

fn words(ranges: &[(u32, u32)]) -> String {
    let word = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(word).collect::<Vec<_>>().join(",")
}

/// The size of `hugepages-2048kB` as cgroups name it: `2MB`.
fn page_size(directory: &str) -> Option<String> {
    let size = directory.strip_prefix("hugepages-")?.strip_suffix("kB")?;
    let kibibytes: u64 = size.parse().ok()?;
    Some(match kibibytes {
        size if size >= 1 << 20 => format!("{}GB", size >> 20),
        size if size >= 1 << 10 => format!("{}MB", size >> 10),
        size => format!("{size}KB"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::HugepageLimit;

    fn node() -> Node {
        Node {
            cpus: ranges("0-3,8"),
            mems: ranges("0"),
            page_sizes: Some(vec!["2MB".to_owned(), "1GB".to_owned()]),
            is_unified: false,
        }
    }

    fn of(node: &Node, change: impl FnOnce(&mut LinuxContainerResources)) -> Result<(), String> {
        let mut asked = LinuxContainerResources::default();
        change(&mut asked);
        let checked = node.check("linux", &asked);
        checked.map_err(|error| error.to_string())
    }

    #[test]
    fn processors_and_memory_are_those_of_the_node() {
        let node = node();
        for good in ["", "0", "1-3,8", "0-3"] {
            of(&node, |asked| asked.cpuset_cpus = good.to_owned()).unwrap();
        }
        for bad in ["4", "3-4", "0,9", "0-8"] {
            let refused = of(&node, |asked| asked.cpuset_cpus = bad.to_owned()).unwrap_err();
            let expected = "linux.cpuset_cpus: the node has the processors 0-3,8, and no others";
            assert_eq!(refused, expected);
        }
        let refused = of(&node, |asked| asked.cpuset_mems = "1".to_owned()).unwrap_err();
        assert!(refused.starts_with("linux.cpuset_mems: "), "{refused}");
        let unknown = Node::default();
        of(&unknown, |asked| asked.cpuset_mems = "1".to_owned()).unwrap();
    }

    #[test]
    fn huge_pages_and_files_are_those_of_the_node() {
        let huge = |size: &str, limit: u64| {
            let limit = HugepageLimit {
                page_size: size.to_owned(),
                limit,
            };
            of(&node(), |asked| asked.hugepage_limits = vec![limit])
        };
        huge("2MB", 1 << 21).unwrap();
        huge("3MB", 0).unwrap();
        let refused = huge("3MB", 1).unwrap_err();
        let expected = "linux.hugepage_limits[3MB]: the node has huge pages of 2MB, 1GB";
        assert_eq!(refused, expected);
        let file = |asked: &mut LinuxContainerResources| {
            let file = ("memory.high".to_owned(), "max".to_owned());
            asked.unified.extend([file]);
        };
        let refused = of(&node(), file).unwrap_err();
        assert!(
            refused.starts_with("linux.unified[memory.high]: "),
            "{refused}"
        );
        let is_unified = true;
        of(
            &Node {
                is_unified,
                ..node()
            },
            file,
        )
        .unwrap();
    }

    #[test]
    fn what_the_node_has_is_read_from_its_kernel() {
        let sys = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = sys.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(Node::read(sys.path()), Node::default());
        write("devices/system/cpu/online", "0-3,8\n");
        write("devices/system/node/online", "0\n");
        for size in ["hugepages-2048kB", "hugepages-1048576kB", "other"] {
            write(&format!("kernel/mm/hugepages/{size}/free_hugepages"), "");
        }
        let mut read = Node::read(sys.path());
        read.page_sizes.as_mut().unwrap().sort();
        read.page_sizes.as_mut().unwrap().reverse();
        assert_eq!(read, node());
        write("fs/cgroup/cgroup.controllers", "");
        assert!(Node::read(sys.path()).is_unified);
        assert_eq!(page_size("hugepages-64kB").as_deref(), Some("64KB"));
    }
}
