//! What is no image yet, made into one: appc images (ACI), root tars and root directories. Each becomes
//! an image of one layer. The same bytes, or the same directory, always give the same image. And what an
//! app has changed of its image: one layer more.

mod aci;
mod aci_manifest;
mod commit;
mod config_change;
mod folder;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod layer_file;
mod origin;
mod platform;
mod root_tar;
mod settings;
#[cfg(test)]
mod tests;

pub use commit::{Commit, StagedCommit};
pub use config_change::ConfigChange;
pub(crate) use origin::ConvertedOrigin;
pub use settings::ImageSettings;
