//! The table `[signatures]`: how much is taken of the statements about an image.

use image_document::referrer::{MAX_BUNDLE, MAX_BUNDLES, MAX_TOTAL};
use image_store::BundleLimits;
use serde::Deserialize;

use super::amount::{Bytes, Count};

/// What the table says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Signatures {
    max_bundles: Option<Count>,
    max_bundle_size: Option<Bytes>,
    max_total_size: Option<Bytes>,
}

impl Signatures {
    pub(super) fn overridden_by(self, later: Self) -> Self {
        Self {
            max_bundles: later.max_bundles.or(self.max_bundles),
            max_bundle_size: later.max_bundle_size.or(self.max_bundle_size),
            max_total_size: later.max_total_size.or(self.max_total_size),
        }
    }

    pub(super) fn limits(&self) -> BundleLimits {
        let default = BundleLimits::default();
        let bytes = |said: &Option<Bytes>, default: u64, most: u64| {
            said.as_ref().map_or(default, |said| said.0.min(most))
        };
        let count = self.max_bundles.as_ref().map_or(default.count, |said| {
            usize::try_from(said.0).map_or(MAX_BUNDLES, |said| said.min(MAX_BUNDLES))
        });
        BundleLimits {
            count,
            size: bytes(&self.max_bundle_size, default.size, MAX_BUNDLE),
            total: bytes(&self.max_total_size, default.total, MAX_TOTAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(text: &str) -> BundleLimits {
        toml::from_str::<Signatures>(text).unwrap().limits()
    }

    #[test]
    fn what_is_not_said_stays_and_nothing_grows_without_bound() {
        let default = BundleLimits::default();
        assert_eq!(limits(""), default);
        assert_eq!(
            limits("max-bundles = 3\nmax-total-size = \"128M\""),
            BundleLimits {
                count: 3,
                total: 128 << 20,
                ..default
            }
        );
        assert_eq!(
            limits("max-bundles = 1000000\nmax-bundle-size = \"1T\"\nmax-total-size = \"1T\""),
            BundleLimits {
                count: MAX_BUNDLES,
                size: MAX_BUNDLE,
                total: MAX_TOTAL,
            }
        );
    }
}
