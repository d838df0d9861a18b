//! What is remembered of a pod in a network, in the form that libcni has for it: whoever has to take the pod out again
//! does so with the configuration that put it in.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

use crate::config::{InvalidList, NetworkList, Source};
use crate::id::{ContainerId, InterfaceName, NetworkName};
use crate::record::{self, FileError};

/// A pod's place in a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CachedAttachment {
    kind: CacheKind,
    /// The pod.
    pub container_id: ContainerId,
    /// The configuration, whole.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    config: Vec<u8>,
    /// Its interface.
    pub if_name: InterfaceName,
    /// The network.
    pub network_name: NetworkName,
    /// Where its namespace was.
    #[serde(default)]
    pub netns: String,
    /// `CNI_ARGS`.
    #[serde(default)]
    pub cni_args: Vec<(String, String)>,
    /// What plugins could be told.
    #[serde(default)]
    pub capability_args: Map<String, Value>,
    /// What the last plugin said; nothing while ADD is under way, or if it was interrupted.
    #[serde(default)]
    pub result: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum CacheKind {
    #[serde(rename = "cniCacheV1")]
    V1,
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    STANDARD
        .decode(String::deserialize(deserializer)?)
        .map_err(D::Error::custom)
}

impl CachedAttachment {
    pub(super) fn new(
        list: &NetworkList,
        container_id: &ContainerId,
        if_name: &InterfaceName,
    ) -> Self {
        Self {
            kind: CacheKind::V1,
            container_id: container_id.clone(),
            config: list.to_value().to_string().into_bytes(),
            if_name: if_name.clone(),
            network_name: list.name.clone(),
            netns: String::new(),
            cni_args: Vec::new(),
            capability_args: Map::new(),
            result: None,
        }
    }

    /// The configuration that the pod was put in with.
    ///
    /// # Errors
    /// If it is damaged.
    pub(crate) fn list(&self) -> Result<NetworkList, InvalidList> {
        NetworkList::parse(&self.config, Source::Kept)
    }
}

/// The folder of what is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// That below `state`.
    pub(crate) fn new(state: &Path) -> Self {
        Self {
            folder: state.join("results"),
        }
    }

    fn path(&self, network: &NetworkName, pod: &ContainerId, interface: &InterfaceName) -> PathBuf {
        self.folder.join(format!("{network}-{pod}-{interface}"))
    }

    pub(super) fn store(&self, attachment: &CachedAttachment) -> Result<(), FileError> {
        let path = self.path(
            &attachment.network_name,
            &attachment.container_id,
            &attachment.if_name,
        );
        // Nobody else writes of this pod in this network.
        record::write_json(&path, "new", attachment)
    }

    pub(super) fn remove(
        &self,
        network: &NetworkName,
        pod: &ContainerId,
        interface: &InterfaceName,
    ) -> Result<(), FileError> {
        record::remove(&self.path(network, pod, interface)).map(|_| ())
    }

    /// All that is remembered of one pod, in the order of its interfaces.
    ///
    /// # Errors
    /// If a file can't be read or is damaged.
    pub(crate) fn of(&self, pod: &ContainerId) -> Result<Vec<CachedAttachment>, FileError> {
        let part = format!("-{pod}-");
        let found = self.read(|name| name.contains(&part))?;
        let mut found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        found.retain(|attachment| attachment.container_id == *pod);
        found.sort_by(|one, other| {
            let key = |a: &CachedAttachment| (a.if_name.as_str().len(), a.if_name.clone());
            key(one).cmp(&key(other))
        });
        Ok(found)
    }

    /// All that is remembered and can be read: one that is damaged is in nobody else's way.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub(crate) fn all(&self) -> Result<Vec<CachedAttachment>, FileError> {
        Ok(self.read(|_| true)?.into_iter().flatten().collect())
    }

    /// Why what is remembered can't be read, one error for each file.
    pub(crate) fn damages(&self) -> Result<Vec<FileError>, FileError> {
        let found = self.read(|_| true)?.into_iter();
        Ok(found.filter_map(Result::err).collect())
    }

    fn read(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Result<CachedAttachment, FileError>>, FileError> {
        let mut found = Vec::new();
        for name in record::names(&self.folder)? {
            if wanted(&name) && !name.ends_with(".part") {
                // One that is removed meanwhile is none.
                found.extend(record::read_json(&self.folder.join(name)).transpose());
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_that_of_libcni() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let text = br#"{"name": "n-1", "cniVersion": "1.0.0", "type": "ptp"}"#;
        let list = NetworkList::parse(text, Source::Kept).unwrap();
        let (pod, eth0) = ("pod-1".parse().unwrap(), "eth0".parse().unwrap());
        let mut attachment = CachedAttachment::new(&list, &pod, &eth0);
        attachment.cni_args = vec![("IP".into(), "10.0.0.1".into())];
        attachment.result = Some(serde_json::json!({"cniVersion": "1.0.0"}));
        cache.store(&attachment).unwrap();
        let path = folder.path().join("results/n-1-pod-1-eth0");
        let value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(value["kind"], "cniCacheV1");
        assert_eq!(value["containerId"], "pod-1");
        assert_eq!(value["ifName"], "eth0");
        assert_eq!(value["networkName"], "n-1");
        assert_eq!(value["cniArgs"], serde_json::json!([["IP", "10.0.0.1"]]));
        let config = STANDARD.decode(value["config"].as_str().unwrap()).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&config).unwrap()["name"],
            "n-1"
        );
        assert_eq!(cache.of(&pod).unwrap(), [attachment.clone()]);
        assert_eq!(cache.of(&"pod".parse().unwrap()).unwrap(), []);
        assert_eq!(attachment.list().unwrap().plugins[0].kind, "ptp");
        // One that is damaged is a hindrance to its own pod alone.
        std::fs::write(folder.path().join("results/n-1-pod-2-eth0"), "{").unwrap();
        assert_eq!(cache.all().unwrap(), [attachment.clone()]);
        assert_eq!(cache.of(&pod).unwrap(), [attachment]);
        assert!(cache.of(&"pod-2".parse().unwrap()).is_err());
        assert_eq!(cache.damages().unwrap().len(), 1);
        cache.remove(&list.name, &pod, &eth0).unwrap();
        assert_eq!(cache.all().unwrap(), []);
    }
}
