//! `fairing network rm`: removes a network's configuration.

use std::fs;

use clap::Args;
use cni_glue::config::Source;
use cni_glue::id::NetworkName;
use engine::networks::collection::AfterFailure;

use super::lookup::{clear, find};
use pod::manifest::PodManifest;

use crate::command::several::for_each;
use crate::command::subcommand::Subcommand;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;

/// Arguments of `network rm`.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Names of the networks
    #[arg(value_name = "NETWORK", required = true)]
    names: Vec<NetworkName>,
}

impl Subcommand for Rm {
    const NAME: &'static str = "rm";
    const ABOUT: &'static str = "Remove the configuration of networks that no pod is in";

    fn run(self, context: &Context) -> Result<u8, Failure> {
        let removed = for_each(self.names, |name| {
            remove(&name, context)?;
            output::line(name.as_str())
        });
        // Bridges go when nobody is in them, also if one of several networks could not be removed.
        clear(context, AfterFailure::Remember)?;
        removed
    }
}

fn remove(name: &NetworkName, context: &Context) -> Result<(), Failure> {
    let list = find(context, name)?;
    let Source::File(path) = &list.source else {
        return Err(Failure::Other(format!(
            "network {name} is built in; a network of that name in {} takes its place",
            context
                .engine
                .directories
                .local_config
                .join("net.d")
                .display()
        )));
    };
    if !path.starts_with(&context.engine.directories.local_config) {
        return Err(Failure::Other(format!(
            "network {name} is not in the administrator's configuration: it is configured in {}",
            path.display()
        )));
    }
    for entry in context.engine.pods().in_phase(pod::Phase::Run)? {
        let joined = pod::network::load(&entry.path).ok().flatten();
        let is_in = joined.is_some_and(|status| status.networks.iter().any(|n| n.name == *name));
        if is_in
            && entry
                .state()
                .is_ok_and(|state| state == pod::State::Running)
        {
            let pod = PodManifest::load(&entry.path).map(|manifest| manifest.called());
            let pod = pod.unwrap_or_else(|_| entry.uuid.to_string());
            return Err(Failure::Other(format!(
                "network {name} is in use: pod {pod} is in it",
            )));
        }
    }
    fs::remove_file(path).map_err(Failure::io("remove", path))
}
