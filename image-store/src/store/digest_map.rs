//! Maps and sets of digests.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map by digest. Digests are as good as random, so that some of their digits are hash enough.
pub(super) type DigestMap<K, V> = HashMap<K, V, BuildHasherDefault<DigestHasher>>;

/// A set of digests, or of names that end with one.
pub(super) type DigestSet<K> = HashSet<K, BuildHasherDefault<DigestHasher>>;

/// Takes the last digits of what it is given.
#[derive(Default)]
pub(super) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.rchunks(8).take(2) {
            let word = word.iter().fold(0_u64, |word, byte| {
                word.wrapping_mul(256).wrapping_add((*byte).into())
            });
            let mixed = self.0.rotate_left(5).wrapping_add(word);
            self.0 = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault};

    use image_layer::sha256;

    use super::*;

    #[test]
    fn digests_and_names_that_end_with_one_are_spread_over_a_map() {
        let hasher = BuildHasherDefault::<DigestHasher>::default();
        let digests = (0..2000_u32).map(|number| sha256(&number.to_le_bytes()));
        let (mut hashes, mut of_names) = (HashSet::new(), HashSet::new());
        // A map of some thousand has as many places; and it marks each by seven bits.
        let (mut places, mut marks) = (HashSet::new(), HashSet::new());
        for digest in digests {
            let hash = hasher.hash_one(&digest);
            hashes.insert(hash);
            places.insert(hash % 4096);
            marks.insert(hash >> 57);
            of_names.insert(hasher.hash_one(format!("sha256-{}", digest.hex())));
        }
        assert_eq!((hashes.len(), of_names.len()), (2000, 2000));
        assert!(places.len() > 1400, "{}", places.len());
        assert_eq!(marks.len(), 128);
    }
}
