//! What a registry answers: read with a cap, shown without its control characters.

use std::io::Read;

use serde::Deserialize;
use ureq::Body;
use ureq::http::Response;
use ureq::http::header::HeaderName;

use crate::error::StoreError;

/// Bytes of an error body that are looked at, and of its text that are shown.
const MAX_ERROR_BODY: u64 = 8 << 10;
const MAX_SHOWN: usize = 200;

/// A header as text, where it is visible ASCII.
pub(super) fn header(response: &Response<Body>, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// Reads a body of at most `limit` bytes.
pub(super) fn read_body(
    response: Response<Body>,
    what: &str,
    limit: u64,
) -> Result<Vec<u8>, StoreError> {
    let too_large = || StoreError::LimitExceeded {
        what: what.to_owned(),
        limit: format!("{limit} bytes"),
    };
    let body = response.into_body();
    if body.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    body.into_reader()
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| StoreError::from_read(what, error))?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

/// The error that a response without success stands for.
pub(super) fn failure(registry: &str, action: &str, response: Response<Body>) -> StoreError {
    Failure::read(response).into_error(registry, action)
}

/// A response without success, with the beginning of its body.
pub(super) struct Failure {
    status: u16,
    is_text: bool,
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<Item>,
    /// What token servers write instead.
    #[serde(default)]
    details: String,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Failure {
    pub(super) fn read(response: Response<Body>) -> Self {
        let status = response.status().as_u16();
        let is_text = header(&response, ureq::http::header::CONTENT_TYPE)
            .is_none_or(|media_type| media_type.starts_with("text/plain"));
        let mut body = Vec::new();
        // What could be read before an error is still the best that is known.
        let _ = response
            .into_body()
            .into_reader()
            .take(MAX_ERROR_BODY)
            .read_to_end(&mut body);
        Self {
            status,
            is_text,
            body,
        }
    }

    /// Whether it is what Go and nginx answer to plain HTTP on a TLS port.
    pub(super) fn wants_tls(&self) -> bool {
        self.status == 400 && self.body.windows(5).any(|word| word == b"HTTPS")
    }

    pub(super) fn into_error(self, registry: &str, action: &str) -> StoreError {
        let (registry, action) = (registry.to_owned(), action.to_owned());
        let mut message = self.message();
        match self.status {
            401 | 403 => StoreError::Unauthorized {
                registry,
                action,
                message,
            },
            status => {
                if status == 429 && message.is_empty() {
                    message =
                        "the registry limits the rate of requests; try again later".to_owned();
                }
                StoreError::Registry {
                    registry,
                    action,
                    status,
                    message,
                }
            }
        }
    }

    /// What the body says, as one short line.
    fn message(&self) -> String {
        match serde_json::from_slice::<Errors>(&self.body) {
            Ok(found) => match found.errors.first() {
                Some(Item { code, message }) if message.is_empty() => sanitize(code),
                Some(Item { code, message }) if code.is_empty() => sanitize(message),
                Some(Item { code, message }) => sanitize(&format!("{code}: {message}")),
                None => sanitize(&found.details),
            },
            Err(_) if self.is_text => sanitize(&String::from_utf8_lossy(&self.body)),
            Err(_) => String::new(),
        }
    }
}

/// Text of a stranger on one line: no control characters, nothing that turns the direction of
/// writing, at most 200 bytes.
pub(super) fn sanitize(text: &str) -> String {
    let mut clean = String::new();
    for word in text.split(|c: char| c.is_control() || c.is_whitespace()) {
        let word: String = word
            .chars()
            .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
            .collect();
        if word.is_empty() {
            continue;
        }
        if !clean.is_empty() {
            clean.push(' ');
        }
        clean.push_str(&word);
        if clean.len() > MAX_SHOWN {
            clean.truncate(clean.floor_char_boundary(MAX_SHOWN));
            break;
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_text_stays_one_harmless_line() {
        assert_eq!(sanitize("a\u{1b}[31mb\r\n c\u{202e}d"), "a [31mb cd");
        assert_eq!(sanitize(&"é".repeat(500)).len(), 200);
        assert_eq!(sanitize("\0\n\t"), "");
    }
}
