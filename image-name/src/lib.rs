//! Names of images: what users type, rules match and signatures bind.
//!
//! | type | what it is |
//! |---|---|
//! | [`Reference`] | an image: a repository, with a tag, a digest or both |
//! | [`Repository`] | `HOST[:PORT]/PATH`, with nothing left out |
//! | [`Location`] | a registry, or a part of one: `HOST[:PORT][/PATH]` |
//! | [`Prefix`] | which names a rule is for, and how specific that is |
//! | [`Digest`] | `sha256:HEX` |
//!
//! Each is parsed strictly and held in canonical form: two spellings of one name are equal values, and
//! the text of a value parses to that value again. There is one grammar of hosts, paths and tags, and
//! one matcher of prefixes. The crate is pure: it opens nothing and knows no configuration.

mod digest;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod grammar;
mod location;
mod named;
mod prefix;
#[cfg(test)]
mod properties;
mod reference;
mod repository;

pub use digest::Digest;
pub use error::NameError;
pub use grammar::{DEFAULT_TAG, DOCKER_HUB, MAX_REPOSITORY};
pub use location::Location;
pub use named::Named;
pub use prefix::{Prefix, Specificity};
pub use reference::Reference;
pub use repository::Repository;
