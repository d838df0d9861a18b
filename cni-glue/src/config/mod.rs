//! Which networks there are, and which of them a pod joins.

mod folders;
mod list;
mod selection;
mod version;

pub use folders::{ConfigError, ConfigFolder, Networks};
pub use list::{InvalidList, NetworkList, PluginConfig, Source};
pub use selection::{InvalidSelection, NetworkRequest, Selection};
pub use version::{SpecVersion, UnknownVersion};
