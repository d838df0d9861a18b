//! Credentials: fairing's own (`auth.d`), then those that other tools have left or keep: `auth.json`,
//! docker's `config.json`, and the helper programs that these name.

mod auth_file;
mod docker_credential;
mod key;
mod known;
mod native;
mod replace;
mod sources;

pub(super) use auth_file::AuthFile;
pub(super) use docker_credential::Helper;
pub(super) use known::{Credentials, Known};
pub(super) use native::{LOGIN_FILE, erase as erase_native, store as store_native};
pub(super) use sources::Sources;

#[cfg(test)]
mod tests;
