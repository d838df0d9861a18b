//! Bounds on what an image may make the store hold in memory or write to disk.

use crate::error::ContentError;
use crate::layer_limit::LayerLimit;

/// Inflated bytes up to which no ratio counts: an empty archive of ten kilobytes packs 200 : 1,
/// and what fits here does no harm however well it is packed.
const RATIO_FREE: u64 = 64 << 20;

/// Bounds on what an image may make the store hold in memory or write to disk.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a manifest or index.
    pub manifest: u64,
    /// Bytes of a configuration.
    pub config: u64,
    /// Compressed bytes of one layer.
    pub layer: u64,
    /// Bytes of one layer once inflated, and of all its files; holes of sparse files count too.
    pub expanded: u64,
    /// Inflated bytes for one compressed byte, where more than 64 MiB come out.
    pub ratio: u64,
    /// Bytes of one file, holes included.
    pub file: u64,
    /// Entries in one layer.
    pub entries: u64,
    /// Components in one path.
    pub depth: usize,
    /// Bytes of one path; the kernel takes 4095 at most.
    pub path: usize,
    /// Bytes of names and values of the extended attributes of one entry.
    pub xattrs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest: 4 << 20,
            config: 4 << 20,
            layer: 64 << 30,
            expanded: 256 << 30,
            ratio: 250,
            file: 128 << 30,
            entries: 4_000_000,
            depth: 256,
            path: 4095,
            xattrs: 128 << 10,
        }
    }
}

impl Limits {
    /// The error that `what` goes over a limit.
    pub fn exceeded(&self, limit: LayerLimit, what: String) -> ContentError {
        ContentError::LayerLimit {
            what,
            limit,
            value: self.value(limit),
        }
    }

    fn value(&self, limit: LayerLimit) -> u64 {
        let length = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        match limit {
            LayerLimit::CompressedSize => self.layer,
            LayerLimit::Size => self.expanded,
            LayerLimit::Ratio => self.ratio,
            LayerLimit::FileSize => self.file,
            LayerLimit::Entries => self.entries,
            LayerLimit::Depth => length(self.depth),
            LayerLimit::PathLength => length(self.path),
            LayerLimit::XattrSize => self.xattrs,
        }
    }

    /// How far a compressed stream may inflate.
    pub fn inflating(&self) -> InflateBound {
        InflateBound {
            size: self.expanded,
            ratio: self.ratio,
        }
    }
}

/// How far a compressed stream may inflate.
#[derive(Clone, Copy, Debug)]
pub struct InflateBound {
    size: u64,
    ratio: u64,
}

impl InflateBound {
    /// Checks the bytes that went in and came out so far. What went in is what was read, not what
    /// somebody said would come.
    pub fn check(&self, compressed: u64, inflated: u64, what: &str) -> Result<(), ContentError> {
        let by_ratio = compressed.saturating_mul(self.ratio).max(RATIO_FREE);
        let (limit, value) = if inflated > self.size {
            (LayerLimit::Size, self.size)
        } else if inflated > by_ratio {
            (LayerLimit::Ratio, self.ratio)
        } else {
            return Ok(());
        };
        Err(ContentError::LayerLimit {
            what: what.to_owned(),
            limit,
            value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_of_size_and_ratio_bounds_a_stream() {
        let limits = Limits {
            expanded: 1 << 30,
            ratio: 100,
            ..Limits::default()
        };
        let over = |compressed, inflated| match limits.inflating().check(compressed, inflated, "x")
        {
            Ok(()) => None,
            Err(ContentError::LayerLimit { limit, .. }) => Some(limit),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(over(45, 10_240), None, "an empty archive");
        assert_eq!(over(45, RATIO_FREE + 1), Some(LayerLimit::Ratio));
        assert_eq!(over(1 << 20, 100 << 20), None);
        assert_eq!(over(1 << 20, (100 << 20) + 1), Some(LayerLimit::Ratio));
        assert_eq!(over(1 << 30, (1 << 30) + 1), Some(LayerLimit::Size));
        assert_eq!(over(1, (1 << 30) + 1), Some(LayerLimit::Size));
        assert_eq!(over(u64::MAX, 1 << 30), None);
    }

    #[test]
    fn an_error_says_which_limit() {
        let error = Limits::default().exceeded(LayerLimit::Entries, "layer x".to_owned());
        assert_eq!(
            error.to_string(),
            "layer x: number of entries exceeds the limit of 4000000"
        );
    }

    #[test]
    fn a_bound_itself_is_within_it() {
        let bound = |size, ratio| InflateBound { size, ratio };
        let within = |bound: InflateBound, used, taken| bound.check(used, taken, "x").is_ok();
        assert!(within(bound(100, 1), 0, 100) && !within(bound(100, 1), 0, 101));
        let large = bound(u64::MAX, 2);
        assert!(within(large, 1, RATIO_FREE) && !within(large, 1, RATIO_FREE + 1));
        let used = RATIO_FREE;
        assert!(within(large, used, 2 * used) && !within(large, used, 2 * used + 1));
    }

    #[test]
    fn each_limit_has_a_value_a_setting_and_a_subject_of_its_own() {
        use LayerLimit::{
            CompressedSize, Depth, Entries, FileSize, PathLength, Ratio, Size, XattrSize,
        };
        let limits = Limits {
            manifest: 1,
            config: 2,
            layer: 3,
            expanded: 4,
            ratio: 5,
            file: 6,
            entries: 7,
            depth: 8,
            path: 9,
            xattrs: 10,
        };
        for (limit, value, setting, subject) in [
            (
                CompressedSize,
                3,
                "max-compressed-size",
                "size of the compressed layer",
            ),
            (Size, 4, "max-size", "size of the unpacked layer"),
            (
                Ratio,
                5,
                "max-ratio",
                "ratio of inflated to compressed bytes",
            ),
            (FileSize, 6, "max-file-size", "size of the file"),
            (Entries, 7, "max-entries", "number of entries"),
            (Depth, 8, "max-depth", "number of components of the path"),
            (PathLength, 9, "max-path-length", "bytes of the path"),
            (
                XattrSize,
                10,
                "max-xattr-size",
                "bytes of extended attributes",
            ),
        ] {
            let error = limits.exceeded(limit, "layer x".to_owned()).to_string();
            assert_eq!(
                error,
                format!("layer x: {subject} exceeds the limit of {value}")
            );
            assert_eq!(limit.setting(), setting);
        }
    }
}
