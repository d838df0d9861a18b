//! The network that a command is about, and what is shown of it.

use cni_glue::config::{NetworkList, Source};
use cni_glue::id::NetworkName;
use engine::networks::collection::{self, AfterFailure};
use engine::networks::settings::networks;

use crate::command::several::for_each;
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::networks::cleared;

/// The network of that name.
pub(super) fn find(context: &Context, name: &NetworkName) -> Result<NetworkList, Failure> {
    let networks = networks(&context.engine)?;
    let found = networks.get(name).cloned();
    found.ok_or_else(|| {
        let known: Vec<_> = networks
            .lists()
            .iter()
            .map(|list| list.name.as_str())
            .collect();
        Failure::NoSuchName(format!(
            "no such network: {name}; there are: {}",
            known.join(", ")
        ))
    })
}

/// Where a network is configured, in words.
pub(super) fn source(list: &NetworkList) -> String {
    match &list.source {
        Source::BuiltIn | Source::Kept => "built in".to_owned(),
        Source::File(path) => path.display().to_string(),
    }
}

/// Its plugins, in order.
pub(super) fn plugins(list: &NetworkList) -> Vec<String> {
    list.plugins
        .iter()
        .map(|plugin| plugin.kind.clone())
        .collect()
}

/// Gives back what dead pods hold of networks, and says what that was.
pub(super) fn clear(context: &Context, after: AfterFailure) -> Result<u8, Failure> {
    let (report, errors) = collection::clear(&context.engine, &[], after);
    let mut failures: Vec<Failure> = errors.into_iter().map(Failure::from).collect();
    if let Some(line) = cleared(&report) {
        failures.extend(output::line(&line).err());
    }
    for_each(failures, Err)
}
