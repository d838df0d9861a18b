mod mirrors;
mod pull;
mod push;
mod redirects;
mod referrers;
mod resume;
mod server;
mod upload;

use std::path::PathBuf;
use std::time::Duration;

use super::client::Client;
use super::retry::Retry;
use super::*;
use crate::error::StoreError;
use crate::media_type;
use crate::options::{FetchOptions, WantedBundles};
use crate::origin::Origin;
use image_layer::sha256;
use image_name::{Digest, Reference};
use server::{Reply, Seen, Server};

/// An origin for `path` at `server` that pauses for nothing and knows only these credentials.
fn origin(server: &Server, path: &str, credentials: Vec<PathBuf>) -> RegistryOrigin {
    let name = format!("{}/{path}", server.authority);
    configured(&name, "", credentials)
}

/// An origin for a reference, with this `registries.toml`.
fn configured(name: &str, config: &str, credentials: Vec<PathBuf>) -> RegistryOrigin {
    let reference = Reference::parse(name).unwrap();
    let options = FetchOptions {
        registries: Registries::parse(config, "").unwrap(),
        ..FetchOptions::default()
    };
    let mut origin = RegistryOrigin::connect(&reference, &options).unwrap();
    for client in origin.places.all() {
        configure(client, credentials.clone());
    }
    origin
}

fn pusher(server: &Server, path: &str) -> Client {
    let reference = Reference::parse(&format!("{}/{path}", server.authority)).unwrap();
    let options = FetchOptions::default();
    let mut client = Client::new(&reference, client::Access::Push, &options).unwrap();
    configure(&mut client, Vec::new());
    client
}

fn configure(client: &mut Client, credentials: Vec<PathBuf>) {
    client.configure(
        credentials,
        Retry {
            pause: Duration::ZERO,
            ..Retry::new(2)
        },
    );
}

/// Reads a blob to its end.
fn read(origin: &mut RegistryOrigin, content: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    origin
        .blob(&sha256(content), content.len() as u64)?
        .read_to_end(&mut bytes)
        .map_err(|error| StoreError::from_read("blob", error))?;
    Ok(bytes)
}

const MANIFEST: &[u8] = br#"{"schemaVersion":2,"config":{},"layers":[]}"#;

/// A file with user and password for these registries.
fn credentials(folder: &std::path::Path, registries: &[&str]) -> PathBuf {
    let entries: Vec<_> = registries
        .iter()
        .map(|registry| format!(r#""{registry}":{{"auth":"dXNlcjpwYXNz"}}"#))
        .collect();
    let path = folder.join("auth.json");
    std::fs::write(&path, format!(r#"{{"auths":{{{}}}}}"#, entries.join(","))).unwrap();
    path
}

fn manifest() -> Reply {
    Reply::new(200, MANIFEST)
        .header("Content-Type", media_type::OCI_MANIFEST)
        .header("Docker-Content-Digest", sha256(MANIFEST).to_string())
}
