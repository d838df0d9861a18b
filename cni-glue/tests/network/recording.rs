//! Plugins made of a few lines of shell, which write down how they are called.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::lab::Lab;

/// Writes down each call, then answers.
const RECORDING: &str = r#"#!/bin/sh
input=$(cat)
name=${0##*/}
printf '{"plugin": "%s", "command": "%s", "ifname": "%s", "netns": "%s", "args": "%s", "input": %s}\n' \
    "$name" "$CNI_COMMAND" "$CNI_IFNAME" "$CNI_NETNS" "$CNI_ARGS" "${input:-null}" >> "${0%/*}/../calls"
"#;

impl Lab {
    /// A plugin that writes down each call, and answers as the lines of shell in `then` say.
    pub(crate) fn plugin(&self, name: &str, then: &str) {
        let path = self.folder.path().join("bin").join(name);
        self.configure(&format!("bin/{name}"), &format!("{RECORDING}{then}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn calls(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// `PLUGIN COMMAND` of each call.
    pub(crate) fn order(&self) -> Vec<String> {
        let word = |call: &Value, key: &str| call[key].as_str().unwrap().to_owned();
        self.calls()
            .iter()
            .map(|c| format!("{} {}", word(c, "plugin"), word(c, "command")))
            .collect()
    }

    pub(crate) fn forget_calls(&self) {
        std::fs::remove_file(self.folder.path().join("calls")).unwrap();
    }
}
