//! A certificate authority of one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a certificate is for.
#[derive(Debug, Clone, Copy)]
pub enum CertificateUse {
    /// A server on loopback, which is also called `registry.test`.
    Server,
    /// A client.
    Client,
}

/// Files of a certificate and its key.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A private authority; its files go with it.
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    /// Makes an authority.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("fairing-authority-")
            .tempdir()
            .expect("a folder");
        let authority = Self { folder };
        let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
             -subj /CN=tests -keyout ca.key -out ca.crt";
        openssl(authority.folder.path(), arguments);
        authority
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// Makes a certificate under this authority.
    pub fn issue(&self, name: &str, usage: CertificateUse) -> CertificateFiles {
        let folder = self.folder.path();
        let extensions = match usage {
            CertificateUse::Server => {
                "subjectAltName=IP:127.0.0.1,DNS:registry.test\nextendedKeyUsage=serverAuth\n"
            }
            CertificateUse::Client => "extendedKeyUsage=clientAuth\n",
        };
        fs::write(folder.join("extensions"), extensions).expect("write a file");
        openssl(
            folder,
            &format!(
                "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} \
                 -keyout {name}.key -out {name}.csr"
            ),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
                 -extfile extensions -out {name}.crt"
            ),
        );
        CertificateFiles {
            certificate: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs `openssl` in a directory.
pub(crate) fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is not installed: run tests/prepare-machine");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}\n{errors}");
}
