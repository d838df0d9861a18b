//! The HTTP agents of one client, each made when it is first needed: for plain HTTP and for TLS, for
//! the registry itself and for the hosts that it sends to, directly and through a proxy.

use std::cell::{OnceCell, RefCell};

use ureq::http::Uri;
use ureq::{Agent, Proxy, ProxyProtocol};

use super::answer::sanitize;
use super::config::{Place, Registries, Transfer};
use super::proxy::Proxies;
use super::tls::Identity;
use crate::error::RegistryError;

/// The agents of one client.
pub(super) struct Agents {
    place: Place,
    registries: Registries,
    proxies: Proxies,
    identity: OnceCell<Identity>,
    made: RefCell<Vec<(Kind, Agent)>>,
}

/// What tells agents apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    tls: bool,
    home: bool,
    proxied: bool,
}

impl Agents {
    pub(super) fn new(place: Place, registries: Registries) -> Self {
        let environment = &registries.settings().environment;
        let variable = |name: &str| Some(environment.variable(name)?.to_str()?.to_owned());
        Self {
            place,
            proxies: Proxies::from_environment(variable),
            registries,
            identity: OnceCell::new(),
            made: RefCell::default(),
        }
    }

    /// The agent for `url`, which is at the registry itself or not.
    pub(super) fn of(&self, url: &Uri, home: bool) -> Result<Agent, RegistryError> {
        let proxy = self.proxies.of(url);
        let kind = Kind {
            tls: url.scheme_str() != Some("http"),
            home,
            proxied: proxy.is_some(),
        };
        if let Some((_, agent)) = self.made.borrow().iter().find(|(own, _)| *own == kind) {
            return Ok(agent.clone());
        }
        let transfer = &self.registries.settings().transfer;
        let mut builder =
            configure(Agent::config_builder(), transfer).proxy(proxy.map(parse_proxy).transpose()?);
        if kind.tls {
            let identity = self.identity()?;
            let tls = match home {
                true => identity.at_home()?,
                false => identity.elsewhere()?,
            };
            builder = builder.tls_config(tls).https_only(true);
        }
        let agent = builder.build().new_agent();
        self.made.borrow_mut().push((kind, agent.clone()));
        Ok(agent)
    }

    /// The proxy that `url` goes through, for messages; without user and password.
    pub(super) fn proxy_of(&self, url: &Uri) -> Option<String> {
        let proxy = parse_proxy(self.proxies.of(url)?).ok()?;
        Some(sanitize(&format!("{}:{}", proxy.host(), proxy.port())))
    }

    fn identity(&self) -> Result<&Identity, RegistryError> {
        if let Some(identity) = self.identity.get() {
            return Ok(identity);
        }
        let found = Identity::find(&self.place, self.registries.settings())?;
        Ok(self.identity.get_or_init(|| found))
    }
}

/// The text may hold a password, so no error shows it.
fn parse_proxy(text: &str) -> Result<Proxy, RegistryError> {
    let refuse = |reason| RegistryError::Proxy { reason };
    let proxy = Proxy::new(text).map_err(|_| refuse("its URL can't be understood"))?;
    match proxy.protocol() {
        ProxyProtocol::Http | ProxyProtocol::Https => Ok(proxy),
        _ => Err(refuse("SOCKS is not supported, only HTTP")),
    }
}

type Builder = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

fn configure(builder: Builder, transfer: &Transfer) -> Builder {
    let (connect, stall) = (transfer.connect_timeout(), transfer.stall_timeout());
    builder
        .http_status_as_error(false)
        // Redirects are followed by the client, which knows where credentials may go.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("fairing/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(connect))
        .timeout_connect(Some(connect))
        .timeout_recv_response(Some(stall))
        .timeout_per_read(Some(stall))
        .timeout_per_write(Some(stall))
        .input_buffer_size(256 << 10)
}
