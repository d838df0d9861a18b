//! What is shown of volumes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::error::VolumeError;
use engine::volumes::in_use::{Use, volumes_in_use};
use pod::named_volumes::NamedVolumeName;
use pod::timestamp::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::arguments::filter::{Filter, OF_VOLUMES, passes, unknown};
use crate::console::output;
use crate::context::Context;
use crate::wording::failure::Failure;
use crate::wording::in_use::told;

/// What is known of a volume.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct View {
    pub(super) name: NamedVolumeName,
    pub(super) created: Timestamp,
    pub(super) labels: BTreeMap<String, String>,
    /// The directory that apps see.
    pub(super) path: PathBuf,
    /// The most that it holds, in bytes.
    pub(super) limit: Option<u64>,
    /// The bytes that it holds, if it has a limit.
    pub(super) used: Option<u64>,
    pub(super) pods: Vec<Use>,
}

impl View {
    /// For templates: the same, with the words that docker and podman have for it.
    pub(super) fn value(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        let words = json!({
            "Name": self.name,
            "Driver": "local",
            "Mountpoint": self.path,
            "CreatedAt": self.created,
            "Labels": self.labels,
            "Options": self.limit.map_or(json!({}), |limit| json!({ "size": limit.to_string() })),
            "Scope": "local",
        });
        if let (Some(value), Value::Object(words)) = (value.as_object_mut(), words) {
            value.extend(words);
        }
        value
    }
}

/// All volumes, sorted by name. One whose record can't be read is told of.
pub(super) fn all(context: &Context) -> Result<Vec<View>, Failure> {
    let volumes = context.engine.volumes();
    let names = volumes.names().map_err(VolumeError::Files);
    let names = names.map_err(engine::Error::from)?;
    let mut uses = told(volumes_in_use(&context.engine.pods())?);
    let mut views = Vec::with_capacity(names.len());
    for name in names {
        match volumes.get(&name) {
            Ok(Some(volume)) => views.push(View {
                path: volume.data(),
                limit: volume.record.limit.map(|limit| limit.bytes),
                // Without quotas nobody counts any more.
                used: volume.used().unwrap_or_default(),
                pods: uses.remove(&name).unwrap_or_default(),
                created: volume.record.created,
                labels: volume.record.labels,
                name,
            }),
            // It has gone meanwhile.
            Ok(None) => {}
            Err(error) => output::warn(&format!("volume {name}: {error}")),
        }
    }
    Ok(views)
}

/// Looks whether there are such filters, whatever volumes there are.
pub(super) fn check(filters: &[Filter]) -> Result<(), Failure> {
    for Filter { key, value } in filters {
        match key.as_str() {
            "name" | "label" => {}
            "dangling" if matches!(value.as_str(), "true" | "false" | "1" | "0") => {}
            "dangling" => {
                return Err(Failure::Usage(format!(
                    "the filter dangling={value}: write true or false"
                )));
            }
            other => {
                return Err(Failure::Usage(unknown(other, OF_VOLUMES)));
            }
        }
    }
    Ok(())
}

/// Whether a volume passes filters that [`check`] lets through.
pub(super) fn is_shown(view: &View, filters: &[Filter]) -> bool {
    let holds = |filter: &Filter| {
        let value = filter.value.as_str();
        Ok::<_, std::convert::Infallible>(match filter.key.as_str() {
            "name" => view.name.as_str().contains(value),
            "label" => filter.finds_label(&view.labels),
            _ => view.pods.is_empty() == matches!(value, "true" | "1"),
        })
    };
    passes(filters, holds).unwrap_or_else(|never| match never {})
}
