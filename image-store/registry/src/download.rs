//! A small file of the web, such as a public key: read the way that registries are, with their
//! proxies and authorities, and without any credentials.

use image_name::Location;
use ureq::http::header::LOCATION;
use ureq::http::{Request, Uri};

use super::agent::Agents;
use super::answer::{DOCUMENT_TIME, Unread, header, read_body, sanitize};
use super::config::Registries;
use super::endpoint::resolve;
use crate::error::RegistryError;

/// Redirects in a row.
const MAX_REDIRECTS: usize = 5;

/// Reads the file at `url`, of at most `limit` bytes. Over TLS, and all the way; plain HTTP is spoken
/// only if `plain_http` says so, and never after TLS.
///
/// # Errors
/// [`RegistryError::PlainHttpRefused`]; [`RegistryError::Network`] if there is no such file, or it can't be
/// read or is larger.
pub fn download(
    url: &str,
    limit: u64,
    registries: &Registries,
    plain_http: bool,
) -> Result<Vec<u8>, RegistryError> {
    let wrong = |reason: &str| RegistryError::Network {
        registry: sanitize(url),
        action: "reading a file".to_owned(),
        reason: sanitize(reason),
        lack: None,
    };
    let mut at: Uri = url.parse().map_err(|_| wrong("it is not a URL"))?;
    let mut may_be_plain = plain_http;
    for _ in 0..=MAX_REDIRECTS {
        let authority = at.authority().map(|authority| authority.as_str());
        let authority = authority.filter(|authority| !authority.contains('@'));
        let authority = authority.ok_or_else(|| wrong("it names no host, or a user"))?;
        match at.scheme_str() {
            Some("https") => may_be_plain = false,
            Some("http") if may_be_plain => {}
            Some("http") => {
                return Err(RegistryError::PlainHttpRefused {
                    registry: sanitize(authority),
                });
            }
            _ => return Err(wrong("only https:// is read")),
        }
        let location = Location::parse(authority).map_err(|error| wrong(&error.to_string()))?;
        let place = registries.settings().place_of(&location);
        let agent = Agents::new(place, registries.clone()).of(&at, false)?;
        let request = Request::get(&at).body(());
        let request = request.map_err(|error| wrong(&error.to_string()))?;
        let request = agent.configure_request(request);
        let response = agent
            .run(request.timeout_recv_body(Some(DOCUMENT_TIME)).build())
            .map_err(|error| wrong(&error.to_string()))?;
        match response.status().as_u16() {
            200 => {
                return read_body(response.into_body(), limit).map_err(|unread| match unread {
                    Unread::TooLarge => wrong(&format!("it is larger than {limit} bytes")),
                    Unread::Broken(error) => wrong(&error.to_string()),
                });
            }
            301 | 302 | 303 | 307 | 308 => {
                let to = header(&response, LOCATION).unwrap_or_default();
                at = resolve(&at, to).ok_or_else(|| wrong("it redirects without a target"))?;
            }
            status => return Err(wrong(&format!("the server answered {status}"))),
        }
    }
    Err(wrong("it redirects too often"))
}
