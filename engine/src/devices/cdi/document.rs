//! A file that describes devices.

use serde::Deserialize;

use super::name::{is_device, is_kind};

/// Devices of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Document {
    cdi_version: String,
    /// `vendor.com/class`.
    pub(super) kind: String,
    #[serde(default)]
    annotations: Option<serde_json::Value>,
    pub(super) devices: Vec<DescribedDevice>,
    /// What comes with each of them.
    #[serde(default)]
    pub(super) container_edits: ContainerEdits,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct DescribedDevice {
    pub(super) name: String,
    #[serde(default)]
    annotations: Option<serde_json::Value>,
    pub(super) container_edits: ContainerEdits,
}

/// What an app gets. Where a vendor's program writes `null`, nothing is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct ContainerEdits {
    pub(super) env: Option<Vec<String>>,
    pub(super) device_nodes: Option<Vec<DeviceNode>>,
    pub(super) mounts: Option<Vec<HostMount>>,
    pub(super) hooks: Option<Vec<serde_json::Value>>,
    #[serde(rename = "additionalGids")]
    pub(super) additional_gids: Option<Vec<u32>>,
    pub(super) intel_rdt: Option<serde_json::Value>,
    pub(super) net_devices: Option<Vec<serde_json::Value>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct DeviceNode {
    pub(super) path: String,
    #[serde(default)]
    pub(super) host_path: Option<String>,
    #[serde(default, rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) major: Option<u32>,
    #[serde(default)]
    pub(super) minor: Option<u32>,
    #[serde(default)]
    pub(super) file_mode: Option<u32>,
    #[serde(default)]
    pub(super) permissions: Option<String>,
    #[serde(default)]
    pub(super) uid: Option<u32>,
    #[serde(default)]
    pub(super) gid: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct HostMount {
    pub(super) host_path: String,
    pub(super) container_path: String,
    #[serde(default)]
    pub(super) options: Option<Vec<String>>,
    #[serde(default, rename = "type")]
    pub(super) kind: Option<String>,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As JSON.
    Json,
    /// As YAML.
    Yaml,
}

/// Parses a file.
///
/// # Errors
/// What is not understood.
pub fn parse(text: &str, form: Form) -> Result<Document, String> {
    let document: Document = match form {
        Form::Json => serde_json::from_str(text).map_err(|error| error.to_string())?,
        Form::Yaml => serde_json::from_str(&only_document(text)?).map_err(in_yaml)?,
    };
    if !is_known(&document.cdi_version) {
        return Err(format!(
            "version {:?} of the specification is not known",
            document.cdi_version
        ));
    }
    if !is_kind(&document.kind) {
        return Err(format!("{:?} is not a kind of devices", document.kind));
    }
    for device in &document.devices {
        if !is_device(&device.name) {
            return Err(format!("{:?} is not a device's name", device.name));
        }
    }
    Ok(document)
}

/// What is wrong with YAML that was read as JSON of the same lines, and other columns.
fn in_yaml(error: serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" column ") {
        Some((before, _)) => before.to_owned(),
        None => text,
    }
}

/// The one document of a text of YAML, as JSON of the same lines.
fn only_document(text: &str) -> Result<String, String> {
    let documents = yaml::documents(text).map_err(|error| error.to_string())?;
    match documents.as_slice() {
        [] => Err("it is empty".to_owned()),
        [document] => Ok(document.to_json_text()),
        [_, second, ..] => Err(format!("line {}: there is another document", second.line)),
    }
}

/// Versions from 0.3.0 on; those of 1 add to it.
fn is_known(version: &str) -> bool {
    let mut numbers = version
        .trim_start_matches('v')
        .split('.')
        .map(str::parse::<u32>);
    matches!(
        (
            numbers.next(),
            numbers.next(),
            numbers.next(),
            numbers.next()
        ),
        (Some(Ok(0)), Some(Ok(3..)), Some(Ok(_)), None)
            | (Some(Ok(1)), Some(Ok(_)), Some(Ok(_)), None)
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_understood_is_said() {
        for (text, reason) in [
            ("", "EOF"),
            (
                r#"{"cdiVersion":"9.0.0","kind":"a/b","devices":[]}"#,
                "9.0.0",
            ),
            (
                r#"{"cdiVersion":"0.2.0","kind":"a/b","devices":[]}"#,
                "0.2.0",
            ),
            (r#"{"cdiVersion":"1.0.0","kind":"a","devices":[]}"#, "kind"),
            (
                r#"{"cdiVersion":"1.0.0","kind":"a/b","devices":[],"more":1}"#,
                "more",
            ),
            (
                r#"{"cdiVersion":"1.0.0","kind":"a/b","devices":[{"name":"../x","containerEdits":{}}]}"#,
                "../x",
            ),
        ] {
            let error = parse(text, Form::Json).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        for (text, reason) in [
            ("", "it is empty"),
            ("a: 1\n---\nb: 2", "line 3: there is another"),
            (
                "cdiVersion: 0.6.0\nkind: a/b\n# more\ndevices:\n- name: x\n  containerEdits:\n    env: 7\n",
                "expected a sequence at line 7",
            ),
            (
                "cdiVersion: 0.6.0\nkind: a/b\nmore: 1\n",
                "unknown field `more`",
            ),
        ] {
            let error = parse(text, Form::Yaml).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let good = r#"{"cdiVersion":"0.6.0","kind":"a/b","devices":[
            {"name":"x","containerEdits":{"env":null,"mounts":[]}}]}"#;
        for form in [Form::Json, Form::Yaml] {
            assert_eq!(parse(good, form).unwrap().devices.len(), 1);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in ".{0,200}") {
            let _ = parse(&text, Form::Json);
            let _ = parse(&text, Form::Yaml);
        }
    }
}
