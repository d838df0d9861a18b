//! A pod and all of its networks: put in, looked at, taken out.

use std::os::fd::BorrowedFd;

use serde_json::{Map, Value, json};

use super::namespace_mount::NamespaceMount;
use crate::bandwidth::{self, Bandwidth};
use crate::builtin::PLUGIN_TYPE;
use crate::config::{ConfigFolder, NetworkList, NetworkRequest, Networks, Selection};
use crate::error::NetworkError;
use crate::id::{ContainerId, InterfaceName, NetworkName};
use crate::names::DnsOptions;
use crate::netns::Netns;
use crate::ports::{self, HeldPorts, PortError, PortMapping, PortOwner, Reservations};
use crate::runtime::{Asked, Attachment, CachedAttachment, NetnsRef, Runtime};
use crate::status::{JoinedNetwork, NetworkStatus};

/// What a pod asks for.
#[derive(Debug, Clone, Copy)]
pub struct AttachRequest<'a> {
    /// The pod.
    pub container: &'a ContainerId,
    /// Its name, by which others find it; a DNS label.
    pub name: Option<&'a str>,
    /// Its networks.
    pub selection: &'a Selection,
    /// Ports of the host that are to lead to it.
    pub ports: &'a [PortMapping],
    /// What plugins are told of names.
    pub dns: &'a DnsOptions,
    /// Limits, of each of its interfaces.
    pub bandwidth: Option<Bandwidth>,
    /// Its cgroup, below the root of the hierarchy.
    pub cgroup_path: Option<&'a str>,
    /// Readable once nobody wants the pod any more: plugins are ended then.
    pub interrupt: Option<BorrowedFd<'a>>,
}

/// A pod that is in its networks.
#[derive(Debug)]
pub struct Attached {
    /// What came of it.
    pub status: NetworkStatus,
    /// Keeps other programs away from the pod's ports for as long as it lives.
    pub held: HeldPorts,
}

/// Puts pods into networks and takes them out.
#[derive(Debug, Clone)]
pub struct Attacher {
    /// Where networks are configured, in order of precedence.
    pub folders: Vec<ConfigFolder>,
    /// How plugins are run, and where state is kept.
    pub runtime: Runtime,
}

/// Whether a pod runs. Asked when something is in its hands, so that a pod that was killed is in nobody's way.
pub type IsLive<'a> = &'a dyn Fn(&ContainerId) -> bool;

impl Attacher {
    pub(super) fn reservations(&self) -> Reservations {
        Reservations::new(&self.runtime.state.join("ports"))
    }

    pub(super) fn mount(&self, container: &ContainerId) -> NamespaceMount {
        NamespaceMount::new(&self.runtime.state, container)
    }

    /// Whether a container is another runtime's, which alone knows if it lives.
    pub(super) fn is_foreign(&self, container: &ContainerId) -> bool {
        crate::foreign::is_marked(&self.runtime.state, container)
    }

    /// Puts a pod into its networks. The caller holds the pod's lock. If anything fails, all is taken back.
    ///
    /// # Errors
    /// What failed, in which network.
    pub fn attach(
        &self,
        request: &AttachRequest<'_>,
        netns: &mut Netns,
        live: IsLive<'_>,
    ) -> Result<Attached, NetworkError> {
        let networks = match request.selection {
            Selection::None | Selection::Host => None,
            _ => Some(Networks::load(&self.folders)?),
        };
        let chosen = match &networks {
            Some(networks) => networks.select(request.selection)?,
            None => Vec::new(),
        };
        let forwarder = chosen.iter().position(|(list, _)| list.can("portMappings"));
        if !request.ports.is_empty() && forwarder.is_none() {
            return Err(NetworkError::NoPorts(match request.selection {
                Selection::Host => {
                    "the pod is on the host's own network, where its ports are the host's"
                }
                Selection::None => "the pod is in no network",
                _ => "none of the pod's networks has the capability \"portMappings\"",
            }));
        }
        if request.bandwidth.is_some() {
            require_limits(request.selection, &chosen)?;
        }
        let evict = |holder: &ContainerId| {
            !live(holder) && !self.is_foreign(holder) && self.detach(holder, None).is_ok()
        };
        self.reserve(request, &evict)?;
        let joined = ports::hold(request.ports)
            .map_err(NetworkError::from)
            .and_then(|held| {
                let networks = self.join_all(request, &chosen, forwarder, netns, &evict)?;
                Ok(Attached {
                    status: NetworkStatus {
                        networks,
                        ports: request.ports.to_vec(),
                        ..NetworkStatus::default()
                    },
                    held,
                })
            });
        joined.map_err(|error| {
            // The network that failed was left already, or can't be.
            let left = self.leave(request.container, Some(netns), |cached| {
                cached.result.is_some()
            });
            if !request.ports.is_empty() {
                let _ = self
                    .reservations()
                    .release(&PortOwner::pod(request.container));
            }
            match (left, error) {
                (Err(undoing), error) if !matches!(error, NetworkError::NotUndone { .. }) => {
                    NetworkError::NotUndone {
                        error: Box::new(error),
                        undoing: Box::new(undoing),
                    }
                }
                (_, error) => error,
            }
        })
    }

    fn reserve(&self, request: &AttachRequest<'_>, evict: IsLive<'_>) -> Result<(), NetworkError> {
        let reservations = self.reservations();
        let owner = PortOwner::pod(request.container);
        loop {
            match reservations.reserve(&owner, request.ports) {
                Err(PortError::Taken { holder, .. }) if evict(&holder) => {
                    reservations.release(&PortOwner::pod(&holder))?;
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    fn join_all(
        &self,
        request: &AttachRequest<'_>,
        chosen: &[(&NetworkList, NetworkRequest)],
        forwarder: Option<usize>,
        netns: &mut Netns,
        evict: IsLive<'_>,
    ) -> Result<Vec<JoinedNetwork>, NetworkError> {
        let mut joined = Vec::new();
        // Programs are told a path that outlives this process, so that what it joined can be left even if it is
        // killed.
        let mut path = String::new();
        let is_program = |(list, _): &(&NetworkList, NetworkRequest)| {
            list.plugins.iter().any(|plugin| plugin.kind != PLUGIN_TYPE)
        };
        if chosen.iter().any(is_program) {
            path = self.mount(request.container).make(netns)?;
        } else if !chosen.is_empty() {
            path = own_path(netns);
        }
        for (n, (list, wishes)) in chosen.iter().enumerate() {
            let interface = InterfaceName::eth(n);
            let told = told(request, wishes, forwarder == Some(n));
            let attachment = Attachment {
                container: request.container,
                name: request.name,
                interface: &interface,
                arguments: &wishes.arguments,
                capability_args: &told,
                interrupt: request.interrupt,
            };
            let mut netns = NetnsRef {
                path: &path,
                handle: Some(netns),
                dying: false,
            };
            let result = self.runtime.add(list, &attachment, &mut netns, evict)?;
            joined.push(JoinedNetwork::new(&list.name, &interface, &result));
        }
        Ok(joined)
    }

    /// Takes a pod out of all its networks and gives back its ports. Nothing of it runs any more. With its namespace
    /// at hand, which the caller is about to let go of, links are left to go with it.
    ///
    /// # Errors
    /// The first; the rest is done nevertheless, and this can be repeated.
    pub fn detach(
        &self,
        container: &ContainerId,
        netns: Option<&mut Netns>,
    ) -> Result<(), NetworkError> {
        self.leave(container, netns, |_| true)
    }

    fn leave(
        &self,
        container: &ContainerId,
        netns: Option<&mut Netns>,
        wanted: impl Fn(&CachedAttachment) -> bool,
    ) -> Result<(), NetworkError> {
        let mount = self.mount(container);
        let (attachments, damaged) = self.runtime.cache().of_and_damaged(container)?;
        let path = mount.path_if_there();
        let dying = netns.is_some();
        let netns = NetnsRef {
            path: path.as_deref().unwrap_or_default(),
            dying,
            handle: netns,
        };
        let mut first = Ok(());
        let runtime = self.runtime.removing();
        for cached in attachments.iter().rev().filter(|cached| wanted(cached)) {
            let left = match dying {
                true => runtime.del(cached, &netns),
                false => runtime.del_of_dead(cached, netns.path),
            };
            first = first.and(left.or_else(|error| {
                let (lists, _) = self.lists();
                let mut lists = lists.iter();
                match lists.find_map(|list| cached.by_todays(list, &error)) {
                    Some(today) => runtime.del_of_dead(&today, netns.path).map_err(|_| error),
                    None => Err(error),
                }
            }));
        }
        let is_damaged = !damaged.is_empty();
        if is_damaged {
            let (lists, _) = self.lists();
            for one in damaged {
                first = first.and(self.leave_damaged(one, &lists));
            }
        }
        // One of which nothing is remembered was interrupted early on.
        let has_ports =
            |cached: &CachedAttachment| cached.capability_args.contains_key("portMappings");
        if attachments.is_empty() || is_damaged || attachments.iter().any(has_ports) {
            let owner = PortOwner::pod(container);
            first = first.and(self.reservations().release(&owner).map_err(Into::into));
        }
        if first.is_ok() && mount.is_left() && attachments.iter().all(wanted) {
            first = mount.remove();
        }
        first
    }

    /// Looks whether a pod is still connected as it was.
    ///
    /// # Errors
    /// What is missing, in which network.
    pub fn check(
        &self,
        container: &ContainerId,
        netns: &mut Netns,
        asked: Asked,
    ) -> Result<(), NetworkError> {
        let path = match self.mount(container).path_if_there() {
            Some(path) => path,
            None => own_path(netns),
        };
        for cached in self.runtime.cache().of(container)? {
            let mut netns = NetnsRef {
                path: &path,
                handle: Some(netns),
                dying: false,
            };
            self.runtime.check(&cached, &mut netns, asked)?;
        }
        Ok(())
    }

    /// The networks that a pod which has ended was not taken out of: what it holds there is kept for it.
    ///
    /// # Errors
    /// If what is remembered can't be read.
    pub fn not_left(&self, container: &ContainerId) -> Result<Vec<NetworkName>, NetworkError> {
        let remembered = self.runtime.cache().of(container)?;
        Ok(remembered
            .into_iter()
            .map(|cached| cached.network_name)
            .collect())
    }

    /// Whether a network was made, if it is a built-in one: the first pod in it makes it.
    pub fn is_made(&self, network: &NetworkName) -> bool {
        crate::builtin::is_made(&self.runtime.state, network)
    }

    /// Where another fairing keeps its state, if it has the firewall rules of pods in this network namespace: then no
    /// pod of this one joins built-in networks that need rules.
    ///
    /// # Errors
    /// If the kernel can't be asked.
    pub fn other_fairing(&self) -> Result<Option<String>, NetworkError> {
        crate::builtin::owner_of_others(&self.runtime.state)
    }

    /// Chains of other programs, as `FAMILY TABLE CHAIN`, that drop what passes through this host unless a rule of
    /// theirs lets it pass. Pods of built-in networks may then reach nobody: a packet is dropped if any chain drops
    /// it, and those chains are not ours to change. A table with a rule that speaks of our links isn't named: somebody
    /// has thought of pods.
    ///
    /// # Errors
    /// If the kernel can't be asked.
    pub fn foreign_drops(&self) -> Result<Vec<String>, NetworkError> {
        crate::builtin::foreign_drops()
    }
}

/// Refuses a pod with limits where a network of its would not keep them: it would be a way around the others'.
fn require_limits(
    selection: &Selection,
    chosen: &[(&NetworkList, NetworkRequest)],
) -> Result<(), NetworkError> {
    let refused = |reason: String| Err(NetworkError::NoBandwidth(reason));
    match selection {
        Selection::Host => {
            return refused(
                "the pod is on the host's own network, whose links are not its own".into(),
            );
        }
        _ if chosen.is_empty() => return refused("the pod is in no network".into()),
        _ => (),
    }
    let mut chosen = chosen.iter();
    match chosen.find(|(list, _)| !list.can(bandwidth::CAPABILITY)) {
        None => Ok(()),
        Some((list, _)) => refused(format!(
            "no plugin of network {} has the capability {:?} in its configuration",
            list.name,
            bandwidth::CAPABILITY
        )),
    }
}

/// A path to a namespace that only this process has, while it has it.
fn own_path(netns: &Netns) -> String {
    use std::os::fd::{AsFd, AsRawFd};
    format!(
        "/proc/{}/fd/{}",
        std::process::id(),
        netns.as_fd().as_raw_fd()
    )
}

/// What plugins are told that can take it.
fn told(
    request: &AttachRequest<'_>,
    wishes: &NetworkRequest,
    forwards: bool,
) -> Map<String, Value> {
    let mut told = Map::new();
    if forwards && !request.ports.is_empty() {
        told.insert("portMappings".into(), PortMapping::to_cni(request.ports));
    }
    let wish = |wanted: &str| {
        let mut found = wishes.arguments.iter().filter(|(key, _)| key == wanted);
        found.next().map(|(_, value)| value)
    };
    if let Some(ip) = wish("IP") {
        told.insert("ips".into(), json!([ip]));
    }
    if let Some(mac) = wish("MAC") {
        told.insert("mac".into(), json!(mac));
    }
    if let Some(dns) = request.dns.to_cni() {
        told.insert("dns".into(), dns);
    }
    if let Some(name) = request.name {
        told.insert("aliases".into(), json!([name]));
    }
    if let Some(limits) = request.bandwidth {
        told.insert(bandwidth::CAPABILITY.into(), limits.to_cni());
    }
    if let Some(path) = request.cgroup_path {
        told.insert("cgroupPath".into(), json!(path));
    }
    told
}
