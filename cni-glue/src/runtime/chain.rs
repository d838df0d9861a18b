//! What each plugin of a list is told. Pure functions.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::config::{NetworkList, PluginConfig, SpecVersion};
use crate::id::{ContainerId, InterfaceName};

/// The configuration of one plugin as it gets it on its standard input.
pub(super) fn plugin_input(
    list: &NetworkList,
    plugin: &PluginConfig,
    version: SpecVersion,
    capability_args: &Map<String, Value>,
    previous: Option<Value>,
) -> Map<String, Value> {
    let mut input = plugin.fields.clone();
    for key in ["capabilities", "cniVersions", "disableCheck", "disableGC"] {
        input.remove(key);
    }
    input.insert("name".into(), json!(list.name));
    input.insert("cniVersion".into(), json!(version));
    let told = told_to(plugin, capability_args);
    if !told.is_empty() {
        input.insert("runtimeConfig".into(), Value::Object(told));
    }
    if let Some(previous) = previous {
        input.insert("prevResult".into(), previous);
    }
    input
}

/// What a plugin is told of what there is to tell.
pub(super) fn told_to(plugin: &PluginConfig, args: &Map<String, Value>) -> Map<String, Value> {
    args.iter()
        .filter(|(capability, _)| plugin.can(capability))
        .map(|(capability, value)| (capability.clone(), value.clone()))
        .collect()
}

/// `cni.dev/valid-attachments`: what GC must leave alone.
pub(super) fn valid_attachments(valid: &[(ContainerId, InterfaceName)]) -> Value {
    valid
        .iter()
        .map(|(container, interface)| json!({"containerID": container, "ifname": interface}))
        .collect()
}

/// `CNI_ARGS`. A plugin that doesn't know one of them shall not mind.
pub(super) fn arguments(arguments: &[(String, String)]) -> String {
    const SAID: &str = "IgnoreUnknown";
    let mut text = format!("{SAID}=1");
    for (key, value) in arguments.iter().filter(|(key, _)| key != SAID) {
        text.push(';');
        text.push_str(key);
        text.push('=');
        text.push_str(value);
    }
    text
}

/// The newest version that the configuration allows and all plugins speak; or the first plugin that stands in the
/// way, and what it speaks.
pub(super) fn newest_common<'a>(
    list: &NetworkList,
    spoken: &'a BTreeMap<String, Vec<String>>,
) -> Result<SpecVersion, (&'a str, &'a [String])> {
    let mut allowed: Vec<_> = list
        .versions
        .iter()
        .chain([&list.version])
        .copied()
        .collect();
    allowed.sort_unstable();
    let speaks = |versions: &[String], version: SpecVersion| {
        versions.iter().any(|spoken| spoken == version.as_str())
    };
    let common = allowed
        .iter()
        .rev()
        .find(|version| spoken.values().all(|versions| speaks(versions, **version)));
    match common {
        Some(version) => Ok(*version),
        None => Err(spoken
            .iter()
            .find(|(_, versions)| !allowed.iter().any(|version| speaks(versions, *version)))
            .or_else(|| spoken.iter().next())
            .map(|(plugin, versions)| (plugin.as_str(), versions.as_slice()))
            .unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn list(value: &Value) -> NetworkList {
        NetworkList::parse(value.to_string().as_bytes(), Source::Kept).unwrap()
    }

    #[test]
    fn a_plugin_is_told_what_it_can_take_and_no_more() {
        let list = list(&json!({"name": "n", "cniVersion": "1.0.0", "plugins": [
            {"type": "x", "strange": 1, "capabilities": {"ips": true, "mac": false}},
        ]}));
        let mut args = Map::new();
        args.insert("ips".into(), json!(["10.0.0.1"]));
        args.insert("mac".into(), json!("02:00:00:00:00:01"));
        let previous = Some(json!({"ips": []}));
        let input = plugin_input(
            &list,
            &list.plugins[0],
            SpecVersion::V0_4_0,
            &args,
            previous,
        );
        assert_eq!(
            Value::Object(input),
            json!({
                "type": "x", "strange": 1, "name": "n", "cniVersion": "0.4.0",
                "runtimeConfig": {"ips": ["10.0.0.1"]}, "prevResult": {"ips": []},
            })
        );
        let input = plugin_input(
            &list,
            &list.plugins[0],
            SpecVersion::V0_4_0,
            &Map::new(),
            None,
        );
        assert!(!input.contains_key("runtimeConfig") && !input.contains_key("prevResult"));
    }

    #[test]
    fn the_newest_version_that_all_speak_is_taken() {
        let list = list(
            &json!({"name": "n", "cniVersion": "0.3.1", "cniVersions": ["0.4.0", "1.1.0", "1.0.0"], "type": "x"}),
        );
        let spoken = |versions: [&[&str]; 2]| {
            ["a", "b"]
                .iter()
                .zip(versions)
                .map(|(name, v)| (name.to_string(), v.iter().map(|v| v.to_string()).collect()))
                .collect::<BTreeMap<_, _>>()
        };
        let both = spoken([&["0.4.0", "1.0.0", "1.1.0"], &["1.0.0", "0.4.0"]]);
        assert_eq!(newest_common(&list, &both), Ok(SpecVersion::V1_0_0));
        let other = spoken([&["0.2.0"], &["1.0.0"]]);
        assert_eq!(newest_common(&list, &other).unwrap_err().0, "a");
    }

    #[test]
    fn arguments_are_one_string() {
        let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let said = [("IgnoreUnknown", "1"), ("IP", "10.0.0.1")].map(own);
        for given in [&said[..], &said[1..]] {
            assert_eq!(arguments(given), "IgnoreUnknown=1;IP=10.0.0.1");
        }
    }
}
