//! TLS: its certificates, from files in PEM, which may be replaced while the server runs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, ServerConnection};

/// What connections are encrypted with. When its files are replaced, it is what further connections
/// are encrypted with.
#[derive(Debug, Clone)]
pub struct Tls {
    files: TlsFiles,
    loaded: Arc<Mutex<Loaded>>,
}

/// What was read last.
#[derive(Debug)]
struct Loaded {
    config: Arc<ServerConfig>,
    /// The files as they were when they were last read, whatever came of it, unless that may be
    /// otherwise the next time.
    seen: Seen,
    /// Those of which was told that they can't be used.
    told: Option<Seen>,
}

/// Which files there are, and in which state: none for one that is missing.
type Seen = [Option<[i64; 6]>; 3];

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
        let seen = self.look();
        let config = self.read()?;
        Ok(Tls {
            files: self.clone(),
            loaded: Arc::new(Mutex::new(Loaded {
                config,
                seen,
                told: None,
            })),
        })
    }

    fn look(&self) -> Seen {
        let [certificate, key] = [&self.certificate, &self.key].map(|file| state_of(file));
        [
            certificate,
            key,
            self.client_authorities.as_deref().and_then(state_of),
        ]
    }

    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
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
        Ok(Arc::new(config))
    }
}

impl Tls {
    /// For one connection, by what is in the files now. While they can't be used, such as between
    /// the replacement of one and that of the other, it is what was in them before; `warn` is told
    /// why, once.
    pub(super) fn connection(
        &self,
        warn: impl FnOnce(&TlsError),
    ) -> Result<ServerConnection, rustls::Error> {
        let config = {
            // Each of its members is whole.
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.update(self.files.look(), || self.files.read(), warn);
            Arc::clone(&loaded.config)
        };
        ServerConnection::new(config)
    }
}

impl Loaded {
    /// Reads the files if they are not those from before.
    fn update(
        &mut self,
        seen: Seen,
        read: impl FnOnce() -> Result<Arc<ServerConfig>, TlsError>,
        warn: impl FnOnce(&TlsError),
    ) {
        if seen == self.seen {
            return;
        }
        match read() {
            Ok(config) => self.config = config,
            Err(error) => {
                if self.told.replace(seen) != Some(seen) {
                    warn(&error);
                }
                if error.may_pass() {
                    return;
                }
            }
        }
        self.seen = seen;
    }
}

impl TlsError {
    /// Whether the same files may be read the next time: those of which the kernel has shown
    /// nothing now, such as for want of descriptors.
    fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::File {
                source: pem::Error::Io(_),
                ..
            }
        )
    }
}

/// What changes when a file is replaced or written to; of a link, what it leads to counts.
fn state_of(file: &Path) -> Option<[i64; 6]> {
    let file = fs::metadata(file).ok()?;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Some([
        number(file.dev()),
        number(file.ino()),
        number(file.size()),
        file.mtime(),
        file.ctime(),
        file.ctime_nsec(),
    ])
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

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::server::ResolvesServerCertUsingSni;

    fn config() -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let nobody = Arc::new(ResolvesServerCertUsingSni::new());
        Arc::new(builder.with_no_client_auth().with_cert_resolver(nobody))
    }

    #[test]
    fn files_that_could_not_be_read_are_read_again_and_told_of_once() {
        let before = config();
        let mut loaded = Loaded {
            config: Arc::clone(&before),
            seen: [None; 3],
            told: None,
        };
        let new = [Some([1; 6]), None, None];
        let mut warnings = 0;
        for _ in 0..2 {
            let full = std::io::Error::from_raw_os_error(24);
            let error = failed(Path::new("/node.key"), "private key", pem::Error::Io(full));
            loaded.update(new, || Err(error), |_| warnings += 1);
            assert!(Arc::ptr_eq(&loaded.config, &before));
        }
        assert_eq!(warnings, 1);
        let next = config();
        loaded.update(new, || Ok(Arc::clone(&next)), |_| warnings += 1);
        assert!(Arc::ptr_eq(&loaded.config, &next));
        // What is wrong with the files themselves stays so.
        let other = [Some([2; 6]), None, None];
        let mut reads = 0;
        for _ in 0..2 {
            let read = || {
                reads += 1;
                let none = pem::Error::NoItemsFound;
                Err(failed(Path::new("/node.key"), "private key", none))
            };
            loaded.update(other, read, |_| warnings += 1);
        }
        assert_eq!((reads, warnings), (1, 2));
    }
}
