//! Networks and ports that a command line says of pods in YAML.

use std::net::IpAddr;

use clap::Args;
use cni_glue::config::Selection;
use cni_glue::ports::{ContainerPort, PortSpec};
use engine::networks::spec::NetworkSpec;

use crate::arguments::network::{check_network, usual_networks};
use crate::wording::failure::Failure;

/// Flags of the pods' network.
#[derive(Debug, Args)]
pub(super) struct PlayNetworkArguments {
    /// Networks to join, or none, host, all
    #[arg(long, value_name = "NAME,…", alias = "net")]
    network: Vec<String>,
    /// Port of the host for one of the pod, in place of what the file says of that one: 8080:80
    #[arg(short, long, value_name = "[[IP:]HOST:]POD", alias = "port")]
    publish: Vec<PortSpec>,
    /// Free ports of the host for all that the images expose
    #[arg(short = 'P', long, hide_short_help = true)]
    publish_all: bool,
    /// Address of the pod in its network
    #[arg(long, value_name = "IP", hide_short_help = true)]
    ip: Option<IpAddr>,
    /// Hardware address of the pod in its network
    #[arg(long, value_name = "MAC", hide_short_help = true)]
    mac_address: Option<String>,
}

impl PlayNetworkArguments {
    /// Whether something is said that one pod alone can have.
    pub(super) fn is_for_one(&self) -> bool {
        self.ip.is_some() || self.mac_address.is_some() || !self.publish.is_empty()
    }

    /// Says it of a pod.
    ///
    /// # Errors
    /// [`Failure::Usage`] for what makes no sense, or contradicts the file.
    pub(super) fn apply(&self, spec: &mut NetworkSpec) -> Result<(), Failure> {
        let given = match (spec.is_usual, self.network.is_empty()) {
            (true, true) => usual_networks(),
            (_, false) => self.network.clone(),
            (false, true) => Vec::new(),
        };
        if !given.is_empty() {
            if spec.selection == Selection::Host && given != ["host"] {
                return Err(Failure::Usage(
                    "--network contradicts hostNetwork: leave out one of them".to_owned(),
                ));
            }
            given.iter().try_for_each(|text| check_network(text))?;
            let words = given.iter().map(String::as_str);
            let selection = Selection::parse(words);
            let wrong = |error| Failure::Usage(format!("--network: {error}"));
            spec.selection = selection.map_err(wrong)?;
            spec.is_usual = false;
        }
        let mut arguments = Vec::new();
        arguments.extend(self.ip.map(|ip| ("IP".to_owned(), ip.to_string())));
        arguments.extend(self.mac_address.clone().map(|mac| ("MAC".to_owned(), mac)));
        if !arguments.is_empty() {
            match &mut spec.selection {
                Selection::Named(requests) if requests.len() == 1 => {
                    for request in requests {
                        request.arguments.extend(arguments.clone());
                    }
                }
                _ => {
                    return Err(Failure::Usage(
                        "--ip and --mac-address are for a pod in one network".to_owned(),
                    ));
                }
            }
        }
        for given in &self.publish {
            spec.ports.retain(|port| !is_for_same(port, given));
            spec.ports.push(given.clone());
        }
        spec.publish_all = self.publish_all;
        spec.check().map_err(engine::Error::from)?;
        Ok(())
    }
}

/// Whether both lead to one port of the pod.
fn is_for_same(one: &PortSpec, other: &PortSpec) -> bool {
    let number = |port: &PortSpec| match port.container {
        ContainerPort::Number(first, _) if port.count == 1 => Some(first),
        _ => None,
    };
    let protocol = |port: &PortSpec| port.protocol.unwrap_or_default();
    number(one).is_some() && number(one) == number(other) && protocol(one) == protocol(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(network: &[&str], publish: &[&str]) -> PlayNetworkArguments {
        PlayNetworkArguments {
            network: network.iter().map(|text| (*text).to_owned()).collect(),
            publish: publish.iter().map(|text| text.parse().unwrap()).collect(),
            publish_all: false,
            ip: None,
            mac_address: None,
        }
    }

    #[test]
    fn a_port_of_a_flag_counts_in_place_of_that_of_the_file() {
        let mut spec = NetworkSpec::from(Selection::parse([]).unwrap());
        spec.ports = vec!["80:80".parse().unwrap(), "53:53/udp".parse().unwrap()];
        flags(&["default"], &["8080:80", "5353:53"])
            .apply(&mut spec)
            .unwrap();
        let ports: Vec<_> = spec.ports.iter().map(|port| port.host_port).collect();
        assert_eq!(ports, [53, 8080, 5353]);
    }

    #[test]
    fn addresses_are_arguments_of_the_one_network() {
        let with_ip = |network: &[&str]| PlayNetworkArguments {
            ip: "10.1.2.3".parse().ok(),
            ..flags(network, &[])
        };
        let mut spec = NetworkSpec::from(Selection::parse([]).unwrap());
        with_ip(&["lan"]).apply(&mut spec).unwrap();
        assert_eq!(
            spec.selection,
            Selection::parse(["lan:IP=10.1.2.3"]).unwrap()
        );
        with_ip(&["none"]).apply(&mut spec).unwrap_err();
        let mut host = NetworkSpec::from(Selection::Host);
        flags(&["lan"], &[]).apply(&mut host).unwrap_err();
        flags(&["host"], &[]).apply(&mut host).unwrap();
    }
}
