//! How images are copied, and what came of it.

use image_document::{Plan, Platform};
use image_name::Digest;

use crate::options::FetchOptions;

/// What of an image is copied, and how registries are spoken to.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// One platform of an index instead of all.
    pub platform: Option<Platform>,
    /// Whether signatures and other artifacts that refer to the image go along.
    pub signatures: bool,
    /// How to speak to registries, and what is too much. Its platform and name are not looked at.
    pub access: FetchOptions,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            platform: None,
            signatures: true,
            access: FetchOptions::default(),
        }
    }
}

/// What a copy, push or export did.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Digest of the index or manifest, the same at both ends. A docker archive has none.
    pub digest: Digest,
    /// What was left out, a line each; a bounded number.
    pub notes: Vec<String>,
}

impl Copied {
    pub(super) fn of(plan: Plan) -> Self {
        Self {
            digest: plan.top.digest,
            notes: plan.notes,
        }
    }
}
