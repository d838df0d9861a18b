//! Where the cgroup hierarchies are mounted (proc(5), `/proc/PID/mountinfo`), and where a process is in
//! them (cgroups(7), `/proc/PID/cgroup`). Pure functions over the text of both files.

use std::path::PathBuf;

/// A mounted hierarchy and the caller's place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mounted {
    /// Controllers of a version 1 hierarchy; `None` for version 2.
    pub(super) controllers: Option<Vec<String>>,
    /// Where it is mounted.
    pub(super) mount_point: PathBuf,
    /// The caller's cgroup in it, relative to the mount point.
    pub(super) own: PathBuf,
}

/// All mounted hierarchies.
pub(super) fn hierarchies(mountinfo: &str, own_cgroups: &str) -> Vec<Mounted> {
    mountinfo
        .lines()
        .filter_map(|line| hierarchy(line, own_cgroups))
        .collect()
}

fn hierarchy(line: &str, own_cgroups: &str) -> Option<Mounted> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, mount_point) = (unescape(mount.next()?), unescape(mount.next()?));
    let mut filesystem = filesystem.split(' ');
    let options = match filesystem.next()? {
        "cgroup2" => None,
        "cgroup" => {
            let options = filesystem.nth(1)?;
            Some(options.split(',').map(str::to_owned).collect::<Vec<_>>())
        }
        _ => return None,
    };
    let (names, own) = own_cgroups.lines().find_map(|line| {
        let (_id, rest) = line.split_once(':')?;
        let (names, path) = rest.split_once(':')?;
        let same = match &options {
            None => names.is_empty(),
            Some(mounted) => names
                .split(',')
                .any(|n| !n.is_empty() && mounted.iter().any(|m| m == n)),
        };
        same.then_some((names, path))
    })?;
    // In a container the mount may show only a part of the hierarchy, and paths are absolute in the whole.
    let own = own
        .strip_prefix(root.as_str())
        .unwrap_or(own)
        .trim_start_matches('/');
    // Beside controllers, options tell how it is mounted.
    let controllers = options.map(|_| names.split(',').map(str::to_owned).collect());
    Some(Mounted {
        controllers,
        mount_point: mount_point.into(),
        own: own.into(),
    })
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "\
30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup rw
35 24 8:1 / /my\\040disk rw - ext4 /dev/sda1 rw";
    const OWN: &str = "9:name=systemd:/\n4:memory:/a/b\n2:cpu,cpuacct:/svc\n0::/u\n";

    #[test]
    fn version_1_and_hybrid() {
        let found = hierarchies(V1, OWN);
        let memory = found
            .iter()
            .find(|m| m.mount_point.ends_with("memory"))
            .unwrap();
        assert_eq!(memory.own, PathBuf::from("a/b"));
        let cpu = found
            .iter()
            .find(|m| m.mount_point.ends_with("cpu,cpuacct"))
            .unwrap();
        assert_eq!(cpu.own, PathBuf::from("svc"));
        let controllers = cpu.controllers.as_deref().unwrap();
        assert_eq!(controllers, ["cpu", "cpuacct"]);
        let unified = found.iter().find(|m| m.controllers.is_none()).unwrap();
        assert_eq!(unified.own, PathBuf::from("u"));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn a_part_of_a_hierarchy() {
        let mount = "31 30 0:27 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
        let found = hierarchies(mount, "4:memory:/docker/x/inner\n");
        assert_eq!(found.first().unwrap().own, PathBuf::from("inner"));
    }

    #[test]
    fn garbage_is_passed_over() {
        assert_eq!(hierarchies("x\n - cgroup\n1 2 3 - cgroup2", OWN), []);
    }
}
