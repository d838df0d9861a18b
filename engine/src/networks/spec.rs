//! What is asked of a pod's networks, and what comes of it once its images are known.

use cni_glue::bandwidth::Bandwidth;
use cni_glue::config::Selection;
use cni_glue::names::{DnsOptions, HostsEntry};
use cni_glue::ports::{PortMapping, PortSpec};

use crate::error::NetworkSpecError;

/// What is asked of a pod's networks.
#[derive(Debug, Clone)]
pub struct NetworkSpec {
    /// Which.
    pub selection: Selection,
    /// Whether nobody has said which.
    pub is_usual: bool,
    /// Ports of the host, some of them perhaps by the names that images give them.
    pub ports: Vec<PortSpec>,
    /// Whether each port that an image exposes is to be reached, by any port of the host.
    pub publish_all: bool,
    /// Limits of each interface.
    pub bandwidth: Option<Bandwidth>,
    /// Whom to ask for names.
    pub dns: DnsOptions,
    /// Lines of `/etc/hosts`.
    pub hosts: Vec<HostsEntry>,
}

impl From<Selection> for NetworkSpec {
    /// These networks, of which nothing else is asked.
    fn from(selection: Selection) -> Self {
        Self {
            selection,
            is_usual: false,
            ports: Vec::new(),
            publish_all: false,
            bandwidth: None,
            dns: DnsOptions::default(),
            hosts: Vec::new(),
        }
    }
}

impl NetworkSpec {
    /// Refuses what can't go together, before anything is looked up.
    ///
    /// # Errors
    /// [`NetworkSpecError::PortsWithoutNetwork`], [`NetworkSpecError::BandwidthWithoutNetwork`].
    pub fn check(&self) -> Result<(), NetworkSpecError> {
        let joins_none = matches!(self.selection, Selection::None | Selection::Host);
        if (!self.ports.is_empty() || self.publish_all) && joins_none {
            return Err(NetworkSpecError::PortsWithoutNetwork);
        }
        if self.bandwidth.is_some() && joins_none {
            return Err(NetworkSpecError::BandwidthWithoutNetwork);
        }
        Ok(())
    }
}

/// The part of a pod's manifest that is about networks.
#[derive(Debug)]
pub(crate) struct NetworkSettings {
    /// Which.
    pub(crate) selection: Selection,
    /// Ports of the host.
    pub(crate) ports: Vec<PortMapping>,
    /// Limits of each interface.
    pub(crate) bandwidth: Option<Bandwidth>,
    /// Whom to ask for names.
    pub(crate) dns: DnsOptions,
    /// Lines of `/etc/hosts`.
    pub(crate) hosts: Vec<HostsEntry>,
}
