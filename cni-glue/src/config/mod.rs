//! Which networks there are, and which of them a pod joins.

mod error;
mod folders;
mod list;
mod selection;
mod version;

pub use error::ConfigError;
pub use folders::{ConfigFolder, Networks};
pub use list::{InvalidList, NetworkList, PluginConfig, Source};
pub use selection::{InvalidSelection, NetworkRequest, Selection};
pub use version::{SpecVersion, UnknownVersion};
