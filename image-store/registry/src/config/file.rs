//! What one file of the configuration says.

use std::path::PathBuf;
use std::time::Duration;

use image_name::Location;
use serde::de::DeserializeOwned;

use super::rule::Rule;

/// What one file says.
#[derive(Debug, Default)]
pub(super) struct ConfigFile {
    pub(super) rules: Vec<Rule>,
    pub(super) plain_http: Option<Vec<String>>,
    pub(super) search: Option<Vec<Location>>,
    pub(super) takes_first_found: Option<bool>,
    pub(super) aliases: Vec<(String, Location)>,
    pub(super) retries: Option<u32>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) stall_timeout: Option<Duration>,
    pub(super) certificate_folders: Option<Vec<PathBuf>>,
    pub(super) reads_containers: Option<bool>,
}

/// What a text in TOML says, or what of which setting is not understood, and in which line.
pub(super) fn understood<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let told = |error: &toml::de::Error, setting: &str| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        let line = line.map_or(String::new(), |line| format!("line {line}: "));
        // The parser calls a table by its name in the program.
        let message = match error.message().rsplit_once("expected struct ") {
            Some((before, _)) => format!("{before}expected a table"),
            None => error.message().to_owned(),
        };
        format!("{line}{setting}{message}")
    };
    let document = toml::Deserializer::parse(text).map_err(|error| told(&error, ""))?;
    serde_path_to_error::deserialize(document)
        .map_err(|error| told(error.inner(), &format!("{}: ", error.path())))
}
