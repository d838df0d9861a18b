//! How to fetch.

use image_document::Platform;
use image_document::referrer::BundleLimits;
use image_layer::Limits;
use image_name::Reference;
use image_registry::Registries;

use crate::convert::ImageSettings;
use crate::interrupt::Interrupt;

/// Which Sigstore bundles may count for whoever asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedBundles {
    /// The predicate types of statements that are asked for.
    pub predicate_types: Vec<String>,
    /// What bundles call the keys that are trusted; none where no key is.
    pub key_hints: Vec<String>,
    /// How many are taken, and how large.
    pub limits: BundleLimits,
}

/// How to fetch.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Which member of an index to take.
    pub platform: Platform,
    /// What is configured of registries.
    pub registries: Registries,
    /// What is too much.
    pub limits: Limits,
    /// The name under which the image goes into the store, instead of the one that the source has.
    pub name: Option<Reference>,
    /// Whether compressed layers stay in the store, so that an export or push is exact.
    pub keep_layers: bool,
    /// Which Sigstore bundles matter, where there are many.
    pub wanted: WantedBundles,
    /// To stop the transfer of layers.
    pub interrupt: Interrupt,
    /// How to run what is in a root filesystem that becomes an image.
    pub settings: ImageSettings,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            platform: Platform::host(),
            registries: Registries::default(),
            limits: Limits::default(),
            name: None,
            keep_layers: true,
            wanted: WantedBundles::default(),
            interrupt: Interrupt::default(),
            settings: ImageSettings::default(),
        }
    }
}
