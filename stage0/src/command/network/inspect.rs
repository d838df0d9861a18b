//! `fairing network inspect`.

use clap::Args;
use cni_glue::builtin::subnets;
use cni_glue::config::NetworkList;
use cni_glue::id::NetworkName;
use pod::{PodName, PodUuid};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::lookup::{find, source};
use crate::arguments::listing::{Inspected, inspected, rendered};
use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::docker_members::{of_network, with};
use crate::wording::failure::Failure;

/// Arguments of `network inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Names of networks
    #[arg(value_name = "NETWORK", required = true)]
    names: Vec<NetworkName>,
    /// How to show them: json, or a template such as '{{.Driver}}'
    #[arg(short, long, value_name = "FORMAT", value_parser = inspected, default_value = "json")]
    format: Inspected,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct View<'a> {
    name: &'a NetworkName,
    source: String,
    plugins: Vec<&'a Map<String, Value>>,
    pods: Vec<Member>,
}

/// A pod that is in the network.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Member {
    uuid: PodUuid,
    name: Option<PodName>,
    interface: String,
    addresses: Vec<String>,
}

impl Subcommand for Inspect {
    const NAME: &'static str = "inspect";
    const ABOUT: &'static str = "Show the configuration of networks and the pods in them, as JSON";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let are_several = self.names.len() > 1;
        let mut shown = Vec::new();
        let done = for_each(self.names, |name| {
            let list = find(context, &name)?;
            let view = View {
                name: &list.name,
                source: source(&list),
                plugins: list.plugins.iter().map(|plugin| &plugin.fields).collect(),
                pods: members(&list, context)?,
            };
            match &self.format {
                Inspected::Lines(template) => {
                    let state = &context.engine.attacher().runtime.state;
                    let made = subnets(state, &list.name);
                    let words = of_network(&list, &made, containers(&view.pods));
                    output::line(&rendered(template, &with(json!(view), words))?)?;
                }
                Inspected::Json if are_several => shown.push(json!(view)),
                Inspected::Json => output::json(&view)?,
            }
            Ok(())
        });
        if are_several && self.format == Inspected::Json {
            output::json(&shown)?;
        }
        done
    }
}

/// Those pods as docker has containers in a network.
fn containers(members: &[Member]) -> Map<String, Value> {
    let container = |member: &Member| {
        let address = |is_of_family: fn(&str) -> bool| {
            let addresses = member.addresses.iter().map(String::as_str);
            let mut fitting = addresses.filter(|address| is_of_family(address));
            fitting.next().unwrap_or_default().to_owned()
        };
        let value = json!({
            "Name": member.name,
            "IPv4Address": address(|address| !address.contains(':')),
            "IPv6Address": address(|address| address.contains(':')),
        });
        (member.uuid.to_string(), value)
    };
    members.iter().map(container).collect()
}

/// The pods that run and have joined a network.
fn members(list: &NetworkList, context: &Context) -> Result<Vec<Member>, Failure> {
    let mut members = Vec::new();
    for entry in context.engine.pods().in_phase(pod::Phase::Run)? {
        // A pod that ends meanwhile, or whose record is torn, has no place to tell of.
        let Ok(Some(status)) = pod::network::load(&entry.path) else {
            continue;
        };
        if !entry
            .state()
            .is_ok_and(|state| state == pod::State::Running)
        {
            continue;
        }
        let name = pod::manifest::PodManifest::load(&entry.path).ok();
        for joined in status.networks.into_iter().filter(|n| n.name == list.name) {
            members.push(Member {
                uuid: entry.uuid,
                name: name.as_ref().and_then(|manifest| manifest.name.clone()),
                interface: joined.interface.to_string(),
                addresses: joined
                    .addresses
                    .iter()
                    .map(|address| address.address.to_string())
                    .collect(),
            });
        }
    }
    Ok(members)
}
