//! The keys of others' files of credentials.

use image_name::{DOCKER_HUB, Location, Prefix};

/// `https://index.docker.io/v1/` as `docker.io`, and the like: the keys of others' files.
pub(super) fn canonical_key(key: &str) -> String {
    let key = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let key = key.trim_end_matches('/');
    let key = key
        .strip_suffix("/v1")
        .or_else(|| key.strip_suffix("/v2"))
        .unwrap_or(key);
    let (host, path) = match key.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (key, None),
    };
    let mut host = host.to_ascii_lowercase();
    if matches!(host.as_str(), "index.docker.io" | "registry-1.docker.io") {
        host = DOCKER_HUB.to_owned();
    }
    path.map_or_else(|| host.clone(), |path| format!("{host}/{path}"))
}

/// What a key of others' files is for. One that names no place is for none.
pub(super) fn prefix_of_key(key: &str) -> Option<Prefix> {
    let location = Location::parse(&canonical_key(key)).ok()?;
    Some(Prefix::from(&location))
}
