//! Which version of the specification to speak.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Map;

use super::chain;
use super::verb::Verb;
use super::verbs::{Call, Runtime};
use crate::builtin::PLUGIN_TYPE;
use crate::config::{NetworkList, PluginConfig, SpecVersion};
use crate::error::NetworkError;
use crate::error::{PluginError, PluginFailure};

impl Runtime {
    /// The version to speak. Plugins are asked only if the configuration leaves a choice.
    pub(super) fn version(&self, list: &NetworkList) -> Result<SpecVersion, NetworkError> {
        if list.versions.iter().all(|version| *version == list.version) {
            return Ok(list.version);
        }
        let mut spoken = BTreeMap::new();
        for plugin in &list.plugins {
            if plugin.kind != PLUGIN_TYPE && !spoken.contains_key(&plugin.kind) {
                spoken.insert(plugin.kind.clone(), self.plugin_versions(list, plugin)?);
            }
        }
        chain::newest_common(list, &spoken).map_err(|(kind, versions)| {
            let error = PluginError {
                network: list.name.to_string(),
                plugin: kind.into(),
                verb: Verb::Version,
                failure: PluginFailure::Version(versions.join(", ")),
            };
            Box::new(error).into()
        })
    }

    /// The versions that a plugin speaks.
    fn plugin_versions(
        &self,
        list: &NetworkList,
        plugin: &PluginConfig,
    ) -> Result<Vec<String>, NetworkError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct SupportedVersions {
            supported_versions: Vec<String>,
        }

        let mut input = Map::new();
        input.insert("cniVersion".into(), SpecVersion::LATEST.as_str().into());
        let call = Call {
            list,
            version: SpecVersion::LATEST,
            attachment: None,
            netns: "",
        };
        let answer = self.call_with(&call, plugin, Verb::Version, &input)?;
        let spoken: SupportedVersions = serde_json::from_slice(&answer).map_err(|error| {
            self.failed(
                list,
                plugin,
                Verb::Version,
                PluginFailure::Garbage(error.to_string()),
            )
        })?;
        Ok(spoken.supported_versions)
    }
}
