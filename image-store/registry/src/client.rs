//! One conversation with one repository: authentication and redirects.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use image_layer::ContentError;
use image_name::Reference;
use ureq::Body;
use ureq::http::header::{HeaderMap, LOCATION};
use ureq::http::{Response, Uri};

use super::agent::Agents;
use super::answer::{Failure, Unread, header, read_body, sanitize};
use super::config::{Place, Purpose, Registries};
use super::credentials::{Credentials, Sources};
use super::endpoint::{Endpoint, resolve};
use super::retry::{Retry, is_transient_io};
use crate::error::{OwnCredentials, RegistryError};

/// Redirects in a row.
const MAX_REDIRECTS: usize = 10;

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

/// Where credentials come from.
pub(super) enum CredentialSource {
    /// They are looked for when the registry asks.
    Lookup(Sources),
    /// These and no others.
    Given(Credentials),
}

/// A request to the registry, before authentication.
#[derive(Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: Uri,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) payload: Payload<'a>,
    /// What is done, for messages: "reading manifest latest of team/app".
    pub(super) action: String,
    /// The longest time for the body of the answer.
    pub(super) longest: Duration,
}

/// What comes back where a document was asked for.
pub(super) enum Document {
    /// The document, and what the registry says of it.
    Whole(HeaderMap, Vec<u8>),
    /// An answer without success.
    Other(Response<Body>),
}

/// A client for one repository of one registry.
pub(super) struct Client {
    pub(super) endpoint: Endpoint,
    /// The tag that stands at this place for the one that is asked for.
    tag: Option<String>,
    pub(super) access: Access,
    agents: Agents,
    retry: Retry,
    pub(super) credentials: CredentialSource,
    authorization: Option<String>,
    /// Where the credentials are from that are behind the authorization.
    pub(super) credentials_from: Option<String>,
    answered: bool,
    /// The registry answered that it has no API for referrers: it isn't asked again.
    pub(super) lists_by_tag: bool,
}

impl Client {
    /// A client for the place itself that `reference` names, never for a mirror.
    pub(super) fn new(
        reference: &Reference,
        access: Access,
        registries: &Registries,
    ) -> Result<Self, RegistryError> {
        let places = registries.settings().places(reference, Purpose::Write)?;
        let place =
            places
                .into_iter()
                .next_back()
                .ok_or_else(|| RegistryError::InvalidReference {
                    reference: reference.to_string(),
                    reason: "it is nowhere".to_owned(),
                })?;
        Ok(Self::at(place, access, registries))
    }

    /// A client for a place.
    pub(super) fn at(place: Place, access: Access, registries: &Registries) -> Self {
        let settings = registries.settings();
        let plain_hosts = settings.plain_http.as_deref().unwrap_or_default();
        let endpoint = Endpoint::new(&place, plain_hosts);
        let retry = Retry::new(settings.transfer.retries()).by(settings.retrying());
        Self {
            retry: retry.telling(settings.environment.waits(), endpoint.registry()),
            endpoint,
            tag: place.tag.clone(),
            access,
            agents: Agents::new(place, registries.clone()),
            credentials: CredentialSource::Lookup(settings.credentials()),
            authorization: None,
            credentials_from: None,
            answered: false,
            lists_by_tag: false,
        }
    }

    /// Uses these credentials and no others.
    pub(super) fn with(mut self, credentials: Credentials) -> Self {
        self.credentials = CredentialSource::Given(credentials);
        self
    }

    /// Other credential files than the usual ones, and other retries.
    #[cfg(any(test, feature = "fixture"))]
    pub(super) fn configure(&mut self, files: Vec<std::path::PathBuf>, retry: Retry) {
        self.credentials = CredentialSource::Lookup(Sources {
            files,
            ..Sources::default()
        });
        self.retry = retry;
    }

    /// Whether the registry wanted to know who asks.
    pub(super) fn was_asked(&self) -> bool {
        self.credentials_from.is_some()
    }

    /// What this place calls the image that its name calls `tag`.
    pub(super) fn tag_for<'a>(&'a self, tag: &'a str) -> &'a str {
        self.tag.as_deref().unwrap_or(tag)
    }

    /// Whether the registry has answered before.
    pub(super) fn answered(&self) -> bool {
        self.answered
    }

    pub(super) fn agents(&self) -> &Agents {
        &self.agents
    }

    pub(super) fn retry(&self) -> &Retry {
        &self.retry
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The URL of `suffix` in the repository.
    pub(super) fn url(&self, suffix: &str) -> Result<Uri, RegistryError> {
        self.endpoint
            .url(suffix)
            .ok_or_else(|| RegistryError::InvalidReference {
                reference: self.endpoint.location().to_string(),
                reason: "no URL can be made of it".to_owned(),
            })
    }

    /// Sends a request to the registry and gives the answer to it, whatever its status: after
    /// authentication, redirects and, for what is transient, further attempts.
    pub(super) fn send(&mut self, ask: &Ask<'_>) -> Result<Response<Body>, RegistryError> {
        let mut challenged = false;
        loop {
            let (response, at_home) = match self.follow(ask) {
                Ok(answer) => answer,
                Err(error) if !self.answered && self.endpoint.fall_back() => {
                    return match self.rebased(ask) {
                        Some(ask) => self.send(&ask),
                        None => Err(error),
                    };
                }
                Err(error) => return Err(error),
            };
            if !self.answered && self.endpoint.is_plain() && response.status() == 400 {
                return self.send_over_tls(ask, response);
            }
            self.answered = true;
            // Another host that asks who this is has no right to know.
            if response.status() != 401 || challenged || !at_home {
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

    /// Sends a request for a document of at most `limit` bytes. One that breaks off is asked for
    /// again.
    pub(super) fn read(
        &mut self,
        ask: &Ask<'_>,
        what: &str,
        limit: u64,
    ) -> Result<Document, RegistryError> {
        let mut failures = 0;
        loop {
            let response = self.send(ask)?;
            if response.status() != 200 {
                return Ok(Document::Other(response));
            }
            let (head, body) = response.into_parts();
            match read_body(body, limit) {
                Ok(bytes) => return Ok(Document::Whole(head.headers, bytes)),
                Err(unread) => {
                    failures += 1;
                    self.again(unread, failures, what, limit, &ask.action)?;
                }
            }
        }
    }

    /// Pauses before another attempt at a document, or says why there is none.
    fn again(
        &self,
        unread: Unread,
        failures: u32,
        what: &str,
        limit: u64,
        action: &str,
    ) -> Result<(), RegistryError> {
        let what = what.to_owned();
        let error = match unread {
            Unread::TooLarge => {
                let limit = format!("{limit} bytes");
                return Err(RegistryError::Content(ContentError::LimitExceeded {
                    what,
                    limit,
                }));
            }
            Unread::Broken(error) => error,
        };
        let transient = is_transient_io(error.kind()) || is_timeout(&error);
        if transient && self.retry.pause(failures, None) {
            return Ok(());
        }
        Err(match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                RegistryError::Content(ContentError::Truncated { what })
            }
            _ => self.network(action, error.to_string()),
        })
    }

    /// The error that a response without success stands for.
    pub(super) fn failure(&self, action: &str, response: Response<Body>) -> RegistryError {
        let registry = self.endpoint.registry();
        let credentials = match &self.credentials_from {
            Some(from) => OwnCredentials::From(from.clone()),
            None => OwnCredentials::None,
        };
        Failure::read(response).into_error_with(registry, action, credentials)
    }

    /// Goes over to TLS if `response` to plain HTTP is that of a TLS port; to HEAD such a port
    /// answers without words, so it is tried. Nothing secret was sent before.
    fn send_over_tls(
        &mut self,
        ask: &Ask<'_>,
        response: Response<Body>,
    ) -> Result<Response<Body>, RegistryError> {
        let failure = Failure::read(response);
        let wants_tls = ask.method == Method::Head || failure.wants_tls();
        let error = failure.into_error(self.endpoint.registry(), &ask.action);
        if !wants_tls {
            return Err(error);
        }
        self.endpoint.use_tls();
        let ask = self.rebased(ask).ok_or(error)?;
        self.send(&ask)
    }

    /// The same request with the scheme that is spoken now.
    fn rebased<'a>(&self, ask: &Ask<'a>) -> Option<Ask<'a>> {
        let path = ask.url.path_and_query().map_or("", |path| path.as_str());
        let url = resolve(&self.endpoint.base()?, path)?;
        Some(Ask { url, ..ask.clone() })
    }

    /// Sends with what authorization there is, and follows redirects of reads; also gives whether
    /// the answer is the registry's own. Authorization that was left behind once stays behind, even
    /// where another host sends back.
    fn follow(&self, ask: &Ask<'_>) -> Result<(Response<Body>, bool), RegistryError> {
        let mut url = ask.url.clone();
        let mut at_home = true;
        let mut redirects = 0;
        loop {
            let mut headers = ask.headers.clone();
            at_home = at_home && self.endpoint.is_home(&url);
            if let Some(authorization) = &self.authorization
                && at_home
            {
                headers.push(("authorization", authorization.clone()));
            }
            let (payload, action) = (&ask.payload, &ask.action);
            let response =
                self.exchange(ask.method, &url, &headers, payload, action, ask.longest)?;
            let moved = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            if !moved || !matches!(ask.method, Method::Get | Method::Head) {
                return Ok((response, at_home));
            }
            url = self.redirected(&url, redirects, &response, &ask.action)?;
            redirects += 1;
        }
    }

    /// Where an answer sends to, after so many redirects.
    fn redirected(
        &self,
        from: &Uri,
        redirects: usize,
        response: &Response<Body>,
        action: &str,
    ) -> Result<Uri, RegistryError> {
        let refused = |message: String| RegistryError::Status {
            registry: self.endpoint.registry().to_owned(),
            action: action.to_owned(),
            status: response.status().as_u16(),
            message,
        };
        if redirects >= MAX_REDIRECTS {
            return Err(refused(format!("more than {MAX_REDIRECTS} redirects")));
        }
        let location = header(response, LOCATION).unwrap_or_default();
        if location.is_empty() {
            return Err(refused("a redirect to nowhere".to_owned()));
        }
        let to = resolve(from, location).ok_or("it is no URL of HTTP");
        to.and_then(|url| match self.endpoint.why_not_followed(&url) {
            None => Ok(url),
            Some(reason) => Err(reason),
        })
        .map_err(|reason| {
            let location = sanitize(location);
            refused(format!("refused a redirect to {location:?}: {reason}"))
        })
    }
}

/// Whether nothing came for too long, which the agent tells in a way of its own.
pub(super) fn is_timeout(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(ureq::Error::Timeout(_)))
}
