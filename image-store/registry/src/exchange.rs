//! One request and its answer: attempts, pauses, and what went wrong on the way.

use std::fs::File;
use std::time::{Duration, Instant};

use ureq::http::{Request, Response, Uri};
use ureq::{Agent, AsSendBody, Body};

use super::answer::{retry_after, sanitize};
use super::client::{Client, Method, Payload};
use super::retry::Retry;
use crate::error::{RegistryError, TlsLack};

impl Client {
    /// One request with exactly these headers; transient failures are tried again.
    pub(super) fn exchange(
        &self,
        method: Method,
        url: &Uri,
        headers: &[(&'static str, String)],
        payload: &Payload<'_>,
        action: &str,
        longest: Duration,
    ) -> Result<Response<Body>, RegistryError> {
        let mut failures = 0;
        loop {
            failures += 1;
            let begun = Instant::now();
            match self.once(method, url, headers, payload, longest)? {
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
                    // From who never spoke HTTP before, it is TLS or something else.
                    let garbled = self.answered() && matches!(error, ureq::Error::Protocol(_));
                    let transient = garbled || is_transient(&error, self.retry());
                    // Plain HTTP is tried before TLS is tried again.
                    let is_last = !self.answered() && self.endpoint().tries_tls();
                    if is_last || !transient || !self.retry().pause(failures, None) {
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
        longest: Duration,
    ) -> Result<Result<Response<Body>, ureq::Error>, RegistryError> {
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
        let run = Run { agent, longest };
        let result = match payload {
            Payload::File(path) => {
                let file = File::open(path)
                    .map_err(|error| RegistryError::io("cannot open", path, error))?;
                request.body(file).map(|request| run.request(request))
            }
            Payload::Bytes(bytes) => request.body(*bytes).map(|request| run.request(request)),
            Payload::None if matches!(method, Method::Post | Method::Put) => {
                request.body(empty).map(|request| run.request(request))
            }
            Payload::None => request.body(()).map(|request| run.request(request)),
        };
        Ok(result.unwrap_or_else(|error| Err(ureq::Error::Http(error))))
    }

    fn broken(&self, url: &Uri, action: &str, error: ureq::Error) -> RegistryError {
        let mut text = match error {
            ureq::Error::Io(error) => error.to_string(),
            error => error.to_string(),
        };
        let registry = self.endpoint().registry();
        if text.contains("InvalidContentType") {
            // What TLS says of a server that answers in plain text.
            return RegistryError::PlainHttpRefused {
                registry: registry.to_owned(),
            };
        }
        let lack = if text.contains("UnknownIssuer") {
            Some(TlsLack::Authority)
        } else if text.contains("CertificateRequired") || text.contains("alert: BadCertificate") {
            // The words of TLS 1.3 and 1.2 for one that is missing or not the right one.
            Some(TlsLack::ClientCertificate)
        } else {
            None
        };
        if !self.endpoint().is_home(url) {
            let host = url.host().unwrap_or_default();
            text = format!(
                "{} (to which the registry redirects): {text}",
                sanitize(host)
            );
        }
        if let Some(proxy) = self.agents().proxy_of(url) {
            text = format!("{text} (through the proxy {proxy})");
        }
        match self.network(action, text) {
            RegistryError::Network {
                registry,
                action,
                reason,
                ..
            } => RegistryError::Network {
                registry,
                action,
                reason,
                lack,
            },
            other => other,
        }
    }

    /// An error of the way to the registry.
    pub(super) fn network(&self, action: &str, reason: impl AsRef<str>) -> RegistryError {
        RegistryError::Network {
            registry: self.endpoint().registry().to_owned(),
            action: action.to_owned(),
            reason: sanitize_long(reason.as_ref()),
            lack: None,
        }
    }
}

/// Sends requests whose answers have to be there after some time. What goes on for ever without a byte of the
/// document, such as the trailers of its last chunk, stalls nothing and ends nothing by itself.
struct Run {
    agent: Agent,
    longest: Duration,
}

impl Run {
    fn request(&self, request: Request<impl AsSendBody>) -> Result<Response<Body>, ureq::Error> {
        let request = self.agent.configure_request(request);
        self.agent
            .run(request.timeout_recv_body(Some(self.longest)).build())
    }
}

/// As [`sanitize`], for text that is mostly our own: each sentence may have its length.
fn sanitize_long(text: &str) -> String {
    text.split("; ")
        .map(sanitize)
        .collect::<Vec<_>>()
        .join("; ")
}

/// Whether a connection that worked broke, or nothing came in time; a wrong name and bad certificates stay, and a refused
/// connection unless it is waited for.
fn is_transient(error: &ureq::Error, retry: &Retry) -> bool {
    match error {
        ureq::Error::Timeout(_) => true,
        ureq::Error::Io(error) => retry.waits_for(error),
        _ => false,
    }
}
