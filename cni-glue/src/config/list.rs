//! A network configuration: a list of plugins that are called one after the other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Map, Value};

use super::version::{SpecVersion, UnknownVersion};
use crate::id::{InvalidName, NetworkName};

/// Why bytes are no network configuration.
#[derive(Debug, thiserror::Error)]
pub enum InvalidList {
    /// Not JSON, or a key of the wrong type.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// The name.
    #[error("{0}")]
    Name(#[from] InvalidName),
    /// The version.
    #[error("{0}")]
    Version(#[from] UnknownVersion),
    /// A key that must be there isn't.
    #[error("it has no {0:?}")]
    Missing(&'static str),
    /// A plugin's type is looked up in directories, and must not lead out of them.
    #[error("the type {0:?} is not a file name")]
    Type(String),
    /// A plugin's own file in the directory of the list.
    #[error("plugin {}: {reason}", path.display())]
    PluginFile {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Where a configuration is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// From this file.
    File(PathBuf),
    /// From the program itself.
    BuiltIn,
    /// What was kept when a pod joined.
    Kept,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::BuiltIn => f.write_str("built in"),
            Self::Kept => f.write_str("kept since the pod joined"),
        }
    }
}

/// One plugin of a list, with every key that its configuration has.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginConfig {
    /// The name of its program.
    pub kind: String,
    /// What it can take at run time, by name.
    pub capabilities: BTreeMap<String, bool>,
    /// All keys, the two above among them.
    pub fields: Map<String, Value>,
}

impl PluginConfig {
    fn parse(value: Value) -> Result<Self, InvalidList> {
        #[derive(Deserialize)]
        struct Known {
            #[serde(rename = "type")]
            kind: Option<String>,
            #[serde(default)]
            capabilities: Option<BTreeMap<String, bool>>,
        }

        let known: Known = understood(&value)?;
        let Value::Object(fields) = value else {
            return Err(InvalidList::Missing("type"));
        };
        let kind = known.kind.ok_or(InvalidList::Missing("type"))?;
        if kind.is_empty() || kind.contains(['/', '\0']) || matches!(kind.as_str(), "." | "..") {
            return Err(InvalidList::Type(kind));
        }
        Ok(Self {
            kind,
            capabilities: known.capabilities.unwrap_or_default(),
            fields,
        })
    }

    /// Whether it takes this at run time.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.get(capability) == Some(&true)
    }
}

/// A network that pods can join.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkList {
    /// Its name.
    pub name: NetworkName,
    /// The version that its author wrote it for.
    pub version: SpecVersion,
    /// Versions that will do as well.
    pub versions: Vec<SpecVersion>,
    /// Whether CHECK is never to be called.
    pub disable_check: bool,
    /// Whether GC is never to be called.
    pub disable_gc: bool,
    /// What is called, in order.
    pub plugins: Vec<PluginConfig>,
    /// Where it is from.
    pub source: Source,
}

/// Some write a boolean as a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Plain(bool),
    Text(String),
}

impl Flag {
    fn is_set(flag: Option<Self>) -> bool {
        match flag {
            None => false,
            Some(Self::Plain(set)) => set,
            Some(Self::Text(text)) => text.eq_ignore_ascii_case("true"),
        }
    }
}

impl NetworkList {
    /// Reads a list, or the configuration of a single plugin. Plugins in files of their own are looked for in the
    /// directory that is called as the network and stands beside `source`.
    ///
    /// # Errors
    /// [`InvalidList`] if it is none.
    pub fn parse(bytes: &[u8], source: Source) -> Result<Self, InvalidList> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Known {
            name: Option<String>,
            cni_version: Option<String>,
            #[serde(default)]
            cni_versions: Vec<String>,
            disable_check: Option<Flag>,
            #[serde(rename = "disableGC")]
            disable_gc: Option<Flag>,
            #[serde(default)]
            load_only_inlined_plugins: bool,
            plugins: Option<Vec<Value>>,
        }

        let value: Value = serde_json::from_slice(bytes)?;
        let known: Known = understood(&value)?;
        let name: NetworkName = known.name.ok_or(InvalidList::Missing("name"))?.parse()?;
        // What isn't known of what will do as well, won't be chosen.
        let versions: Vec<SpecVersion> = known
            .cni_versions
            .iter()
            .filter_map(|version| version.parse().ok())
            .collect();
        let version = match (known.cni_version, versions.iter().max()) {
            (Some(version), _) => version.parse()?,
            (None, Some(version)) => *version,
            (None, None) => return Err(InvalidList::Missing("cniVersion")),
        };
        let single = known.plugins.is_none() && value.get("type").is_some();
        let mut plugins = match known.plugins {
            _ if single => vec![PluginConfig::parse(value)?],
            plugins => plugins
                .unwrap_or_default()
                .into_iter()
                .map(PluginConfig::parse)
                .collect::<Result<_, _>>()?,
        };
        if let (Source::File(path), false, false) =
            (&source, single, known.load_only_inlined_plugins)
        {
            plugins.extend(plugin_files(path, &name)?);
        }
        if plugins.is_empty() {
            return Err(InvalidList::Missing("plugins"));
        }
        Ok(Self {
            name,
            version,
            versions,
            disable_check: Flag::is_set(known.disable_check),
            disable_gc: Flag::is_set(known.disable_gc),
            plugins,
            source,
        })
    }

    /// The list as JSON, whole: what is kept of it while a pod is in the network.
    pub fn to_value(&self) -> Value {
        let mut value = serde_json::json!({
            "name": self.name,
            "cniVersion": self.version,
            "plugins": self.plugins.iter().map(|p| Value::Object(p.fields.clone())).collect::<Vec<_>>(),
            // All are here.
            "loadOnlyInlinedPlugins": true,
        });
        if let Some(object) = value.as_object_mut() {
            if !self.versions.is_empty() {
                object.insert("cniVersions".into(), serde_json::json!(self.versions));
            }
            for (key, set) in [
                ("disableCheck", self.disable_check),
                ("disableGC", self.disable_gc),
            ] {
                if set {
                    object.insert(key.into(), Value::Bool(true));
                }
            }
        }
        value
    }

    /// Whether one of its plugins takes this at run time.
    pub fn can(&self, capability: &str) -> bool {
        self.plugins.iter().any(|plugin| plugin.can(capability))
    }
}

/// What a value says, or which of its keys is not understood, and why.
fn understood<T: DeserializeOwned>(value: &Value) -> Result<T, InvalidList> {
    // Where it is understood, nobody has to know the place.
    T::deserialize(value).or_else(|_| {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let key = error.path().to_string();
            InvalidList::Json(serde_json::Error::custom(format!(
                "{key}: {}",
                error.into_inner()
            )))
        })
    })
}

/// The plugins in files of their own.
fn plugin_files(list: &Path, name: &NetworkName) -> Result<Vec<PluginConfig>, InvalidList> {
    let folder = list.with_file_name(name.as_str());
    let invalid = |path: &Path, reason: String| InvalidList::PluginFile {
        path: path.to_path_buf(),
        reason,
    };
    let mut plugins = Vec::new();
    for file in crate::record::names(&folder).map_err(|e| invalid(&folder, e.to_string()))? {
        let path = folder.join(file);
        if path
            .extension()
            .is_some_and(|extension| extension == "conf")
        {
            let bytes = crate::record::read(&path)
                .map_err(|e| invalid(&path, e.to_string()))?
                .unwrap_or_default();
            let value = serde_json::from_slice(&bytes);
            let value = value.map_err(|e| invalid(&path, e.to_string()))?;
            plugins.push(PluginConfig::parse(value).map_err(|e| invalid(&path, e.to_string()))?);
        }
    }
    Ok(plugins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(value: &Value) -> Result<NetworkList, InvalidList> {
        NetworkList::parse(value.to_string().as_bytes(), Source::Kept)
    }

    #[test]
    fn lists_and_single_plugins_are_read_and_strange_keys_kept() {
        let list = parse(&json!({
            "name": "front", "cniVersion": "0.4.0", "cniVersions": ["0.4.0", "1.0.0", "9.9.9"],
            "disableCheck": "true", "disableGC": true, "x": 1,
            "plugins": [{"type": "bridge", "capabilities": {"ips": true, "mac": false}, "strange": [1]}],
        }))
        .unwrap();
        assert_eq!(list.version, SpecVersion::V0_4_0);
        assert_eq!(list.versions, [SpecVersion::V0_4_0, SpecVersion::V1_0_0]);
        assert!(list.disable_check && list.disable_gc);
        assert!(list.can("ips") && !list.can("mac"));
        assert_eq!(list.plugins[0].fields["strange"], json!([1]));
        assert_eq!(parse(&list.to_value()).unwrap(), list);
        let single = json!({"name": "one", "cniVersion": "0.3.1", "type": "ptp", "mtu": 9});
        let list = parse(&single).unwrap();
        assert_eq!(list.plugins[0].fields["mtu"], 9);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (bad, reason) in [
            (json!([]), "invalid"),
            (json!({"cniVersion": "1.0.0", "type": "x"}), "no \"name\""),
            (
                json!({"name": "a/b", "cniVersion": "1.0.0", "type": "x"}),
                "not a valid network name",
            ),
            (json!({"name": "a", "type": "x"}), "no \"cniVersion\""),
            (
                json!({"name": "a", "cniVersion": "2.0.0", "type": "x"}),
                "not supported",
            ),
            (
                json!({"name": "a", "cniVersion": "1.0.0"}),
                "no \"plugins\"",
            ),
            (
                json!({"name": "a", "cniVersion": "1.0.0", "plugins": []}),
                "no \"plugins\"",
            ),
            (
                json!({"name": "a", "cniVersion": "1.0.0", "plugins": [{}]}),
                "no \"type\"",
            ),
            (
                json!({"name": "a", "cniVersion": 7, "type": "x"}),
                "cniVersion: invalid type: integer `7`, expected a string",
            ),
            (
                json!({"name": "a", "cniVersion": "1.0.0", "plugins": [{"type": "x", "capabilities": {"ips": 1}}]}),
                "capabilities.ips: invalid type: integer `1`, expected a boolean",
            ),
            (
                json!({"name": "a", "cniVersion": "1.0.0", "plugins": [5]}),
                "invalid",
            ),
            (
                json!({"name": "a", "cniVersion": "1.0.0", "type": "../sh"}),
                "not a file name",
            ),
            (
                json!({"name": "a", "cniVersion": "1.0.0", "type": ".."}),
                "not a file name",
            ),
        ] {
            let error = parse(&bad).unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }

    #[test]
    fn plugins_may_have_files_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("10-front.conflist");
        std::fs::create_dir(folder.path().join("front")).unwrap();
        let plugin = folder.path().join("front/20-tuning.conf");
        std::fs::write(&plugin, r#"{"type": "tuning"}"#).unwrap();
        std::fs::write(folder.path().join("front/README"), "").unwrap();
        let kinds = |extra: &str| {
            let text = format!(
                r#"{{"name": "front", "cniVersion": "1.1.0", {extra} "plugins": [{{"type": "bridge"}}]}}"#
            );
            let list = NetworkList::parse(text.as_bytes(), Source::File(path.clone())).unwrap();
            list.plugins.into_iter().map(|p| p.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(""), ["bridge", "tuning"]);
        assert_eq!(kinds(r#""loadOnlyInlinedPlugins": true,"#), ["bridge"]);
        std::fs::write(&plugin, "{").unwrap();
        let text = br#"{"name": "front", "cniVersion": "1.1.0", "plugins": [{"type": "bridge"}]}"#;
        let error = NetworkList::parse(text, Source::File(path)).unwrap_err();
        assert!(error.to_string().contains("20-tuning.conf"), "{error}");
    }
}
