//! One request and its answer: attempts, pauses, and what went wrong on the way.

use std::cell::Cell;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use ureq::Body;
use ureq::http::{Request, Response, Uri};

use super::answer::{retry_after, sanitize};
use super::client::{Client, Method, Payload};
use crate::error::StoreError;

/// Longest pause that a registry may ask for before it is told to the user instead.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// How often and with what pauses a transient failure is tried again.
#[derive(Debug, Clone)]
pub(super) struct Retry {
    /// Further attempts.
    pub(super) retries: u32,
    /// First pause; each next one is three times as long.
    pub(super) pause: Duration,
    /// Time that failures may cost in all.
    pub(super) limit: Duration,
    /// What they have cost.
    pub(super) spent: Cell<Duration>,
}

impl Retry {
    pub(super) fn new(retries: u32) -> Self {
        Self {
            retries,
            pause: Duration::from_millis(250),
            limit: Duration::from_secs(120),
            spent: Cell::default(),
        }
    }

    /// Pauses before the next attempt after `failures`; `false` if there shall be none. A registry
    /// that asks for more than can be waited for is not asked again.
    pub(super) fn pause(&self, failures: u32, asked: Option<Duration>) -> bool {
        let factor = 3_u32.saturating_pow(failures.saturating_sub(1));
        let pause = asked.unwrap_or_else(|| jitter(self.pause.saturating_mul(factor)));
        let spent = self.spent.get().saturating_add(pause);
        if failures > self.retries || pause > MAX_PAUSE || spent > self.limit {
            return false;
        }
        self.spent.set(spent);
        // The registry asked for it, or needs it: there is nothing to wait for but time.
        std::thread::sleep(pause);
        true
    }

    /// Counts the time since `begun` as lost.
    fn lost(&self, begun: Instant) {
        self.spent
            .set(self.spent.get().saturating_add(begun.elapsed()));
    }
}

/// Three to five quarters of a pause, so that many that failed at once don't come back at once.
fn jitter(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    pause.mul_f64(0.75 + f64::from(u32::try_from(random).unwrap_or(0)) / 2000.0)
}

impl Client {
    /// One request with exactly these headers; transient failures are tried again.
    pub(super) fn exchange(
        &self,
        method: Method,
        url: &Uri,
        headers: &[(&'static str, String)],
        payload: &Payload<'_>,
        action: &str,
    ) -> Result<Response<Body>, StoreError> {
        let mut failures = 0;
        loop {
            failures += 1;
            let begun = Instant::now();
            match self.once(method, url, headers, payload)? {
                Ok(response) => {
                    let transient = matches!(
                        response.status().as_u16(),
                        408 | 429 | 500 | 502 | 503 | 504
                    );
                    if !transient || !self.retry().pause(failures, retry_after(&response)) {
                        return Ok(response);
                    }
                }
                Err(error) => {
                    self.retry().lost(begun);
                    if !is_transient(&error) || !self.retry().pause(failures, None) {
                        return Err(self.broken(url, action, error));
                    }
                }
            }
        }
    }

    fn once(
        &self,
        method: Method,
        url: &Uri,
        headers: &[(&'static str, String)],
        payload: &Payload<'_>,
    ) -> Result<Result<Response<Body>, ureq::Error>, StoreError> {
        let mut request = Request::builder().uri(url).method(match method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
        });
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let agent = self.agents().of(url, self.endpoint().is_home(url))?;
        let empty: &[u8] = &[];
        let result = match payload {
            Payload::File(path) => {
                let file =
                    File::open(path).map_err(|error| StoreError::io("cannot open", path, error))?;
                request.body(file).map(|request| agent.run(request))
            }
            Payload::Bytes(bytes) => request.body(*bytes).map(|request| agent.run(request)),
            Payload::None if matches!(method, Method::Post | Method::Put) => {
                request.body(empty).map(|request| agent.run(request))
            }
            Payload::None => request.body(()).map(|request| agent.run(request)),
        };
        Ok(result.unwrap_or_else(|error| Err(ureq::Error::Http(error))))
    }

    fn broken(&self, url: &Uri, action: &str, error: ureq::Error) -> StoreError {
        let mut text = match error {
            ureq::Error::Io(error) => error.to_string(),
            error => error.to_string(),
        };
        let registry = self.endpoint().registry();
        if text.contains("InvalidContentType") {
            // What TLS says of a server that answers in plain text.
            return StoreError::PlainHttpRefused {
                registry: registry.to_owned(),
            };
        }
        if text.contains("UnknownIssuer") {
            text.push_str(&format!(
                "; if its authority is one of yours, name it by `ca` in registries.toml, or put it into /etc/containers/certs.d/{registry}"
            ));
        } else if text.contains("CertificateRequired") || text.contains("alert: BadCertificate") {
            // The words of TLS 1.3 and 1.2 for one that is missing or not the right one.
            text.push_str(
                "; the registry wants a certificate of this machine: `client-cert` and `client-key` in registries.toml",
            );
        }
        if !self.endpoint().is_home(url) {
            let host = url.host().unwrap_or_default();
            text = format!("{} (to which the registry sends): {text}", sanitize(host));
        }
        if let Some(proxy) = self.agents().proxy_of(url) {
            text = format!("{text} (through the proxy {proxy})");
        }
        self.network(action, text)
    }

    /// An error of the way to the registry.
    pub(super) fn network(&self, action: &str, reason: impl AsRef<str>) -> StoreError {
        StoreError::Network {
            registry: self.endpoint().registry().to_owned(),
            action: action.to_owned(),
            reason: sanitize_long(reason.as_ref()),
        }
    }
}

/// As [`sanitize`], for text that is mostly our own: each sentence may have its length.
fn sanitize_long(text: &str) -> String {
    text.split("; ")
        .map(sanitize)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Whether a connection that worked broke, or nothing came in time; a refused connection, a wrong
/// name or bad certificates stay.
fn is_transient(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Timeout(_) => true,
        ureq::Error::Io(error) => is_transient_io(error.kind()),
        _ => false,
    }
}

pub(super) fn is_transient_io(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::Interrupted
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_end_by_number_by_length_and_by_their_sum() {
        let retry = Retry {
            pause: Duration::ZERO,
            ..Retry::new(2)
        };
        assert!(retry.pause(1, None) && retry.pause(2, Some(Duration::ZERO)));
        assert!(!retry.pause(3, None));
        assert!(!retry.pause(1, Some(Duration::from_secs(3600))));
        retry.spent.set(retry.limit);
        assert!(retry.pause(1, None));
        assert!(!retry.pause(1, Some(Duration::from_millis(1))));
    }

    #[test]
    fn pauses_differ_within_bounds() {
        let pauses: Vec<_> = (0..100).map(|_| jitter(Duration::from_secs(4))).collect();
        let bounds = Duration::from_secs(3)..Duration::from_secs(5);
        assert!(pauses.iter().all(|pause| bounds.contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
