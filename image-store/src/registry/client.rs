//! One conversation with one repository: authentication, redirects and retries.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Body;
use ureq::http::header::{HeaderMap, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use ureq::http::{Request, Response, Uri};

use super::agent::Agents;
use super::answer::{Failure, header, sanitize};
use super::challenge::{self, Challenge};
use super::credentials::{self, Credentials};
use super::endpoint::{Endpoint, resolve};
use super::token;
use crate::error::StoreError;

/// Redirects in a row.
const MAX_REDIRECTS: usize = 5;

/// Longest pause that a registry may ask for before it is told to the user instead.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Bytes of an answer that are read only to keep the connection.
const MAX_DRAIN: u64 = 8 << 10;

/// The methods that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Post,
    Put,
}

/// What a request carries; it can be sent again.
#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    /// Nothing.
    None,
    /// These bytes.
    Bytes(&'a [u8]),
    /// The content of a file.
    File(&'a Path),
}

/// What the token must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// To read.
    Pull,
    /// To read and write.
    Push,
}

/// How often and with what pauses a transient failure is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retry {
    /// Requests in all.
    pub(super) attempts: u32,
    /// First pause; each next one is three times as long.
    pub(super) pause: Duration,
}

/// A request to the registry, before authentication.
#[derive(Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: Uri,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) payload: Payload<'a>,
    /// What is done, for messages: "reading manifest latest".
    pub(super) action: String,
}

/// A client for one repository of one registry.
pub(super) struct Client {
    endpoint: Endpoint,
    access: Access,
    agents: Agents,
    retry: Retry,
    credential_files: Option<Vec<PathBuf>>,
    authorization: Option<String>,
    answered: bool,
}

impl Client {
    pub(super) fn new(endpoint: Endpoint, access: Access) -> Self {
        Self {
            endpoint,
            access,
            agents: Agents::default(),
            retry: Retry {
                attempts: 3,
                pause: Duration::from_millis(200),
            },
            credential_files: None,
            authorization: None,
            answered: false,
        }
    }

    /// Other credential files than the usual ones, and other retries.
    #[cfg(test)]
    pub(super) fn configure(&mut self, files: Vec<PathBuf>, retry: Retry) {
        self.credential_files = Some(files);
        self.retry = retry;
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The URL of `suffix` in the repository.
    pub(super) fn url(&self, suffix: &str) -> Result<Uri, StoreError> {
        self.endpoint
            .url(suffix)
            .ok_or_else(|| StoreError::InvalidReference {
                reference: format!("{}/{}", self.endpoint.registry, self.endpoint.path),
                reason: "no URL can be made of it".to_owned(),
            })
    }

    /// Sends a request to the registry and gives the answer to it, whatever its status: after
    /// authentication, redirects and, for what is transient, further attempts.
    pub(super) fn send(&mut self, ask: &Ask<'_>) -> Result<Response<Body>, StoreError> {
        let mut challenged = false;
        loop {
            let response = self.follow(ask)?;
            if !self.answered && self.endpoint.is_plain() && response.status() == 400 {
                return self.send_over_tls(ask, response);
            }
            self.answered = true;
            if response.status() != 401 || challenged {
                return Ok(response);
            }
            // Once: what comes back after that is the registry's last word.
            challenged = true;
            match self.authenticate(response.headers())? {
                Some(authorization) => self.authorization = Some(authorization),
                None => return Ok(response),
            }
            // Reading the rest lets the connection serve the next request as well.
            let rest = &mut response.into_body().into_reader().take(MAX_DRAIN);
            let _ = std::io::copy(rest, &mut std::io::sink());
        }
    }

    /// Goes over to TLS if `response` to plain HTTP is that of a TLS port; to HEAD such a port
    /// answers without words, so it is tried. Nothing secret was sent before.
    fn send_over_tls(
        &mut self,
        ask: &Ask<'_>,
        response: Response<Body>,
    ) -> Result<Response<Body>, StoreError> {
        let failure = Failure::read(response);
        let wants_tls = ask.method == Method::Head || failure.wants_tls();
        let error = failure.into_error(&self.endpoint.registry, &ask.action);
        if !wants_tls {
            return Err(error);
        }
        self.endpoint.use_tls();
        let path = ask.url.path_and_query().map_or("", |path| path.as_str());
        let home = self.endpoint.url("");
        let url = home.and_then(|home| resolve(&home, path)).ok_or(error)?;
        self.send(&Ask { url, ..ask.clone() })
    }

    /// The header that answers the challenge; `None` if there is nothing to answer it with.
    fn authenticate(&self, headers: &HeaderMap) -> Result<Option<String>, StoreError> {
        let headers = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let Some(challenge) = challenge::choose(headers) else {
            return Ok(None);
        };
        let Endpoint { registry, path, .. } = &self.endpoint;
        let default_files;
        let files = match &self.credential_files {
            Some(files) => files,
            None => {
                default_files = credentials::default_files();
                &default_files
            }
        };
        let known = credentials::find(files, &format!("{registry}/{path}"))?;
        Ok(match (challenge, known) {
            (_, Some(Credentials::Bearer(token))) => Some(format!("Bearer {token}")),
            (Challenge::Bearer { realm, service }, known) => {
                // The scope is always made here: a registry has no say in what a token allows.
                let actions = match self.access {
                    Access::Pull => "pull",
                    Access::Push => "pull,push",
                };
                let scope = format!("repository:{path}:{actions}");
                let service = service.as_deref();
                let token = token::fetch(self, &realm, service, &scope, known.as_ref())?;
                Some(format!("Bearer {token}"))
            }
            (Challenge::Basic, Some(Credentials::Basic(basic))) => Some(format!("Basic {basic}")),
            (Challenge::Basic, _) => None,
        })
    }

    /// Sends with what authorization there is, and follows redirects of reads.
    fn follow(&self, ask: &Ask<'_>) -> Result<Response<Body>, StoreError> {
        let mut url = ask.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut headers = ask.headers.clone();
            if let Some(authorization) = &self.authorization
                && self.endpoint.is_home(&url)
            {
                headers.push(("authorization", authorization.clone()));
            }
            let response = self.exchange(ask.method, &url, &headers, &ask.payload, &ask.action)?;
            let moved = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            if !moved || !matches!(ask.method, Method::Get | Method::Head) {
                return Ok(response);
            }
            let location = header(&response, LOCATION).unwrap_or_default();
            url = resolve(&url, location)
                .filter(|url| self.endpoint.may_follow(url))
                .ok_or_else(|| {
                    self.network(
                        &ask.action,
                        format!("refused a redirect to {:?}", sanitize(location)),
                    )
                })?;
        }
        Err(self.network(&ask.action, format!("more than {MAX_REDIRECTS} redirects")))
    }

    /// One request with exactly these headers; transient failures are tried again.
    pub(super) fn exchange(
        &self,
        method: Method,
        url: &Uri,
        headers: &[(&'static str, String)],
        payload: &Payload<'_>,
        action: &str,
    ) -> Result<Response<Body>, StoreError> {
        let mut pause = self.retry.pause;
        let mut attempt = 1;
        loop {
            let last = attempt >= self.retry.attempts;
            match self.once(method, url, headers, payload)? {
                Ok(response) => {
                    let wait = retry_after(&response).unwrap_or(pause);
                    let transient = matches!(
                        response.status().as_u16(),
                        408 | 429 | 500 | 502 | 503 | 504
                    );
                    if last || !transient || wait > MAX_PAUSE {
                        return Ok(response);
                    }
                    std::thread::sleep(wait);
                }
                Err(error) if last || !is_transient(&error) => {
                    return Err(self.broken(action, error));
                }
                Err(_) => std::thread::sleep(pause),
            }
            pause *= 3;
            attempt += 1;
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
        let agent = self.agents.of(url);
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

    fn broken(&self, action: &str, error: ureq::Error) -> StoreError {
        let text = match error {
            ureq::Error::Io(error) => error.to_string(),
            error => error.to_string(),
        };
        if text.contains("InvalidContentType") {
            // What TLS says of a server that answers in plain text.
            return StoreError::PlainHttpRefused {
                registry: self.endpoint.registry.clone(),
            };
        }
        self.network(action, text)
    }

    /// An error of the way to the registry.
    pub(super) fn network(&self, action: &str, reason: impl AsRef<str>) -> StoreError {
        StoreError::Network {
            registry: self.endpoint.registry.clone(),
            action: action.to_owned(),
            reason: sanitize(reason.as_ref()),
        }
    }
}

/// The pause that the registry asks for, in whole seconds (a date is taken as none).
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    header(response, RETRY_AFTER)?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// Whether a connection that worked broke; a refused one, a wrong name or bad certificates stay.
fn is_transient(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(error) if matches!(
        error.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::Interrupted
    ))
}
