mod hostile;
mod mirrors;
mod pull;
mod push;
mod redirects;
mod referrers;
mod resume;
mod upload;

use std::path::PathBuf;

use super::client::Client;
use super::*;
use crate::fixture::{Reply, Seen, Server, configure};
use image_document::media_type;
use image_layer::{ContentError, Limits, sha256};
use image_name::{Digest, Reference};

/// An origin for `path` at `server` that pauses for nothing and knows only these credentials.
fn origin(server: &Server, path: &str, credentials: Vec<PathBuf>) -> RegistryImage {
    let name = format!("{}/{path}", server.authority);
    configured(&name, "", credentials)
}

/// An origin for a reference, with this `registries.toml`.
fn configured(name: &str, config: &str, credentials: Vec<PathBuf>) -> RegistryImage {
    let reference = Reference::parse(name).unwrap();
    let registries = Registries::parse(config, "").unwrap();
    let limits = Limits::default();
    let mut origin = RegistryImage::connect(&reference, &registries, &limits).unwrap();
    for client in origin.places.all() {
        configure(client, credentials.clone());
    }
    origin
}

fn pusher(server: &Server, path: &str) -> Client {
    let reference = Reference::parse(&format!("{}/{path}", server.authority)).unwrap();
    let registries = Registries::default();
    let mut client = Client::new(&reference, client::Access::Push, &registries).unwrap();
    configure(&mut client, Vec::new());
    client
}

/// Reads a blob to its end.
fn read(origin: &mut RegistryImage, content: &[u8]) -> Result<Vec<u8>, RegistryError> {
    let mut bytes = Vec::new();
    origin
        .blob(&sha256(content), content.len() as u64)?
        .read_to_end(&mut bytes)
        .map_err(|error| RegistryError::from(ContentError::from_read("blob", error)))?;
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
