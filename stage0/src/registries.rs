//! What the configuration says of registries: `registries.toml`, local over the vendor's.
//!
//! ```toml
//! plain-http = ["registry.lan:5000"]
//! ```

use std::fs::File;
use std::io::Read;
use std::path::Path;

use image_store::FetchOptions;
use serde::Deserialize;

use crate::context::Context;
use crate::failure::Failure;

const FILE: &str = "registries.toml";
/// Largest configuration file, in bytes.
const FILE_MAX: u64 = 1 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Registries {
    /// Hosts (`HOST` or `HOST:PORT`) that may be spoken to without TLS; loopback always may.
    plain_http: Option<Vec<String>>,
}

/// How to fetch, by the configuration.
///
/// # Errors
/// If a configuration file can't be read or understood.
pub(crate) fn fetch_options(context: &Context) -> Result<FetchOptions, Failure> {
    let directories = &context.directories;
    let local = read(&directories.local_config.join(FILE))?;
    let system = read(&directories.system_config.join(FILE))?;
    Ok(FetchOptions {
        plain_http_hosts: local.plain_http.or(system.plain_http).unwrap_or_default(),
        ..FetchOptions::default()
    })
}

fn read(path: &Path) -> Result<Registries, Failure> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Registries::default());
        }
        Err(error) => return Err(Failure::io("open", path)(error)),
    };
    let mut text = String::new();
    file.take(FILE_MAX)
        .read_to_string(&mut text)
        .map_err(Failure::io("read", path))?;
    parse(&text).map_err(|reason| Failure::Other(format!("{}: {reason}", path.display())))
}

fn parse(text: &str) -> Result<Registries, String> {
    toml::from_str(text).map_err(|error| error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_tls_are_listed() {
        let registries = parse("plain-http = [\"r.lan:5000\"]").unwrap();
        assert_eq!(registries.plain_http, Some(vec!["r.lan:5000".to_owned()]));
        assert_eq!(parse("").unwrap().plain_http, None);
        assert!(parse("plain_http = []").is_err(), "a misspelt member");
    }
}
