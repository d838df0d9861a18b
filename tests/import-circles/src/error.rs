//! What can go wrong with a look at a crate.

use std::path::PathBuf;

/// Why a crate can't be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file isn't Rust.
    #[error("{}:{}: {source}", path.display(), source.span().start().line)]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where, and what was found there.
        source: syn::Error,
    },
    /// A module is declared and has no file.
    #[error("{} declares the module {module}, which has no file", path.display())]
    NoFile {
        /// Where it is declared.
        path: PathBuf,
        /// Its name.
        module: String,
    },
    /// cargo doesn't tell the packages of the workspace.
    #[error("cargo metadata: {0}")]
    Metadata(String),
    /// A package was named that is not in the workspace.
    #[error("there is no package {0} in this workspace")]
    NoPackage(String),
}
