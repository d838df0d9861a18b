//! What is remembered of a pod in a network, in the form that libcni has for it: whoever has to take the pod out again
//! does so with the configuration that put it in.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

use crate::config::{InvalidList, NetworkList, Source};
use crate::error::NetworkError;
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
    pub(crate) fn new(
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

    /// The same by the network's configuration of today, if that is another one and may help: by the one that the pod was put
    /// in with a plugin has refused to take it out, and may always do so.
    pub(crate) fn by_todays(&self, list: &NetworkList, refused: &NetworkError) -> Option<Self> {
        let by_plugin =
            matches!(refused, NetworkError::Plugin(error) if error.failure.is_its_own());
        let today = Self::new(list, &self.container_id, &self.if_name);
        let is_another = by_plugin
            && today.network_name == self.network_name
            && self
                .list()
                .is_ok_and(|then| then.to_value() != list.to_value());
        is_another.then(|| Self {
            config: today.config,
            ..self.clone()
        })
    }

    /// The configuration that the pod was put in with.
    ///
    /// # Errors
    /// If it is damaged.
    pub(crate) fn list(&self) -> Result<NetworkList, InvalidList> {
        NetworkList::parse(&self.config, Source::Kept)
    }
}

/// A file of which the name alone can be read: `NETWORK-POD-INTERFACE`.
#[derive(Debug)]
pub(crate) struct DamagedAttachment {
    /// The name.
    pub name: String,
    /// What is wrong.
    pub damage: FileError,
}

impl DamagedAttachment {
    /// Which pod's interface it is of, if it is of that network.
    pub(crate) fn place_in(&self, network: &NetworkName) -> Option<(ContainerId, InterfaceName)> {
        let rest = self.name.strip_prefix(network.as_str())?;
        let (pod, interface) = rest.strip_prefix('-')?.rsplit_once('-')?;
        Some((pod.parse().ok()?, interface.parse().ok()?))
    }

    fn is_of(&self, pod: &ContainerId) -> bool {
        let rest = self.name.rsplit_once('-').map(|(rest, _)| rest);
        let rest = rest.and_then(|rest| rest.strip_suffix(pod.as_str()));
        rest.is_some_and(|network| network.ends_with('-'))
    }
}

/// The directory of what is remembered.
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
        let (found, damaged) = self.of_and_damaged(pod)?;
        match damaged.into_iter().next() {
            Some(damaged) => Err(damaged.damage),
            None => Ok(found),
        }
    }

    /// As [`Self::of`], and what can't be read of it.
    pub(crate) fn of_and_damaged(
        &self,
        pod: &ContainerId,
    ) -> Result<(Vec<CachedAttachment>, Vec<DamagedAttachment>), FileError> {
        let part = format!("-{pod}-");
        let (mut found, mut damaged) = self.read(|name| name.contains(&part))?;
        found.retain(|attachment| attachment.container_id == *pod);
        found.sort_by(|one, other| {
            let key = |a: &CachedAttachment| (a.if_name.as_str().len(), a.if_name.clone());
            key(one).cmp(&key(other))
        });
        damaged.retain(|damaged| damaged.is_of(pod));
        Ok((found, damaged))
    }

    /// All that is remembered and can be read: one that is damaged is in nobody else's way.
    ///
    /// # Errors
    /// If the directory can't be read.
    pub(crate) fn all(&self) -> Result<Vec<CachedAttachment>, FileError> {
        Ok(self.read(|_| true)?.0)
    }

    /// All that is remembered and can't be read.
    pub(crate) fn damaged(&self) -> Result<Vec<DamagedAttachment>, FileError> {
        Ok(self.read(|_| true)?.1)
    }

    /// Removes what can't be read.
    pub(crate) fn discard(&self, damaged: &DamagedAttachment) -> Result<(), FileError> {
        record::remove(&self.folder.join(&damaged.name)).map(|_| ())
    }

    fn read(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Vec<CachedAttachment>, Vec<DamagedAttachment>), FileError> {
        let (mut found, mut unreadable) = (Vec::new(), Vec::new());
        for name in record::names(&self.folder)? {
            if wanted(&name) && !name.ends_with(".part") {
                match record::read_json(&self.folder.join(&name)) {
                    // One that is removed meanwhile is none.
                    Ok(attachment) => found.extend(attachment),
                    Err(damage) => unreadable.push(DamagedAttachment { name, damage }),
                }
            }
        }
        Ok((found, unreadable))
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
        let error = cache.of(&"pod-2".parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains("n-1-pod-2-eth0"), "{error}");
        let damaged = cache.damaged().unwrap();
        assert_eq!(damaged.len(), 1);
        let place = Some(("pod-2".parse().unwrap(), eth0.clone()));
        assert_eq!(damaged[0].place_in(&list.name), place);
        assert_eq!(damaged[0].place_in(&"n-2".parse().unwrap()), None);
        cache.discard(&damaged[0]).unwrap();
        cache.remove(&list.name, &pod, &eth0).unwrap();
        assert_eq!(cache.all().unwrap(), []);
    }
}
