//! TLS: its certificates, from files in PEM.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, ServerConnection};

/// What connections are encrypted with.
#[derive(Debug, Clone)]
pub struct Tls(Arc<ServerConfig>);

/// The files that it is read from.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Authorities of clients. With them, only who has a certificate of theirs is served.
    pub client_authorities: Option<PathBuf>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or has nothing of that kind.
    #[error("{}: no {what} in PEM: {source}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// What is in the files can't be used, or not together.
    #[error("{} and {}: {source}", certificate.display(), key.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// That of the key.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The authorities can't be used.
    #[error("{}: {reason}", file.display())]
    Authorities {
        /// Which file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

impl TlsFiles {
    /// Reads them.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(&self) -> Result<Tls, TlsError> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|source| failed(&self.key, "private key", source))?;
        let unusable = |source| TlsError::Unusable {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            source,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let verifier = match &self.client_authorities {
            None => Arc::new(NoClientAuth),
            Some(file) => {
                let unusable = |error: &dyn std::fmt::Display| TlsError::Authorities {
                    file: file.clone(),
                    reason: error.to_string(),
                };
                let mut roots = RootCertStore::empty();
                for certificate in certificates(file)? {
                    roots.add(certificate).map_err(|error| unusable(&error))?;
                }
                let roots = Arc::new(roots);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                verifier.build().map_err(|error| unusable(&error))?
            }
        };
        let builder = builder.with_client_cert_verifier(verifier);
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        // HTTP/2 has no upgrades.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls(Arc::new(config)))
    }
}

impl Tls {
    /// For one connection.
    pub(super) fn connection(&self) -> Result<ServerConnection, rustls::Error> {
        ServerConnection::new(Arc::clone(&self.0))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let what = "certificate";
    let all = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match all {
        Ok(all) if all.is_empty() => Err(failed(file, what, pem::Error::NoItemsFound)),
        Ok(all) => Ok(all),
        Err(source) => Err(failed(file, what, source)),
    }
}

fn failed(file: &Path, what: &'static str, source: pem::Error) -> TlsError {
    TlsError::File {
        file: file.to_owned(),
        what,
        source,
    }
}
