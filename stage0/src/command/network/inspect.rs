//! `fairing network inspect`.

use clap::Args;
use cni_glue::config::NetworkList;
use cni_glue::id::NetworkName;
use pod::{PodName, PodUuid};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::lookup::{find, source};
use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `network inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Names of networks
    #[arg(value_name = "NETWORK", required = true)]
    names: Vec<NetworkName>,
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
            match are_several {
                true => shown.push(json!(view)),
                false => output::json(&view)?,
            }
            Ok(())
        });
        if are_several {
            output::json(&shown)?;
        }
        done
    }
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
