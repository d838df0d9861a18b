//! Blocks of user and group IDs for pods: one symbolic link in `userns/` for each stretch of 65 536 IDs that is in use,
//! whose target is the pod's UUID.
//!
//! Creating a link is atomic and refuses an existing name, so two pods never get one block, and nobody waits for anybody.
//! Where a pod begins to look follows from its UUID: pods that start at once don't try the same blocks one after the other.

use std::fs;
use std::path::PathBuf;

use crate::error::PodError;
use crate::holder_link::{claim, release, release_all};
use crate::id::PodUuid;
use crate::manifest::BLOCK_SIZE;

/// No ID is as high: what follows are users of virtual machines, and what some programs take for negative numbers.
pub(crate) const IDS_END: u32 = 2_147_418_112;
/// The directory of those that pods have, in that of images and pods.
pub(crate) const DIRECTORY: &str = "userns";

/// IDs from which pods get blocks. It holds at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// Where the first block begins.
    first: u32,
    blocks: u32,
}

impl IdRange {
    /// Behind what hosts use: users and groups of their own, subordinate IDs (`SUB_UID_MAX` of login.defs(5)), containers
    /// of systemd (524288 to 1879048191), and what SSSD makes of a domain's users (up to 2000200000). Before what systemd
    /// uses for foreign images (from 2147352576 on).
    pub const DEFAULT: Self = Self {
        first: 2_000_224_256,
        blocks: 2245,
    };

    /// That of `count` IDs from `first` on: as many blocks as begin at a multiple of their size, or one where there is none
    /// such. `None` if there is no room for one, below the users of virtual machines and above the host's own first block.
    pub fn new(first: u32, count: u32) -> Option<Self> {
        let (size, start) = (u64::from(BLOCK_SIZE), u64::from(first));
        let end = start
            .saturating_add(u64::from(count))
            .min(u64::from(IDS_END));
        let aligned = start.next_multiple_of(size);
        let blocks = end.saturating_sub(aligned) / size;
        if start < size {
            return None;
        }
        let (first, blocks) = match blocks {
            0 if end.saturating_sub(start) >= size => (start, 1),
            0 => return None,
            blocks => (aligned, blocks),
        };
        Some(Self {
            first: u32::try_from(first).ok()?,
            blocks: u32::try_from(blocks).ok()?,
        })
    }

    /// The last of these IDs.
    #[cfg(test)]
    pub(crate) fn last(&self) -> u32 {
        self.first + self.blocks * BLOCK_SIZE - 1
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> u32 {
        self.blocks
    }

    /// The first ID of each block, beginning with the one that this pod tries first.
    fn firsts(self, uuid: PodUuid) -> impl Iterator<Item = u32> {
        let start = uuid.spread(self.blocks);
        let numbers = (start..self.blocks).chain(0..start);
        numbers.map(move |number| self.first + number * BLOCK_SIZE)
    }
}

/// The directory of blocks that are in use.
#[derive(Debug, Clone)]
pub(crate) struct IdBlocks {
    dir: PathBuf,
}

impl IdBlocks {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Gives a block of that range to a pod. The result is its first ID.
    pub(crate) fn claim(&self, uuid: PodUuid, range: IdRange) -> Result<u32, PodError> {
        for first in range.firsts(uuid) {
            if self.claim_block(uuid, first)? {
                return Ok(first);
            }
        }
        Err(PodError::NoIdBlock {
            first: range.first,
            blocks: range.blocks,
        })
    }

    fn claim_block(&self, uuid: PodUuid, first: u32) -> Result<bool, PodError> {
        let links = self.links(first);
        for (number, link) in links.iter().enumerate() {
            if !claim(link, uuid)? {
                for own in links.iter().take(number) {
                    fs::remove_file(own).map_err(PodError::io("remove", own))?;
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The links of a block: one, or two if it lies across the boundary of two.
    fn links(&self, first: u32) -> Vec<PathBuf> {
        let last = first.saturating_add(BLOCK_SIZE - 1);
        let stretches = first / BLOCK_SIZE..=last / BLOCK_SIZE;
        let name = |stretch: u32| self.dir.join((stretch * BLOCK_SIZE).to_string());
        stretches.map(name).collect()
    }

    /// Gives up a block that belongs to this pod, which must still have a directory: so nobody else gives it up.
    pub(crate) fn release(&self, uuid: PodUuid, first: u32) -> Result<(), PodError> {
        let links = self.links(first);
        links.iter().try_for_each(|link| release(link, uuid))
    }

    /// Gives up all blocks whose pods are gone, as `is_gone` says. One command at a time does.
    pub(crate) fn release_all(
        &self,
        is_gone: impl Fn(PodUuid) -> Result<bool, PodError>,
    ) -> Result<(), PodError> {
        release_all(&self.dir, is_gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn blocks() -> (tempfile::TempDir, IdBlocks) {
        let dir = tempfile::tempdir().unwrap();
        let blocks = IdBlocks::new(dir.path().join("userns"));
        (dir, blocks)
    }

    #[test]
    fn the_default_leaves_known_ranges_alone() {
        let IdRange { first, blocks } = IdRange::DEFAULT;
        assert_eq!(
            IdRange::new(first, blocks * BLOCK_SIZE),
            Some(IdRange::DEFAULT)
        );
        assert!(first > 2_000_200_000);
        assert_eq!(first + blocks * BLOCK_SIZE, 2_147_352_576);
    }

    #[test]
    fn a_range_has_whole_blocks_below_2_to_the_31() {
        let new =
            |first, count| IdRange::new(first, count).map(|range| (range.first, range.blocks));
        assert_eq!(new(131_072, 131_072), Some((131_072, 2)));
        assert_eq!(new(131_072, 131_071), Some((131_072, 1)));
        // What useradd(8) gives.
        assert_eq!(new(100_000, 65_536), Some((100_000, 1)));
        assert_eq!(new(100_000, 196_608), Some((131_072, 2)));
        assert_eq!(new(2_147_352_576, u32::MAX), Some((2_147_352_576, 1)));
        for (first, count) in [
            (131_072, 65_535),
            (0, 65_536),
            (1000, 65_536),
            (2_147_418_112, 65_536),
            (1 << 31, 65_536),
            (u32::MAX, u32::MAX),
        ] {
            assert_eq!(new(first, count), None, "{first} {count}");
        }
    }

    #[test]
    fn two_hundred_pods_at_once_get_two_hundred_blocks() {
        let (_dir, blocks) = blocks();
        let range = IdRange::new(1 << 20, 200 * BLOCK_SIZE).unwrap();
        let given: Vec<u32> = std::thread::scope(|scope| {
            let pods: Vec<_> = (0..200)
                .map(|_| scope.spawn(|| blocks.claim(PodUuid::random(), range).unwrap()))
                .collect();
            pods.into_iter().map(|pod| pod.join().unwrap()).collect()
        });
        let different: BTreeSet<u32> = given.iter().copied().collect();
        assert_eq!(different.len(), 200);
        let error = blocks.claim(PodUuid::random(), range).unwrap_err();
        assert!(matches!(error, PodError::NoIdBlock { .. }), "{error}");
    }

    #[test]
    fn a_block_is_given_up_by_its_pod_alone() {
        let (_dir, blocks) = blocks();
        let range = IdRange::new(1 << 20, BLOCK_SIZE).unwrap();
        let (one, other) = (PodUuid::random(), PodUuid::random());
        let first = blocks.claim(one, range).unwrap();
        blocks.release(other, first).unwrap();
        blocks.claim(other, range).unwrap_err();
        blocks.release(one, first).unwrap();
        blocks.release(one, first).unwrap();
        assert_eq!(blocks.claim(other, range).unwrap(), first);
    }

    #[test]
    fn blocks_that_overlap_are_not_given_at_once() {
        let (_dir, blocks) = blocks();
        let across = IdRange::new(100_000, BLOCK_SIZE).unwrap();
        let within = IdRange::new(131_072, BLOCK_SIZE).unwrap();
        let (one, other) = (PodUuid::random(), PodUuid::random());
        blocks.claim(one, within).unwrap();
        blocks.claim(other, across).unwrap_err();
        // Nothing of the failed attempt is left.
        let before = IdRange::new(65_536, BLOCK_SIZE).unwrap();
        blocks.claim(other, before).unwrap();
        blocks.release(one, 131_072).unwrap();
        blocks.release(other, 65_536).unwrap();
        blocks.claim(one, across).unwrap();
        blocks.claim(other, before).unwrap_err();
    }

    #[test]
    fn blocks_of_pods_that_are_gone_are_free_again() {
        let (_dir, blocks) = blocks();
        blocks.release_all(|_| Ok(true)).unwrap();
        let range = IdRange::new(1 << 20, 2 * BLOCK_SIZE).unwrap();
        let (gone, here) = (PodUuid::random(), PodUuid::random());
        let first = blocks.claim(gone, range).unwrap();
        blocks.claim(here, range).unwrap();
        fs::write(blocks.dir.join("strange"), "").unwrap();
        blocks.release_all(|uuid| Ok(uuid == gone)).unwrap();
        assert_eq!(blocks.claim(PodUuid::random(), range).unwrap(), first);
        blocks.claim(PodUuid::random(), range).unwrap_err();
    }
}
