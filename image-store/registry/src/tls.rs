//! Whom a TLS connection trusts, and how this machine shows who it is: from the configuration, else
//! from a directory `HOST[:PORT]` as docker and podman have it (`*.crt` roots, `*.cert` with `*.key`).
//!
//! Trusted roots are those of the system, so that an administrator's decisions count; Mozilla's
//! list that is built in serves where a system has none (a minimal image, an initrd).

use std::io::Read;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::config::{Place, Security, Settings};
use crate::error::RegistryError;
use image_layer::open_regular;

/// Where systems keep their bundle of roots.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Bytes of a bundle, and of a file of one registry.
const MAX_BUNDLE: u64 = 16 << 20;
const MAX_FILE: u64 = 1 << 20;

/// Files of one directory of certificates.
const MAX_FILES: usize = 256;

/// The files that matter to one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// Certificates of the place are not checked.
    insecure: bool,
    /// Nor are those of hosts that it sends to.
    unverified: bool,
    roots: Vec<PathBuf>,
    /// A bundle in place of the system's.
    bundle: Option<PathBuf>,
    client: Option<(PathBuf, PathBuf)>,
}

impl Identity {
    /// Looks for the files of a place; none of them is read.
    pub(super) fn find(place: &Place, settings: &Settings) -> Result<Self, RegistryError> {
        let Security {
            insecure,
            unverified,
            ca,
            client,
            ..
        } = place.security.clone();
        let mut identity = Self {
            insecure: insecure || unverified,
            unverified,
            roots: ca.into_iter().collect(),
            bundle: settings.environment.roots(),
            client,
        };
        if identity.roots.is_empty() && identity.client.is_none() {
            for folder in settings.certificate_folders() {
                let folder = folder.join(place.location.registry());
                if identity.add_folder(&folder)? {
                    break;
                }
            }
        }
        Ok(identity)
    }

    /// Takes what a directory has; `false` if there is none.
    fn add_folder(&mut self, folder: &Path) -> Result<bool, RegistryError> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(false);
            }
            Err(error) => return Err(RegistryError::io("cannot read", folder, error)),
        };
        let mut files = Vec::new();
        for entry in entries.take(MAX_FILES) {
            let entry = entry.map_err(|error| RegistryError::io("cannot read", folder, error))?;
            files.push(entry.path());
        }
        files.sort_unstable();
        for file in &files {
            match file.extension().and_then(|extension| extension.to_str()) {
                Some("crt") => self.roots.push(file.clone()),
                Some("cert") if self.client.is_none() => {
                    let key = file.with_extension("key");
                    if !files.contains(&key) {
                        return Err(wrong(file, format!("its key {} is missing", key.display())));
                    }
                    self.client = Some((file.clone(), key));
                }
                _ => {}
            }
        }
        Ok(true)
    }

    /// What a connection to the place itself uses.
    pub(super) fn at_home(&self) -> Result<TlsConfig, RegistryError> {
        let client = match &self.client {
            Some((certificate, key)) => Some(client_certificate(certificate, key)?),
            None => None,
        };
        Ok(TlsConfig::builder()
            .root_certs(self.root_certs()?)
            .client_cert(client)
            .disable_verification(self.insecure)
            .build())
    }

    /// What a connection to another host uses that the place sends to: the same roots, since a
    /// private authority often stands for the token server too; never the client's certificate.
    pub(super) fn elsewhere(&self) -> Result<TlsConfig, RegistryError> {
        let roots = self.root_certs()?;
        Ok(TlsConfig::builder()
            .root_certs(roots)
            .disable_verification(self.unverified)
            .build())
    }

    fn root_certs(&self) -> Result<RootCerts, RegistryError> {
        let mut own = Vec::new();
        for path in &self.roots {
            let certificates = read_certificates(path, MAX_FILE)?;
            if certificates.is_empty() {
                return Err(wrong(path, "it holds no certificate in PEM".to_owned()));
            }
            own.extend(certificates);
        }
        let system = system_roots(self.bundle.as_deref());
        if own.is_empty() && system.is_empty() {
            return Ok(RootCerts::WebPki);
        }
        own.extend(system);
        Ok(own.into())
    }
}

fn system_roots(configured: Option<&Path>) -> Vec<Certificate<'static>> {
    let bundles = configured.into_iter().chain(BUNDLES.iter().map(Path::new));
    for bundle in bundles {
        let certificates = read_certificates(bundle, MAX_BUNDLE).unwrap_or_default();
        if !certificates.is_empty() {
            return certificates;
        }
    }
    Vec::new()
}

fn read_certificates(path: &Path, limit: u64) -> Result<Vec<Certificate<'static>>, RegistryError> {
    let pem = read(path, limit)?;
    Ok(parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect())
}

/// Reads certificate and key, and proves that they belong together: ureq takes that for granted.
fn client_certificate(certificate: &Path, key: &Path) -> Result<ClientCert, RegistryError> {
    let chain = read_certificates(certificate, MAX_FILE)?;
    if chain.is_empty() {
        return Err(wrong(
            certificate,
            "it holds no certificate in PEM".to_owned(),
        ));
    }
    let pem = read(key, MAX_FILE)?;
    let no_key = || wrong(key, "it holds no private key in PEM".to_owned());
    let private = PrivateKey::from_pem(&pem).map_err(|_| no_key())?;
    let der = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| no_key())?;
    let ders = chain
        .iter()
        .map(|certificate| CertificateDer::from(certificate.der()).into_owned())
        .collect();
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(ders, der, &provider).map_err(|error| {
        let reason = format!("it can't be used with {}: {error}", certificate.display());
        wrong(key, reason)
    })?;
    Ok(ClientCert::new_with_certs(&chain, private))
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, RegistryError> {
    let Some((file, _)) = open_regular(path)? else {
        return Err(wrong(path, "it does not exist".to_owned()));
    };
    let mut bytes = Vec::new();
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| RegistryError::io("cannot read", path, error))?;
    Ok(bytes)
}

fn wrong(path: &Path, reason: String) -> RegistryError {
    RegistryError::Configuration {
        path: path.to_owned(),
        reason,
    }
}
