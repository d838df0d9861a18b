//! The pod's user namespace.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// How many IDs a block has: those that users and groups of a pod can have, 65534 (`nobody`) among them.
pub const BLOCK_SIZE: u32 = 65_536;
/// The size of a block, as mappings have it.
const BLOCK: NonZeroU32 = NonZeroU32::MIN.saturating_add(BLOCK_SIZE - 1);
/// The most ranges that the kernel takes of each kind (user_namespaces(7)).
const RANGES_MAX: usize = 340;
/// Users and groups that each pod needs: `root`, and `nobody`, which is pod init's saved group.
const NEEDED: [u32; 2] = [0, 65_534];

/// Which users and groups of the host those of the pod are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UserNamespace {
    /// Of users.
    pub uid_mappings: Vec<IdMapping>,
    /// Of groups.
    pub gid_mappings: Vec<IdMapping>,
}

/// A range of IDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IdMapping {
    /// The first one in the pod.
    pub container_id: u32,
    /// The first one on the host.
    pub host_id: u32,
    /// How many.
    pub size: NonZeroU32,
}

impl IdMapping {
    /// One past the last ID in the pod, and on the host.
    fn ends(&self) -> (u64, u64) {
        let end = |first: u32| u64::from(first) + u64::from(self.size.get());
        (end(self.container_id), end(self.host_id))
    }

    fn overlaps(&self, other: &Self) -> bool {
        let (ends, others) = (self.ends(), other.ends());
        let apart =
            |a: u32, a_end: u64, b: u32, b_end: u64| u64::from(a) >= b_end || u64::from(b) >= a_end;
        !apart(self.container_id, ends.0, other.container_id, others.0)
            || !apart(self.host_id, ends.1, other.host_id, others.1)
    }
}

/// As `/proc/PID/uid_map` takes it.
impl fmt::Display for IdMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.container_id, self.host_id, self.size)
    }
}

/// Why mappings can't be those of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitMapping {
    /// A user or group that every pod needs has no ID of the host.
    #[error("{0} in the pod is nothing on the host")]
    Missing(u32),
    /// Two ranges overlap.
    #[error("two ranges overlap")]
    Overlapping,
    /// A range goes beyond all IDs.
    #[error("a range goes beyond the highest ID")]
    Beyond,
    /// There are more ranges than the kernel takes.
    #[error("there are more than {RANGES_MAX} ranges")]
    TooMany,
}

impl UserNamespace {
    /// That with these mappings.
    ///
    /// # Errors
    /// [`UnfitMapping`] if the kernel would take no such mappings, or a pod can't do with them.
    pub fn new(
        uid_mappings: Vec<IdMapping>,
        gid_mappings: Vec<IdMapping>,
    ) -> Result<Self, UnfitMapping> {
        check(&uid_mappings)?;
        check(&gid_mappings)?;
        Ok(Self {
            uid_mappings,
            gid_mappings,
        })
    }

    /// That of a block of IDs of the pod's own ([`crate::id_blocks`]), from this one on.
    pub fn of_block(first: u32) -> Self {
        let mapping = IdMapping {
            container_id: 0,
            host_id: first,
            size: BLOCK,
        };
        Self {
            uid_mappings: vec![mapping],
            gid_mappings: vec![mapping],
        }
    }

    /// The first ID on the host, if this may be that of a block.
    pub fn block(&self) -> Option<u32> {
        let first = self.uid_mappings.first()?.host_id;
        (*self == Self::of_block(first)).then_some(first)
    }

    /// The host's user that the pod's user with this ID is.
    pub fn host_uid(&self, uid: u32) -> Option<u32> {
        host_id(&self.uid_mappings, uid)
    }

    /// The same of a group.
    pub fn host_gid(&self, gid: u32) -> Option<u32> {
        host_id(&self.gid_mappings, gid)
    }
}

fn host_id(mappings: &[IdMapping], id: u32) -> Option<u32> {
    mappings.iter().find_map(|mapping| {
        let offset = id.checked_sub(mapping.container_id)?;
        (offset < mapping.size.get()).then(|| mapping.host_id.checked_add(offset))?
    })
}

fn check(mappings: &[IdMapping]) -> Result<(), UnfitMapping> {
    if mappings.len() > RANGES_MAX {
        return Err(UnfitMapping::TooMany);
    }
    for (number, mapping) in mappings.iter().enumerate() {
        let (inside, outside) = mapping.ends();
        // The highest number stands for no ID.
        if inside.max(outside) > u64::from(u32::MAX) {
            return Err(UnfitMapping::Beyond);
        }
        if mappings
            .iter()
            .skip(number + 1)
            .any(|m| m.overlaps(mapping))
        {
            return Err(UnfitMapping::Overlapping);
        }
    }
    let missing = NEEDED.iter().find(|id| host_id(mappings, **id).is_none());
    missing.map_or(Ok(()), |id| Err(UnfitMapping::Missing(*id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(container_id: u32, host_id: u32, size: u32) -> IdMapping {
        IdMapping {
            container_id,
            host_id,
            size: NonZeroU32::new(size).unwrap(),
        }
    }

    #[test]
    fn a_block_holds_all_that_a_pod_needs() {
        let block = UserNamespace::of_block(131_072);
        let (uids, gids) = (block.uid_mappings.clone(), block.gid_mappings.clone());
        assert_eq!(UserNamespace::new(uids, gids), Ok(block.clone()));
        assert_eq!(block.block(), Some(131_072));
        assert_eq!(block.host_uid(0), Some(131_072));
        assert_eq!(block.host_gid(65_535), Some(196_607));
        assert_eq!(block.host_uid(65_536), None);
        assert_eq!(block.uid_mappings[0].to_string(), "0 131072 65536");
    }

    #[test]
    fn mappings_that_no_pod_can_have_are_refused() {
        let whole = mapping(0, 131_072, 65_536);
        let refused = |mappings: &[IdMapping]| {
            UserNamespace::new(mappings.to_vec(), vec![whole]).unwrap_err()
        };
        assert_eq!(refused(&[]), UnfitMapping::Missing(0));
        assert_eq!(
            refused(&[mapping(0, 131_072, 1000)]),
            UnfitMapping::Missing(65_534)
        );
        assert_eq!(
            refused(&[whole, mapping(65_535, 1, 1)]),
            UnfitMapping::Overlapping
        );
        assert_eq!(
            refused(&[whole, mapping(70_000, 131_073, 1)]),
            UnfitMapping::Overlapping
        );
        assert_eq!(
            refused(&[mapping(0, u32::MAX - 65_534, 65_535)]),
            UnfitMapping::Beyond
        );
        assert_eq!(refused(&vec![whole; 341]), UnfitMapping::TooMany);
        // The pod's users in two parts, with one of the host's own between.
        let parts = [
            mapping(0, 131_072, 1000),
            mapping(1000, 1000, 1),
            mapping(1001, 132_073, 64_535),
        ];
        let map = UserNamespace::new(parts.to_vec(), vec![whole]).unwrap();
        assert_eq!(map.host_uid(1000), Some(1000));
        assert_eq!(map.block(), None);
    }
}
