//! The table `[cri]`: what the CRI shim serves, and how. The shim reads this table when it starts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What the table says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Cri {
    /// Who makes the cgroups of pods.
    pub cgroup_driver: Option<CgroupDriver>,
    /// The network of pods; if absent, the first one that is configured where CNI's runtimes look.
    pub network: Option<String>,
    /// The isolator of each runtime handler, beside the usual ones.
    #[serde(default)]
    pub runtime_handlers: BTreeMap<String, String>,
    /// Where commands, attachments and forwarded ports are streamed; on loopback, at any port, if absent.
    pub stream_address: Option<SocketAddr>,
    /// The certificate that streams are served with, in PEM; without TLS if absent.
    pub stream_certificate: Option<PathBuf>,
    /// Its key, in PEM.
    pub stream_key: Option<PathBuf>,
    /// Authorities of clients, in PEM: only who has a certificate of theirs gets streams; who has a URL does if absent.
    pub stream_client_ca: Option<PathBuf>,
    /// Where metrics are served for Prometheus; nowhere if absent.
    pub metrics_address: Option<SocketAddr>,
    /// Images that are not to be collected: names, which may end with `*`.
    #[serde(default)]
    pub pinned_images: Vec<String>,
}

/// Who makes the cgroups of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupDriver {
    /// systemd where it manages the machine, else the pods' monitors.
    #[default]
    Auto,
    /// The pods' monitors, below the directory that the kubelet names.
    Cgroupfs,
    /// systemd: a scope for each pod.
    Systemd,
}

/// The files that streams are served with by TLS.
#[derive(Debug, Clone, Copy)]
pub struct StreamFiles<'a> {
    /// The certificate.
    pub certificate: &'a Path,
    /// Its key.
    pub key: &'a Path,
    /// Authorities of clients, if these need certificates.
    pub client_ca: Option<&'a Path>,
}

impl Cri {
    /// The files for TLS; `None` without it.
    ///
    /// # Errors
    /// Why what is named makes no sense.
    pub fn stream_files(&self) -> Result<Option<StreamFiles<'_>>, &'static str> {
        let client_ca = self.stream_client_ca.as_deref();
        match (&self.stream_certificate, &self.stream_key) {
            (Some(certificate), Some(key)) => Ok(Some(StreamFiles {
                certificate,
                key,
                client_ca,
            })),
            (None, None) if client_ca.is_some() => {
                Err("stream-client-ca needs stream-certificate and stream-key")
            }
            (None, None) => Ok(None),
            _ => Err("stream-certificate and stream-key go together"),
        }
    }

    pub(super) fn overridden_by(self, later: Self) -> Self {
        let mut runtime_handlers = self.runtime_handlers;
        runtime_handlers.extend(later.runtime_handlers);
        Self {
            cgroup_driver: later.cgroup_driver.or(self.cgroup_driver),
            network: later.network.or(self.network),
            runtime_handlers,
            stream_address: later.stream_address.or(self.stream_address),
            stream_certificate: later.stream_certificate.or(self.stream_certificate),
            stream_key: later.stream_key.or(self.stream_key),
            stream_client_ca: later.stream_client_ca.or(self.stream_client_ca),
            metrics_address: later.metrics_address.or(self.metrics_address),
            pinned_images: match later.pinned_images.is_empty() {
                true => self.pinned_images,
                false => later.pinned_images,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_file_counts_setting_by_setting() {
        let read = |text: &str| toml::from_str::<Cri>(text).unwrap();
        let first = read("network = 'a'\ncgroup-driver = 'systemd'\n[runtime-handlers]\nx = 'fly'");
        let both = first.overridden_by(read("network = 'b'\n[runtime-handlers]\ny = 'kvm'"));
        assert_eq!(both.network.as_deref(), Some("b"));
        assert_eq!(both.cgroup_driver, Some(CgroupDriver::Systemd));
        assert_eq!(both.runtime_handlers.len(), 2);
        assert_eq!(
            read("cgroup-driver = 'auto'").cgroup_driver,
            Some(CgroupDriver::Auto)
        );
        toml::from_str::<Cri>("cgroup-driver = 'none'").unwrap_err();
        toml::from_str::<Cri>("nothing = 1").unwrap_err();
    }
}
