//! Registries: the pull and push sides of OCI distribution 1.1 and of Docker's registry API v2.
//!
//! Everything a registry answers is taken as hostile: bodies have caps, text that is shown is
//! stripped, redirects never carry credentials to another host nor lead from TLS to plain HTTP.
//! Nothing here verifies a blob: the caller hashes what it reads.

mod agent;
mod answer;
mod authentication;
mod blob;
mod challenge;
mod client;
mod config;
mod credentials;
mod download;
mod endpoint;
mod environment;
mod error;
mod exchange;
#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod http_date;
mod image;
mod login;
mod login_text;
mod manifests;
mod mirrors;
mod proxy;
mod push;
mod referrers;
mod retry;
mod retrying;
mod tls;
mod token;
mod upload;
mod wait;

pub use config::{ConfigFolders, Registries};
pub use download::download;
pub use environment::Environment;
pub use error::{OwnCredentials, RegistryError, TlsLack};
pub use image::{RegistryImage, ask, resolve};
pub use login::{Keep, Scope, check_login, forget_login, keep_login, known_user};
pub use login_text::Login;
pub use push::{push_bundle, push_signature};
pub use retrying::Retrying;
pub use upload::{BlobSource, upload};
pub use wait::{Wait, WaitListener};

#[cfg(test)]
mod tests;
