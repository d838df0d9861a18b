//! The cgroup below which a pod's own are made.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest path, in bytes: what is made below it still has names that the kernel takes.
const PATH_MAX: usize = 2048;
/// Longest name of a unit of systemd, in bytes.
const UNIT_MAX: usize = 255;
/// What the names of slices end in.
const SLICE: &str = ".slice";

/// The cgroup below which a pod's own are made, with its monitor's. In a manifest a path begins with a slash, and a
/// slice is a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CgroupParent {
    /// A cgroup that nobody else manages, by its path in each hierarchy. It is made if it is missing, and stays.
    Cgroupfs(CgroupPath),
    /// A slice of systemd, which makes a scope in it for the pod.
    Slice(SliceName),
}

/// A path below the root of a hierarchy of cgroups, without steps up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CgroupPath(String);

/// The name of a slice of systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceName(String);

/// A text that names no parent of cgroups.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCgroupParent {
    /// It leads elsewhere, or nowhere.
    #[error(
        "{0:?} is not the path of a cgroup: names with slashes between, none of them `.` or `..`"
    )]
    NotAPath(String),
    /// It has no room for a pod.
    #[error("the path of a cgroup has {PATH_MAX} bytes at most, and this has {0}")]
    TooLong(usize),
    /// systemd has no such slice.
    #[error(
        "{0:?} is not the name of a slice: letters, digits and :_.- are, and it ends in {SLICE}"
    )]
    NotASlice(String),
    /// The path says one thing of where the slice is, and the name another.
    #[error("the slice {name} is at {expected}, and not at {path}")]
    ElsewhereThanItsName {
        /// The slice.
        name: String,
        /// Where a slice of this name is.
        expected: String,
        /// Where it is said to be.
        path: String,
    },
}

impl CgroupPath {
    /// It without the slash that it begins with: relative to where a hierarchy is mounted.
    pub fn below_root(&self) -> &Path {
        Path::new(self.0.trim_start_matches('/'))
    }

    /// As text, with the slash that it begins with.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CgroupPath {
    type Err = NoCgroupParent;

    /// Slashes at either end, and doubled ones, mean nothing. The path is one from the root in any case.
    fn from_str(text: &str) -> Result<Self, NoCgroupParent> {
        if text.len() > PATH_MAX {
            return Err(NoCgroupParent::TooLong(text.len()));
        }
        let names: Vec<&str> = text.split('/').filter(|name| !name.is_empty()).collect();
        let is_bad = |name: &&str| {
            [".", ".."].contains(name) || name.len() > 255 || name.chars().any(char::is_control)
        };
        match text.is_empty() || names.iter().any(is_bad) {
            true => Err(NoCgroupParent::NotAPath(text.to_owned())),
            false => Ok(Self(format!("/{}", names.join("/")))),
        }
    }
}

impl SliceName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the slice is below the root of a hierarchy (systemd.slice(5)): each dash is a step down.
    pub fn path(&self) -> String {
        let stem = self.0.strip_suffix(SLICE).unwrap_or(&self.0);
        let ends = stem.match_indices('-').map(|(end, _)| end);
        let ends = ends.filter(|end| *end > 0).chain([stem.len()]);
        ends.filter(|_| stem != "-")
            .filter_map(|end| stem.get(..end))
            .map(|stem| format!("/{stem}{SLICE}"))
            .collect()
    }
}

impl FromStr for SliceName {
    type Err = NoCgroupParent;

    fn from_str(text: &str) -> Result<Self, NoCgroupParent> {
        let stem = text.strip_suffix(SLICE).unwrap_or_default();
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b":_.\\-@".contains(&byte);
        let has_steps = !stem.starts_with('-') && !stem.ends_with('-') && !stem.contains("--");
        let is_named = !stem.is_empty() && stem.bytes().all(is_known) && text.len() <= UNIT_MAX;
        match is_named && (has_steps || stem == "-") {
            true => Ok(Self(text.to_owned())),
            false => Err(NoCgroupParent::NotASlice(text.to_owned())),
        }
    }
}

impl CgroupParent {
    /// The slice at a path whose last name is a slice's, as kubelets give it where systemd manages cgroups; or by its name
    /// alone.
    ///
    /// # Errors
    /// If systemd has no such slice, or has it elsewhere.
    pub fn slice(text: &str) -> Result<Self, NoCgroupParent> {
        let name: SliceName = text.rsplit('/').next().unwrap_or_default().parse()?;
        if text.contains('/') && text.trim_end_matches('/') != name.path() {
            return Err(NoCgroupParent::ElsewhereThanItsName {
                expected: name.path(),
                name: name.0,
                path: text.to_owned(),
            });
        }
        Ok(Self::Slice(name))
    }

    /// The cgroup at a path, whatever it is called.
    ///
    /// # Errors
    /// If it is no such path.
    pub fn cgroupfs(text: &str) -> Result<Self, NoCgroupParent> {
        text.parse().map(Self::Cgroupfs)
    }
}

/// As users say it: what ends as slices do is systemd's.
impl FromStr for CgroupParent {
    type Err = NoCgroupParent;

    fn from_str(text: &str) -> Result<Self, NoCgroupParent> {
        match text.ends_with(SLICE) {
            true => Self::slice(text),
            false => Self::cgroupfs(text),
        }
    }
}

impl TryFrom<String> for CgroupParent {
    type Error = NoCgroupParent;

    fn try_from(text: String) -> Result<Self, NoCgroupParent> {
        match text.starts_with('/') {
            true => Self::cgroupfs(&text),
            false => Self::slice(&text),
        }
    }
}

impl From<CgroupParent> for String {
    fn from(parent: CgroupParent) -> Self {
        match parent {
            CgroupParent::Cgroupfs(path) => path.0,
            CgroupParent::Slice(name) => name.0,
        }
    }
}

impl fmt::Display for CgroupParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cgroupfs(path) => &path.0,
            Self::Slice(name) => &name.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match text.parse::<CgroupParent>() {
            Ok(CgroupParent::Cgroupfs(path)) => format!("path {}", path.0),
            Ok(CgroupParent::Slice(name)) => format!("slice {} at {}", name.0, name.path()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn paths_and_slices_are_told_apart_by_their_ends() {
        assert_eq!(said("/kubepods/pod1"), "path /kubepods/pod1");
        assert_eq!(said("machines//x/"), "path /machines/x");
        assert_eq!(said("/"), "path /");
        assert_eq!(said("a.slice"), "slice a.slice at /a.slice");
        assert_eq!(said("-.slice"), "slice -.slice at ");
        assert_eq!(
            said("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice"),
            "slice kubepods-burstable-pod1_2.slice at \
             /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice"
        );
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for bad in ["", "..", "/a/../b", "a/./b", "a\nb", "a\0"] {
            assert!(said(bad).contains("is not the path of a cgroup"), "{bad:?}");
        }
        assert!(said(&"x".repeat(2049)).contains("2048 bytes at most"));
        for bad in [
            ".slice",
            "-a.slice",
            "a-.slice",
            "a--b.slice",
            "a b.slice",
            "ä.slice",
        ] {
            assert!(said(bad).contains("not the name of a slice"), "{bad:?}");
        }
        let long = format!("{}.slice", "x".repeat(250));
        assert!(said(&long).contains("not the name of a slice"));
        let elsewhere = "/b.slice/a-c.slice";
        assert_eq!(
            said(elsewhere),
            "the slice a-c.slice is at /a.slice/a-c.slice, and not at /b.slice/a-c.slice"
        );
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let path = CgroupParent::cgroupfs("/x/looks.slice").unwrap();
        let slice = CgroupParent::slice("a-b.slice").unwrap();
        for parent in [path, slice] {
            let json = serde_json::to_string(&parent).unwrap();
            assert_eq!(serde_json::from_str::<CgroupParent>(&json).unwrap(), parent);
        }
        assert!(serde_json::from_str::<CgroupParent>("\"a/b\"").is_err());
    }
}
