//! What a root filesystem lacks to be an image: how to run what is in it.

use std::collections::BTreeMap;

use image_document::Platform;
use serde_json::{Map, Value, json};

use super::platform::with_platform;

/// How to run what is in a root filesystem that becomes an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageSettings {
    /// `Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `Cmd`.
    pub cmd: Vec<String>,
    /// `Env`, each `NAME=VALUE`.
    pub env: Vec<String>,
    /// `User`: name or number, and perhaps group.
    pub user: Option<String>,
    /// `WorkingDir`.
    pub workdir: Option<String>,
    /// `Labels`.
    pub labels: BTreeMap<String, String>,
    /// `StopSignal`.
    pub stop_signal: Option<String>,
}

impl ImageSettings {
    /// The configuration but for its layers. It has no date, so that it depends on nothing else.
    pub(super) fn config(&self, platform: &Platform) -> Value {
        let mut config = Map::new();
        let mut set = |name: &str, value: Value| {
            config.insert(name.to_owned(), value);
        };
        if !self.entrypoint.is_empty() {
            set("Entrypoint", json!(self.entrypoint));
        }
        if !self.cmd.is_empty() {
            set("Cmd", json!(self.cmd));
        }
        if !self.env.is_empty() {
            set("Env", json!(self.env));
        }
        if let Some(user) = &self.user {
            set("User", json!(user));
        }
        if let Some(workdir) = &self.workdir {
            set("WorkingDir", json!(workdir));
        }
        if !self.labels.is_empty() {
            set("Labels", json!(self.labels));
        }
        if let Some(signal) = &self.stop_signal {
            set("StopSignal", json!(signal));
        }
        with_platform(json!({ "config": config }), platform)
    }
}
