mod pull;
mod push;
mod referrers;
mod server;
mod upload;

use std::path::PathBuf;
use std::time::Duration;

use super::client::Retry;
use super::*;
use server::{Reply, Seen, Server};

/// An origin for `path` at `server` that pauses for nothing and knows only these credentials.
fn origin(server: &Server, path: &str, credentials: Vec<PathBuf>) -> RegistryOrigin {
    let reference = Reference::parse(&format!("{}/{path}", server.authority)).unwrap();
    let mut origin = RegistryOrigin::connect(&reference, &FetchOptions::default()).unwrap();
    configure(&mut origin.client, credentials);
    origin
}

fn pusher(server: &Server, path: &str) -> Client {
    let reference = Reference::parse(&format!("{}/{path}", server.authority)).unwrap();
    let mut client = Client::new(Endpoint::new(&reference, &[]), Access::Push);
    configure(&mut client, Vec::new());
    client
}

fn configure(client: &mut Client, credentials: Vec<PathBuf>) {
    client.configure(
        credentials,
        Retry {
            attempts: 3,
            pause: Duration::ZERO,
        },
    );
}

const MANIFEST: &[u8] = br#"{"schemaVersion":2,"config":{},"layers":[]}"#;

fn manifest() -> Reply {
    Reply::new(200, MANIFEST)
        .header("Content-Type", media_type::OCI_MANIFEST)
        .header("Docker-Content-Digest", sha256(MANIFEST).to_string())
}
