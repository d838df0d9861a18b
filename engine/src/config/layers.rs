//! The table `[layers]`: how much a layer may hold. What it can say is in README.

use image_store::Limits;
use serde::Deserialize;

use super::amount::{Bytes, Count};

/// Deepest paths that can be asked for: no path of the kernel's longest has more components.
const DEPTH_MAX: u64 = 2047;

/// What the table says; `image_store::LayerLimit::setting` has the same names, for messages.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Layers {
    max_compressed_size: Option<Bytes>,
    max_size: Option<Bytes>,
    max_ratio: Option<Count>,
    max_file_size: Option<Bytes>,
    max_entries: Option<Count>,
    max_depth: Option<Count>,
    max_path_length: Option<Count>,
    max_xattr_size: Option<Bytes>,
}

impl Layers {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            max_compressed_size: later.max_compressed_size.or(self.max_compressed_size),
            max_size: later.max_size.or(self.max_size),
            max_ratio: later.max_ratio.or(self.max_ratio),
            max_file_size: later.max_file_size.or(self.max_file_size),
            max_entries: later.max_entries.or(self.max_entries),
            max_depth: later.max_depth.or(self.max_depth),
            max_path_length: later.max_path_length.or(self.max_path_length),
            max_xattr_size: later.max_xattr_size.or(self.max_xattr_size),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        let default = Limits::default();
        let bytes = |said: &Option<Bytes>, default| said.as_ref().map_or(default, |said| said.0);
        let count = |said: &Option<Count>, default| said.as_ref().map_or(default, |said| said.0);
        let length = |said: &Option<Count>, max: u64, default: usize| match said {
            Some(said) => usize::try_from(said.0.min(max)).unwrap_or(default),
            None => default,
        };
        Limits {
            layer: bytes(&self.max_compressed_size, default.layer),
            expanded: bytes(&self.max_size, default.expanded),
            ratio: count(&self.max_ratio, default.ratio),
            file: bytes(&self.max_file_size, default.file),
            entries: count(&self.max_entries, default.entries),
            depth: length(&self.max_depth, DEPTH_MAX, default.depth),
            path: length(&self.max_path_length, u64::MAX, default.path),
            xattrs: bytes(&self.max_xattr_size, default.xattrs),
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use image_store::LayerLimit;

    use super::*;

    #[test]
    fn all_settings_of_messages_exist() {
        let all = [
            (LayerLimit::CompressedSize, "\"1k\""),
            (LayerLimit::Size, "1024"),
            (LayerLimit::Ratio, "1024"),
            (LayerLimit::FileSize, "\"1KiB\""),
            (LayerLimit::Entries, "1024"),
            (LayerLimit::Depth, "1024"),
            (LayerLimit::PathLength, "1024"),
            (LayerLimit::XattrSize, "\"1024\""),
        ];
        let text: String = all
            .iter()
            .map(|(limit, value)| format!("{} = {value}\n", limit.setting()))
            .collect();
        let limits = toml::from_str::<Layers>(&text).unwrap().limits();
        let sizes = [
            limits.layer,
            limits.expanded,
            limits.ratio,
            limits.file,
            limits.entries,
            limits.xattrs,
        ];
        assert_eq!(sizes, [1024; 6]);
        assert_eq!((limits.depth, limits.path), (1024, 1024));
    }

    #[test]
    fn paths_are_never_deeper_than_the_kernels() {
        let layers: Layers = toml::from_str("max-depth = 1000000").unwrap();
        assert_eq!(layers.limits().depth, 2047);
    }

    #[test]
    fn nothing_negative_or_fractional() {
        for (bad, reason) in [
            ("max-size = -1", "-1"),
            ("max-size = 1.5", "1.5"),
            ("max-size = \"0\"", "0"),
            ("max-ratio = -3", "-3"),
            ("max-ratio = true", "boolean"),
            ("max-ratio = \"3\"", "\"3\""),
        ] {
            let error = toml::from_str::<Layers>(bad).unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
            assert!(!error.contains("unknown field"), "{bad}: {error}");
        }
    }
}
