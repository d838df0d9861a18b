//! Whose the files of a tree are to those who see it through a user namespace.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustix::fs::Stat;

use crate::xattrs::CAPABILITY;

/// Whose files are that no ID of the namespace stands for (user_namespaces(7)).
const NOBODY: u32 = 65_534;

/// A tree of which others may see other owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Where it is.
    pub path: PathBuf,
    /// The user namespace in which its files were made, and whose IDs they are told with. `None`: this machine's.
    pub owners: Option<Owners>,
}

impl From<PathBuf> for Tree {
    fn from(path: PathBuf) -> Self {
        Self { path, owners: None }
    }
}

/// The IDs of a user namespace in which the files of a tree were made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owners {
    /// Of users.
    pub users: Vec<IdRange>,
    /// Of groups.
    pub groups: Vec<IdRange>,
}

/// Some IDs that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// The first in the namespace.
    pub inside: u32,
    /// The same one on this machine, as the tree has it.
    pub outside: u32,
    /// How many there are.
    pub count: u32,
}

impl Owners {
    /// What is told of a file within the namespace.
    pub(super) fn seen(&self, mut stat: Stat) -> Stat {
        stat.st_uid = inside(&self.users, stat.st_uid).unwrap_or(NOBODY);
        stat.st_gid = inside(&self.groups, stat.st_gid).unwrap_or(NOBODY);
        stat
    }

    /// The same of its extended attributes: capabilities say to which user's namespace they belong (capabilities(7)).
    pub(super) fn seen_attributes(&self, attributes: &mut BTreeMap<String, Vec<u8>>) {
        if let Some(value) = attributes.remove(CAPABILITY)
            && let Some(value) = self.seen_capability(value)
        {
            attributes.insert(CAPABILITY.to_owned(), value);
        }
    }

    /// `None` if the capabilities count elsewhere only.
    fn seen_capability(&self, mut value: Vec<u8>) -> Option<Vec<u8>> {
        let (head, rest) = value.split_first_chunk_mut::<4>()?;
        let word = u32::from_le_bytes(*head);
        if word & REVISION != REVISION_3 {
            return Some(value);
        }
        let (_, root) = rest.split_last_chunk_mut::<4>()?;
        let inside = inside(&self.users, u32::from_le_bytes(*root))?;
        if inside != 0 {
            *root = inside.to_le_bytes();
            return Some(value);
        }
        *head = (word & !REVISION | REVISION_2).to_le_bytes();
        value.truncate(value.len() - 4);
        Some(value)
    }
}

/// The bits of the first word that say what `security.capability` holds (linux/capability.h).
const REVISION: u32 = 0xFF00_0000;
const REVISION_2: u32 = 0x0200_0000;
/// As the second, and the user who is root in the namespace.
const REVISION_3: u32 = 0x0300_0000;

fn inside(ranges: &[IdRange], outside: u32) -> Option<u32> {
    ranges.iter().find_map(|range| {
        let place = outside.checked_sub(range.outside)?;
        (place < range.count)
            .then(|| range.inside.checked_add(place))
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owners() -> Owners {
        let range = |inside, outside, count| IdRange {
            inside,
            outside,
            count,
        };
        Owners {
            users: vec![range(0, 200_000, 1000), range(1000, 300_000, 10)],
            groups: vec![range(0, 400_000, 1000)],
        }
    }

    #[test]
    fn owners_are_those_of_the_namespace() {
        let file = tempfile::tempfile().unwrap();
        let seen = |uid, gid| {
            let mut stat = rustix::fs::fstat(&file).unwrap();
            (stat.st_uid, stat.st_gid) = (uid, gid);
            let stat = owners().seen(stat);
            (stat.st_uid, stat.st_gid)
        };
        assert_eq!(seen(200_000, 400_007), (0, 7));
        assert_eq!(seen(300_009, 400_999), (1009, 999));
        assert_eq!(seen(300_010, 401_000), (NOBODY, NOBODY));
        assert_eq!(seen(0, 0), (NOBODY, NOBODY));
    }

    #[test]
    fn capabilities_are_those_of_the_namespaces_root() {
        let capabilities = [1, 2, 3, 4, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0];
        let value = |head: u32, root: Option<u32>| {
            let mut value = head.to_le_bytes().to_vec();
            value.extend(capabilities);
            value.extend(root.iter().flat_map(|root| root.to_le_bytes()));
            value
        };
        let seen = |value: Vec<u8>| {
            let mut attributes = BTreeMap::from([(CAPABILITY.to_owned(), value)]);
            owners().seen_attributes(&mut attributes);
            attributes.remove(CAPABILITY)
        };
        let effective = 1;
        let third = |root| value(REVISION_3 | effective, Some(root));
        let second = value(REVISION_2 | effective, None);
        assert_eq!(seen(third(200_000)), Some(second.clone()));
        assert_eq!(seen(third(200_005)), Some(third(5)));
        assert_eq!(seen(third(0)), None);
        assert_eq!(seen(second.clone()), Some(second));
        assert_eq!(seen(vec![1, 2]), None);
    }
}
