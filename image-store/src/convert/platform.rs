//! The platform of a converted image.

use image_document::Platform;
use serde_json::{Value, json};

/// The platform in the form that a configuration has it.
pub(super) fn with_platform(mut config: Value, platform: &Platform) -> Value {
    if let Some(members) = config.as_object_mut() {
        members.insert("os".to_owned(), json!(platform.os()));
        members.insert("architecture".to_owned(), json!(platform.architecture()));
        if let Some(variant) = platform.variant() {
            members.insert("variant".to_owned(), json!(variant));
        }
    }
    config
}
