//! Pods.

use std::net::IpAddr;
use std::num::NonZeroU32;

use cni_glue::names::HostsEntry;

use super::claim::Claim;
use super::container::{Container, RESTARTS, RestartPolicy};
use super::metadata::Metadata;
use super::resources::Resources;
use super::security::PodSecurity;
use super::volume::Volume;
use crate::reading::{At, Error, Place};
use crate::schema::{DNS_CONFIG, DNS_OPTION, HOST_ALIAS, LOCAL_REFERENCE, OS, POD, POD_SPEC};

/// A pod, of its own or what comes of something that makes pods.
#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) metadata: Metadata,
    pub(crate) spec: PodSpec,
    /// How often an app is started again at most, if that is said.
    pub(crate) retries: Option<u32>,
    /// Claims that are made for it.
    pub(crate) claims: Vec<Claim>,
}

/// `spec` of a pod.
#[derive(Debug, Clone)]
pub(crate) struct PodSpec {
    pub(crate) containers: Vec<Container>,
    pub(crate) init_containers: Vec<Container>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) restart: RestartPolicy,
    pub(crate) grace: u32,
    pub(crate) deadline: Option<NonZeroU32>,
    pub(crate) dns_policy: DnsPolicy,
    pub(crate) dns_config: DnsConfig,
    pub(crate) host_aliases: Vec<HostAlias>,
    pub(crate) hostname: Option<(Place, String)>,
    pub(crate) host_network: bool,
    pub(crate) host_ipc: bool,
    pub(crate) host_pid: bool,
    pub(crate) host_users: Option<bool>,
    pub(crate) shares_processes: bool,
    pub(crate) security: PodSecurity,
    pub(crate) pull_secrets: Vec<(Place, String)>,
    pub(crate) resources: Resources,
    pub(crate) runtime_class: Option<String>,
    pub(crate) service_account: String,
    pub(crate) node_name: String,
}

/// Whom apps ask for names if nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum DnsPolicy {
    #[default]
    Usual,
    Host,
    None,
}

/// Whom apps ask for names.
#[derive(Debug, Clone, Default)]
pub(crate) struct DnsConfig {
    pub(crate) place: Option<Place>,
    pub(crate) servers: Vec<String>,
    pub(crate) searches: Vec<String>,
    pub(crate) options: Vec<String>,
}

/// A line of `/etc/hosts`.
pub(crate) type HostAlias = HostsEntry;

impl Pod {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&POD)?;
        Ok(Self {
            metadata: object.need("metadata", Metadata::named)?,
            spec: object.need("spec", PodSpec::read)?,
            retries: None,
            claims: Vec::new(),
        })
    }
}

impl PodSpec {
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Error> {
        let object = at.object(&POD_SPEC)?;
        object.read("os", |at| {
            at.object(&OS)?.choice("name", &[("linux", ())]).map(drop)
        })?;
        for name in ["enableServiceLinks", "automountServiceAccountToken"] {
            object.flag(name)?;
        }
        let host_network = object.flag("hostNetwork")?.unwrap_or_default();
        let hostname = |name: &str| {
            let place = object.get(name).map(|at| at.place());
            Ok::<_, Error>(place.zip(object.text(name)?))
        };
        let (hostname, other) = (hostname("hostname")?, hostname("hostnameOverride")?);
        if let Some((place, _)) = other.as_ref().filter(|_| host_network) {
            return Err(place.wrong("it excludes hostNetwork"));
        }
        let read = Self {
            containers: object.each("containers", Container::read)?,
            init_containers: object.each("initContainers", Container::read)?,
            volumes: object.each("volumes", Volume::read)?,
            restart: object
                .choice("restartPolicy", &RESTARTS)?
                .unwrap_or_default(),
            grace: object
                .read("terminationGracePeriodSeconds", At::number)?
                .unwrap_or(30),
            deadline: object.read("activeDeadlineSeconds", deadline)?,
            dns_policy: object
                .choice(
                    "dnsPolicy",
                    &[
                        ("ClusterFirst", DnsPolicy::Usual),
                        ("ClusterFirstWithHostNet", DnsPolicy::Usual),
                        ("Default", DnsPolicy::Host),
                        ("None", DnsPolicy::None),
                    ],
                )?
                .unwrap_or_default(),
            dns_config: object.read("dnsConfig", dns_config)?.unwrap_or_default(),
            host_aliases: object.each("hostAliases", host_alias)?,
            hostname: other.or(hostname),
            host_network,
            host_ipc: object.flag("hostIPC")?.unwrap_or_default(),
            host_pid: object.flag("hostPID")?.unwrap_or_default(),
            host_users: object.flag("hostUsers")?,
            shares_processes: object.flag("shareProcessNamespace")?.unwrap_or_default(),
            security: object
                .read("securityContext", PodSecurity::read)?
                .unwrap_or_default(),
            pull_secrets: object.each("imagePullSecrets", |at| {
                let object = at.object(&LOCAL_REFERENCE)?;
                Ok((at.place(), object.name("name")?))
            })?,
            resources: object
                .read("resources", Resources::read)?
                .unwrap_or_default(),
            runtime_class: object.text("runtimeClassName")?,
            service_account: (object.text("serviceAccountName")?)
                .or(object.text("serviceAccount")?)
                .unwrap_or_else(|| "default".to_owned()),
            node_name: object.text("nodeName")?.unwrap_or_default(),
        };
        if read.containers.is_empty() {
            return Err(at.wrong("containers are missing"));
        }
        if read.host_pid && read.shares_processes {
            return Err(at.wrong("hostPID and shareProcessNamespace exclude each other"));
        }
        Ok(read)
    }
}

/// So many seconds, at least one.
pub(crate) fn deadline(at: &At<'_>) -> Result<NonZeroU32, Error> {
    let seconds = at.number::<u32>()?;
    NonZeroU32::new(seconds).ok_or_else(|| at.wrong("it has to be 1 at least"))
}

fn dns_config(at: &At<'_>) -> Result<DnsConfig, Error> {
    let object = at.object(&DNS_CONFIG)?;
    Ok(DnsConfig {
        place: Some(at.place()),
        servers: object.read("nameservers", At::words)?.unwrap_or_default(),
        searches: object.read("searches", At::words)?.unwrap_or_default(),
        options: object.each("options", |at| {
            let object = at.object(&DNS_OPTION)?;
            let value = object.read("value", |at| at.raw().map(str::to_owned))?;
            let name = object.name("name")?;
            Ok(match value {
                Some(value) => format!("{name}:{value}"),
                None => name,
            })
        })?,
    })
}

fn host_alias(at: &At<'_>) -> Result<HostAlias, Error> {
    let object = at.object(&HOST_ALIAS)?;
    let ip = object.name("ip")?;
    let ip: IpAddr = ip
        .parse()
        .map_err(|_| at.wrong(format!("{ip:?} is not an address")))?;
    let names = object.read("hostnames", At::words)?.unwrap_or_default();
    // An entry is parsed as `ADDRESS=NAME,NAME`.
    if names.is_empty() || names.iter().any(|name| name.contains(',')) {
        return Err(at.wrong("hostnames have to be given, one in each entry"));
    }
    let entry = format!("{ip}={}", names.join(","));
    entry
        .parse()
        .map_err(|_| at.wrong("a name is not a host name"))
}
