//! What a pod is to have of networks: the flags, understood, and compared with what is configured.

use cni_glue::bandwidth::Bandwidth;
use cni_glue::config::{ConfigError, Networks, Selection};
use cni_glue::names::{DnsOptions, HostsEntry};
use cni_glue::ports::{PortMapping, PortSpec, Protocol};
use image_store::Image;

use crate::arguments::network::NetworkArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::{foreign_drops, output};

/// How an image names its ports: a label of this prefix and the name, whose value is `PORT[/PROTOCOL]`.
const PORT_LABEL: &str = "io.fairing.port.";

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

/// The flags, understood as far as they go without the images of the pod.
#[derive(Debug)]
pub(crate) struct NetworkFlags {
    selection: Selection,
    ports: Vec<PortSpec>,
    bandwidth: Option<Bandwidth>,
    dns: DnsOptions,
    hosts: Vec<HostsEntry>,
}

fn usage(flag: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Usage(format!("{flag}: {error}"))
}

/// Understands the flags, before anything is looked up.
///
/// # Errors
/// [`Failure::Usage`] for what makes no sense.
pub(crate) fn understand(arguments: NetworkArguments) -> Result<NetworkFlags, Failure> {
    fn words(values: &[String]) -> impl Iterator<Item = &str> {
        values.iter().map(String::as_str)
    }
    let selection =
        Selection::parse(words(&arguments.net)).map_err(|error| usage("--net", &error))?;
    let joins_none = matches!(selection, Selection::None | Selection::Host);
    if !arguments.port.is_empty() && joins_none {
        return Err(Failure::Usage(
            "--port is for pods that join a network: with --net=host the pod's ports are the host's, and \
             with --net=none nobody reaches them"
                .to_owned(),
        ));
    }
    if arguments.bandwidth.is_some() && joins_none {
        return Err(Failure::Usage(
            "--bandwidth is for pods that join a network: with --net=host the interfaces are the host's, and with \
             --net=none there are none"
                .to_owned(),
        ));
    }
    let dns = DnsOptions::parse(
        words(&arguments.dns),
        words(&arguments.dns_search),
        words(&arguments.dns_opt),
    )
    .map_err(|error| usage(error.flag(), &error))?;
    warn_of_unasked(&dns);
    Ok(NetworkFlags {
        selection,
        ports: arguments.port,
        bandwidth: arguments.bandwidth.map(|spec| spec.0),
        dns,
        hosts: arguments.hosts_entry,
    })
}

/// More name servers than programs look at are no mistake that stands in the way of a pod, as for other tools of this kind;
/// but who names them should know.
fn warn_of_unasked(dns: &DnsOptions) {
    let unasked: Vec<_> = dns
        .unasked_servers()
        .iter()
        .map(ToString::to_string)
        .collect();
    if !unasked.is_empty() {
        output::warn(&format!(
            "--dns: programs ask the first three name servers; left out: {}",
            unasked.join(", ")
        ));
    }
}

impl NetworkFlags {
    /// Looks up what the flags name: networks in the configuration, ports in the images.
    ///
    /// # Errors
    /// [`Failure::Usage`] for a port that no image has, another one for networks that there are not.
    pub(crate) fn resolve(
        self,
        images: &[&Image],
        context: &Context,
    ) -> Result<NetworkSettings, Failure> {
        let ports = self
            .ports
            .iter()
            .map(|port| port.resolve(|name| named_port(images, name)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| usage("--port", &error))?;
        cni_glue::ports::check(&ports).map_err(|error| usage("--port", &error))?;
        require(&self.selection, context)?;
        Ok(NetworkSettings {
            selection: self.selection,
            ports,
            bandwidth: self.bandwidth,
            dns: self.dns,
            hosts: self.hosts,
        })
    }
}

/// Refuses networks that there are not, and tells of what stops the pods of new ones. The default network is there in any
/// case, and where a pod was in it before all is told.
fn require(selection: &Selection, context: &Context) -> Result<(), Failure> {
    let attacher = context.attacher();
    let is_sure = match selection {
        Selection::None | Selection::Host => true,
        Selection::All => false,
        Selection::Named(requests) => requests.iter().all(|request| {
            request.name.as_str() == "default"
                && request.arguments.is_empty()
                && attacher.is_made(&request.name)
        }),
    };
    if !is_sure {
        let networks = networks(context)?;
        let chosen = networks.select(selection).map_err(|error| match error {
            ConfigError::Argument { .. } => usage("--net", &error),
            other => Failure::Other(other.to_string()),
        })?;
        foreign_drops::warn_the_first(chosen.into_iter().map(|(list, _)| list), context);
    }
    Ok(())
}

/// The networks that are configured.
///
/// # Errors
/// If a file can't be read or understood.
pub(crate) fn networks(context: &Context) -> Result<Networks, Failure> {
    Networks::load(&context.attacher().folders).map_err(|error| Failure::Other(error.to_string()))
}

fn named_port(images: &[&Image], name: &str) -> Option<(u16, Protocol)> {
    let label = format!("{PORT_LABEL}{name}");
    let configs = images
        .iter()
        .filter_map(|image| image.config().config().as_ref());
    let mut ports = configs.filter_map(|config| parse_port(config.labels().as_ref()?.get(&label)?));
    ports.next()
}

fn parse_port(text: &str) -> Option<(u16, Protocol)> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let number = number.parse().ok().filter(|number| *number > 0)?;
    Some((number, protocol.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_give_ports_names() {
        assert_eq!(parse_port("80"), Some((80, Protocol::Tcp)));
        assert_eq!(parse_port("53/udp"), Some((53, Protocol::Udp)));
        for bad in ["", "0", "65536", "x", "80/icmp"] {
            assert_eq!(parse_port(bad), None, "{bad}");
        }
    }
}
