//! The HTTP agents: one for plain HTTP, and one for TLS that is made when first needed.
//!
//! Trusted roots are those of the system, so that an administrator's decisions count; Mozilla's
//! list that is built in serves where a system has none (a minimal image, an initrd).

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};

/// To find a host and connect to it, and for it to begin its answer.
const CONNECT: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(60);
/// Longest silence within a transfer, in either direction.
const STALL: Duration = Duration::from_secs(60);

/// Where systems keep their bundle of roots.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Bytes of a bundle.
const MAX_BUNDLE: u64 = 16 << 20;

/// The agents of one client. Nothing of TLS is touched until an `https` URL is asked for.
#[derive(Default)]
pub(super) struct Agents {
    plain: OnceCell<Agent>,
    tls: OnceCell<Agent>,
}

impl Agents {
    /// The agent for `url`.
    pub(super) fn of(&self, url: &Uri) -> &Agent {
        if url.scheme_str() == Some("http") {
            // Plain HTTP is for loopback and for hosts of one's own network: no proxy between.
            self.plain.get_or_init(|| {
                configure(Agent::config_builder())
                    .proxy(None)
                    .build()
                    .new_agent()
            })
        } else {
            self.tls.get_or_init(|| {
                let tls = TlsConfig::builder().root_certs(roots()).build();
                configure(Agent::config_builder())
                    .tls_config(tls)
                    .https_only(true)
                    .build()
                    .new_agent()
            })
        }
    }
}

type Builder = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

fn configure(builder: Builder) -> Builder {
    builder
        .http_status_as_error(false)
        // Redirects are followed by the client, which knows where credentials may go.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("fairing/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_per_read(Some(STALL))
        .timeout_per_write(Some(STALL))
        .input_buffer_size(256 << 10)
}

fn roots() -> RootCerts {
    let configured = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let bundles = configured
        .into_iter()
        .chain(BUNDLES.iter().map(PathBuf::from));
    for bundle in bundles {
        let certificates = certificates(&bundle);
        if !certificates.is_empty() {
            return RootCerts::new_with_certs(&certificates);
        }
    }
    RootCerts::WebPki
}

fn certificates(bundle: &Path) -> Vec<Certificate<'static>> {
    use std::io::Read;
    let Ok(Some((file, _))) = crate::layout::files::open_regular(bundle) else {
        return Vec::new();
    };
    let mut pem = Vec::new();
    if file.take(MAX_BUNDLE).read_to_end(&mut pem).is_err() {
        return Vec::new();
    }
    ureq::tls::parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect()
}
