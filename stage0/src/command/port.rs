//! `fairing port`: where the ports of pods lead.

use clap::Args;
use cni_glue::ports::{PortMapping, Protocol};
use pod::State;
use pod::manifest::PodManifest;

use crate::arguments::selector::Pods;
use crate::command::several::{Named, for_each_pod};
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `port`.
#[derive(Debug, Args)]
pub(crate) struct Port {
    /// Name or UUID of the pod, or the beginning of its UUID
    #[arg(value_name = "POD", required_unless_present = "all")]
    pod: Option<String>,
    /// Show only where this port of the pod is reached
    #[arg(value_name = "PORT[/PROTOCOL]", conflicts_with = "all", value_parser = inner)]
    port: Option<(u16, Protocol)>,
    /// Of all running pods
    #[arg(short, long, conflicts_with = "pod")]
    all: bool,
}

/// A port of a pod: `80`, `53/udp`.
fn inner(text: &str) -> Result<(u16, Protocol), String> {
    let malformed = |_| "write, for example, 80 or 53/udp".to_owned();
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let port = port.parse().map_err(|_| malformed(()))?;
    Ok((port, protocol.parse().map_err(malformed)?))
}

impl Subcommand for Port {
    const NAME: &'static str = "port";
    const ABOUT: &'static str = "Show which ports of the host lead to a pod";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let is_running = |state| state == State::Running;
        let pods = match self.pod {
            Some(pod) => Pods::one(pod),
            None => Pods::all(),
        };
        for_each_pod(pods, context, is_running, |Named { typed, entry }| {
            match entry.state()? {
                State::Running => {}
                // Of all, one may end while this looks.
                _ if self.all => return Ok(()),
                state => {
                    return Err(Failure::Other(format!(
                        "no port of the host leads to pod {typed}: it {}",
                        state.in_words()
                    )));
                }
            }
            let ports = PodManifest::load(&entry.path)?.ports;
            let Some((port, protocol)) = self.port else {
                let before = match self.all {
                    true => format!("{typed}\t"),
                    false => String::new(),
                };
                let mut text = String::new();
                for mapping in &ports {
                    for (outer, inner) in mapping.pairs() {
                        let place = place(mapping, outer);
                        let protocol = mapping.protocol;
                        text.push_str(&format!("{before}{inner}/{protocol} -> {place}\n"));
                    }
                }
                return output::text(&text);
            };
            let mut text = String::new();
            for mapping in ports.iter().filter(|mapping| mapping.protocol == protocol) {
                for (outer, _) in mapping.pairs().filter(|(_, inner)| *inner == port) {
                    text.push_str(&format!("{}\n", place(mapping, outer)));
                }
            }
            match text.is_empty() {
                true => Err(Failure::Other(format!(
                    "no port of the host leads to port {port}/{protocol} of pod {typed}"
                ))),
                false => output::text(&text),
            }
        })
    }
}

/// Where a port is on the host.
fn place(mapping: &PortMapping, port: u16) -> String {
    match mapping.host_ip {
        None => format!("0.0.0.0:{port}"),
        Some(ip) => std::net::SocketAddr::new(ip, port).to_string(),
    }
}
