//! What one file of the configuration says.

use std::path::PathBuf;
use std::time::Duration;

use image_name::Location;

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
