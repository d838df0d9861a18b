//! What a registry answers: read with a cap, shown without its control characters.

use std::io::{self, Read};
use std::time::{Duration, SystemTime};

use image_document::go_json;
use serde::Deserialize;
use ureq::Body;
use ureq::http::Response;
use ureq::http::header::{DATE, HeaderName, RETRY_AFTER};

use super::http_date;

use crate::error::{OwnCredentials, RegistryError};

/// Bytes of an error body that are looked at, and of its text that are shown.
const MAX_ERROR_BODY: u64 = 8 << 10;
const MAX_SHOWN: usize = 200;

/// Longest time for a document: one that drips in holds nothing up for ever.
pub(super) const DOCUMENT_TIME: Duration = Duration::from_secs(300);

/// A header as text, where it is visible ASCII.
pub(super) fn header(response: &Response<Body>, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// Why a body could not be read.
pub(super) enum Unread {
    /// It has more bytes than it may have.
    TooLarge,
    /// It broke off, or did not go on.
    Broken(io::Error),
}

/// Reads the body of a document, of at most `limit` bytes. It was asked for with [`DOCUMENT_TIME`].
pub(super) fn read_body(body: Body, limit: u64) -> Result<Vec<u8>, Unread> {
    if body.content_length().is_some_and(|length| length > limit) {
        return Err(Unread::TooLarge);
    }
    let mut bytes = Vec::new();
    let mut reader = body.into_reader().take(limit.saturating_add(1));
    let mut buffer = [0; 16 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_out_of_time(&error) => {
                let slow = "not all of it arrived in time";
                return Err(Unread::Broken(io::Error::other(slow)));
            }
            Err(error) => return Err(Unread::Broken(error)),
        }
    }
    if bytes.len() as u64 > limit {
        return Err(Unread::TooLarge);
    }
    Ok(bytes)
}

/// Whether a body took longer than it may in all, however much of it came.
fn is_out_of_time(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(ureq::Error::Timeout(ureq::Timeout::RecvBody)))
}

/// A response without success, with the beginning of its body.
pub(super) struct Failure {
    status: u16,
    is_text: bool,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// A longer pause is asked for by mistake.
const LONGEST_ASKED: Duration = Duration::from_secs(7 * 24 * 3600);

/// The pause that a registry asks for: seconds, or a date, which is compared with the registry's own
/// clock where it tells the time.
pub(super) fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let asked = header(response, RETRY_AFTER)?.trim();
    let is_meant = |pause: &Duration| *pause <= LONGEST_ASKED;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds)).filter(is_meant);
    }
    let now = header(response, DATE).and_then(http_date::parse);
    let now = now.unwrap_or_else(SystemTime::now);
    let until = http_date::parse(asked)?;
    Some(until.duration_since(now).unwrap_or_default()).filter(is_meant)
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
        let retry_after = retry_after(&response);
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
            retry_after,
            body,
        }
    }

    /// Whether it is what Go and nginx answer to plain HTTP on a TLS port.
    pub(super) fn wants_tls(&self) -> bool {
        self.status == 400 && self.body.windows(5).any(|word| word == b"HTTPS")
    }

    pub(super) fn into_error(self, registry: &str, action: &str) -> RegistryError {
        self.into_error_with(registry, action, OwnCredentials::Unknown)
    }

    /// As [`Failure::into_error`]; `credentials` are those that it was shown.
    pub(super) fn into_error_with(
        self,
        registry: &str,
        action: &str,
        credentials: OwnCredentials,
    ) -> RegistryError {
        let (registry, action) = (registry.to_owned(), action.to_owned());
        let message = self.message();
        // Docker Hub says so with other statuses too.
        if self.status == 429 || message.to_ascii_uppercase().starts_with("TOOMANYREQUESTS") {
            return RegistryError::RateLimited {
                registry,
                action,
                message,
                retry_after: self.retry_after.map(|pause| pause.as_secs()),
            };
        }
        match self.status {
            401 | 403 => RegistryError::Unauthorized {
                registry,
                action,
                message,
                credentials,
            },
            status => RegistryError::Status {
                registry,
                action,
                status,
                message,
            },
        }
    }

    /// What the body says, as one short line.
    fn message(&self) -> String {
        match go_json::from_slice::<Errors>(&self.body) {
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
